"""Time the drafting of many studies from their files against transformers in batches: same model, same greedy tokens.

Run from the repository's root: `make bench-bulk`, or `python scripts/bench_bulk.py`. In every round both draft the
same new studies, one after the other on an otherwise idle machine: amrg as `amrg report FOLDER` does it, from the scan
of the headers to written reports, one process a core; the peer in one process, its processor and `generate` over
batches, on images that amrg's own reading makes one study after another, which no pipeline brings. The peer writes
nothing. It runs with each batch size, and the fastest counts. Loading a model is not counted for either. The line
`ratio many-studies` has the median over rounds, the lowest and the highest.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from functools import partial
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any

from bench_one_study import start

from amrg.core.attempts import new_session
from amrg.core.cores import available_cores
from amrg.generation import DraftOptions
from amrg.generation.bulk.drafting import BulkOptions
from amrg.generation.bulk.index import StudyIndex
from amrg.generation.bulk.processes import WorkerPlan, WorkerReady, draft_in_processes
from amrg.generation.drafting import prepare
from amrg.generation.engines.loading import load_engine
from amrg.imaging import read_studies
from amrg.imaging.containers import walk_files
from amrg.imaging.scanning import scan_file
from amrg.models.settings import messages
from amrg.models.views import to_pil
from amrg.phantom import Size, draw_exam, write_exam

FIRST_SEED = 2_200_000  # above every seed that the model was trained, chosen or measured with
BATCHES = (1, 4, 8)
Texts = dict[str, str]


def ours(source: Path, out: Path) -> tuple[float, Texts]:
    """Seconds from the scan to the last report, without loading the engines, and the model's texts by study."""
    options = BulkOptions(out, ("text", "json"), DraftOptions())
    texts: Texts = {}
    began = time.perf_counter()
    with closing(StudyIndex(map(scan_file, walk_files(source)))) as index:
        scanned = time.perf_counter() - began
        plan = WorkerPlan(partial(load_engine, None), options, new_session())
        for message in draft_in_processes(index.tasks(), plan, available_cores()):
            if isinstance(message, WorkerReady):
                began = time.perf_counter()
            else:
                texts |= {uid: draft.model_text for uid, draft in message.drafts.items()}
        return scanned + time.perf_counter() - began, texts


def peer(pipe: Any) -> None:
    """A process with transformers: folders and batch sizes in, seconds and texts out."""
    import torch  # noqa: PLC0415  # of this process alone

    from amrg.models.load import load_model  # noqa: PLC0415

    loaded = load_model()
    processor, settings = loaded.processor, loaded.settings
    processor.tokenizer.padding_side = "left"
    end = loaded.backbone.eos_token_id(processor)

    def batches(source: Path, size: int) -> Iterator[list[tuple[str, Any]]]:
        folders = iter(sorted(source.iterdir()))
        while chunk := list(islice(folders, size)):
            studies = [study for folder in chunk for study in read_studies(folder).studies]
            yield [(study.study_instance_uid, prepare(study, settings).request) for study in studies]

    @torch.inference_mode()
    def draft(requests: Sequence[Any]) -> list[str]:
        chats = [messages(r.views, [to_pil(image) for image in r.images], settings) for r in requests]
        inputs = processor.apply_chat_template(
            chats,
            tokenize=True,
            return_dict=True,
            return_tensors="pt",
            add_generation_prompt=True,
            processor_kwargs={"padding": True},
        )
        out = loaded.model.generate(
            **inputs, max_new_tokens=settings.max_new_tokens, do_sample=False, eos_token_id=end, pad_token_id=0
        )
        answers = out[:, inputs["input_ids"].shape[1] :]
        return [text.strip() for text in processor.tokenizer.batch_decode(answers, skip_special_tokens=True)]

    while (order := pipe.recv()) is not None:
        source, size = order
        texts: Texts = {}
        began = time.perf_counter()
        for batch in batches(source, size):
            texts |= dict(zip([uid for uid, _ in batch], draft([r for _, r in batch]), strict=True))
        pipe.send((time.perf_counter() - began, texts))


def main(arguments: Sequence[str] | None = None) -> None:
    """Print `ratio many-studies` and what it comes from."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=32, help="new ones in every round")
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args(arguments)
    cores = available_cores()
    other = start("transformers", peer, cores)
    seconds: list[list[float]] = []
    with tempfile.TemporaryDirectory() as name:
        for number in range(given.rounds):
            source, out = Path(name) / f"in-{number}", Path(name) / f"out-{number}"
            for seed in range(FIRST_SEED + number * given.studies, FIRST_SEED + (number + 1) * given.studies):
                write_exam(draw_exam(seed, Size.SMALL), source / str(seed))
            taken, texts = ours(source, out)
            seconds.append([taken])
            for size in BATCHES:
                other.pipe.send((source, size))
                taken, theirs = other.pipe.recv()
                seconds[-1].append(taken)
                if theirs != texts:
                    different = sorted(uid for uid in texts if theirs.get(uid) != texts[uid])
                    raise SystemExit(f"batches of {size}: {len(different)} of {len(texts)} texts differ: {different}")
    other.pipe.send(None)
    columns = list(zip(*seconds, strict=True))
    for label, column in zip(
        ("amrg report", *(f"transformers, batches of {b}" for b in BATCHES)), columns, strict=True
    ):
        sys.stdout.write(f"{label:28} {given.studies / median(column):.2f} reports a second\n")
    best = min(columns[1:], key=median)
    ratios = sorted(theirs / own for theirs, own in zip(best, columns[0], strict=True))
    sys.stdout.write(
        f"{given.rounds} rounds of {given.studies} drawn exams of four views, equal texts, {cores} cores, "
        f"load {os.getloadavg()[0]:.1f}\n"
    )
    sys.stdout.write(f"ratio many-studies {median(ratios):.2f} [{ratios[0]:.2f}, {ratios[-1]:.2f}]\n")


if __name__ == "__main__":
    main()
