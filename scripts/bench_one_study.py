"""Time the drafting of one exam after another against transformers' `generate`: same model, same greedy tokens.

Run from the repository's root: `make bench-one-study`, or `python scripts/bench_one_study.py`. Each contender is a
process of its own that waits while the other works. The peer takes the model's images through its processor and
`generate`, as its model card would show it, with one thread and with two: the faster one counts. Images are prepared
before, for both. The line `ratio one-study` has the median over exams and its 95 % interval (bootstrap).
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from amrg.core.cores import available_cores
from amrg.generation.drafting import prepare
from amrg.generation.engines.base import Request
from amrg.generation.engines.graph import load_graph_engine
from amrg.imaging import read_studies
from amrg.models.settings import ModelSettings, messages
from amrg.models.views import to_pil
from amrg.phantom import Size, draw_exam, write_exam

FIRST_SEED = 2_100_000  # above every seed that the model was trained, chosen or measured with
REST = 0.3  # seconds between runs, in which the other's waiting threads fall asleep
Seconds = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Contender:
    """A process that drafts requests which it is sent, and answers with the text and the seconds."""

    name: str
    pipe: Connection
    process: multiprocessing.process.BaseProcess

    def draft(self, request: Request) -> tuple[str, float, float]:
        """The text, the seconds on the clock and those of processors."""
        time.sleep(REST)
        self.pipe.send(request)
        answer: tuple[str, float, float] = self.pipe.recv()
        return answer


def ours(pipe: Connection) -> None:
    """amrg's own engine of the embedded model."""
    engine = load_graph_engine()
    _serve(pipe, lambda request: next(iter(engine.generate([request]))).text)


def peer(pipe: Connection) -> None:
    """transformers: the checkpoint's processor and `generate`."""
    torch, loading = import_module("torch"), import_module("amrg.models.load")
    loaded = loading.load_model()
    model, processor, settings = loaded.model, loaded.processor, loaded.settings
    end = loaded.backbone.eos_token_id(processor)

    def draft(request: Request) -> str:
        with torch.inference_mode():
            inputs = processor.apply_chat_template(
                [_chat(request, settings)],
                tokenize=True,
                return_dict=True,
                return_tensors="pt",
                add_generation_prompt=True,
            )
            out = model.generate(
                **inputs, max_new_tokens=settings.max_new_tokens, do_sample=False, eos_token_id=end, pad_token_id=0
            )
        answer = out[0, inputs["input_ids"].shape[1] :]
        text: str = processor.tokenizer.decode(answer, skip_special_tokens=True)
        return text.strip()

    _serve(pipe, draft)


def _chat(request: Request, settings: ModelSettings) -> list[dict[str, Any]]:
    return messages(request.views, [to_pil(image) for image in request.images], settings)


def _serve(pipe: Connection, draft: Any) -> None:
    """Draft what comes until nothing does."""
    while (request := pipe.recv()) is not None:
        began, used = time.perf_counter(), time.process_time()
        text = draft(request)
        pipe.send((text, time.perf_counter() - began, time.process_time() - used))


def start(name: str, target: Any, threads: int) -> Contender:
    """A contender with a number of threads."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    before = dict(os.environ)
    os.environ["OMP_NUM_THREADS"] = str(threads)
    process = context.Process(target=target, args=(there,), daemon=True)
    process.start()
    os.environ.clear()
    os.environ.update(before)
    return Contender(name, here, process)


def drawn_requests(folder: Path, count: int) -> list[Request]:
    """Four-view exams, prepared as the embedded model takes them."""
    settings = load_graph_engine().settings
    made = []
    for seed in range(FIRST_SEED, FIRST_SEED + count):
        write_exam(draw_exam(seed, Size.SMALL), folder / str(seed))
        (study,) = read_studies(folder / str(seed)).studies
        made.append(prepare(study, settings).request)
    return made


def measure(contenders: Sequence[Contender], requests: Sequence[Request]) -> tuple[Seconds, Seconds]:
    """Seconds on the clock and of processors, each [contenders, exams]; every contender in turn for every exam.

    Raises:
        SystemExit: the texts differ.
    """
    for contender in contenders:
        contender.draft(requests[0])  # what happens once a process
    clock, used = (np.empty((len(contenders), len(requests))) for _ in range(2))
    for exam, request in enumerate(requests):
        texts = set()
        for number, contender in enumerate(contenders):
            text, clock[number, exam], used[number, exam] = contender.draft(request)
            texts.add(text)
        if len(texts) > 1:
            raise SystemExit(f"exam {FIRST_SEED + exam}: the texts differ:\n" + "\n---\n".join(sorted(texts)))
    return clock, used


def interval(ratios: Seconds) -> tuple[float, float, float]:
    """Median and 95 % interval by the bootstrap over exams."""
    drawn = np.random.default_rng(0).choice(ratios, (2000, len(ratios)))
    low, high = np.quantile(np.median(drawn, 1), (0.025, 0.975))
    return float(np.median(ratios)), float(low), float(high)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print `ratio one-study` and what it comes from."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--exams", type=int, default=20)
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        requests = drawn_requests(Path(folder), given.exams)
    cores = available_cores()
    contenders = [start("amrg", ours, cores), *(start(f"transformers, {n}", peer, n) for n in sorted({1, cores}))]
    clock, used = measure(contenders, requests)
    for contender, seconds, processor in zip(contenders, clock, used, strict=True):
        sys.stdout.write(
            f"{contender.name:18} {np.median(seconds):.3f} s an exam, {np.median(processor):.3f} s of processors\n"
        )
        contender.pipe.send(None)
        contender.process.join()
    best = clock[1:][np.median(clock[1:], 1).argmin()]
    middle, low, high = interval(best / clock[0])
    sys.stdout.write(f"{given.exams} drawn exams of four views, equal texts, {cores} cores\n")
    sys.stdout.write(f"ratio one-study {middle:.2f} [{low:.2f}, {high:.2f}]\n")


if __name__ == "__main__":
    main()
