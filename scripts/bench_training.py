"""Fine-tune a proportionally shrunk MedGemma with Google's notebook and with amrg, on the same exams in one run.

Run from the repository's root: `make bench-training`, or `python scripts/bench_training.py`. Every run is a process of
its own with two threads, one after another, ours before and after the peer. Memory is the maximum of a process minus
its memory before a model was loaded (interpreter and libraries, which would not be on a GPU). `--quick` tests
the benchmark itself, at a size whose results mean nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from statistics import mean

from bench_training_model import MEDGEMMA, SHRUNK, STEP, TINY, Shape, reports, shares, write_checkpoint, write_data
from bench_training_runs import THREADS, Measured, Ours, OurSweep, Peer
from transformers import AutoTokenizer

RUNS = Path(__file__).with_name("bench_training_runs.py")
GB = 1024**2  # kB
RANKS, ALPHAS = (4, 8, 16, 32, 64), 3
MEASURED_RANKS = (4, 16, 64)
TRAINING = 407
"""DMID's training images in AMRG's split, as reported: the size of a trial's epoch."""
PROMPT = 60
EPOCHS = 3
ALONE = {"OMP_NUM_THREADS": str(THREADS), "MALLOC_MMAP_THRESHOLD_": "65536"}
"""What is freed goes back: glibc before 2.38 finds no use for freed memory that was aligned, as torch's is, and of
either contender about twice as much would be measured as it holds."""


_KINDS = {Peer: "peer", Ours: "ours", OurSweep: "sweep"}


class Bench:
    """Where runs happen, and how many steps they take."""

    def __init__(self, folder: Path, steps: int) -> None:
        self.steps = steps
        self._folder = folder
        self._count = 0

    def run(self, options: Peer | Ours | OurSweep, cache: str = "") -> Measured:
        """One run in a process of its own; `cache` names what compiled layers it finds, none without a name."""
        self._count += 1
        kind = _KINDS[type(options)]
        folder = self._folder / f"{self._count}-{kind}"
        folder.mkdir()
        given: list[str | Path] = [
            kind,
            json.dumps(asdict(options)),
            self._folder / "base",
            self._folder / "data",
            folder,
        ]
        began = time.perf_counter()
        compiled = self._folder / "compiled" / (cache or folder.name)
        environment = os.environ | ALONE | {"TORCHINDUCTOR_CACHE_DIR": str(compiled)}
        with (folder / "out").open("w") as out, (folder / "err").open("w") as err:
            process = subprocess.Popen([sys.executable, RUNS, *given], stdout=out, stderr=err, env=environment)
            _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise SystemExit(f"{options}: left with {process.returncode}\n{(folder / 'err').read_text()[-2000:]}")
        result = json.loads((folder / "out").read_text().splitlines()[-1])
        return replace(Measured(**result), peak_kb=used.ru_maxrss, wall=time.perf_counter() - began)


def parse_options(about: str | None, arguments: Sequence[str] | None, **counts: tuple[int, str]) -> argparse.Namespace:
    """`--quick`, and whole numbers, each with its default and what it counts."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a tiny model: whether it runs, not how fast")
    for name, (default, help_text) in counts.items():
        parser.add_argument(f"--{name}", type=int, default=default, help=help_text)
    return parser.parse_args(arguments)


@contextmanager
def open_bench(given: argparse.Namespace) -> Iterator[tuple[Bench, Shape, list[str], Path]]:
    """Where runs happen, with the base and the data of all contenders: its shape, the reports, its folder."""
    shape, texts = (TINY, reports(48)) if given.quick else (SHRUNK, reports(64))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_checkpoint(folder / "base", shape, texts)
        write_data(folder, texts, shape.pixels)
        yield Bench(folder, given.steps), shape, texts, folder / "base"


@dataclass(frozen=True)
class Speed:
    """What a run comes to: exams a second in steps after the first, and the most that the training held, GB."""

    a_second: float
    held: float
    steps: str
    """How many were measured, and how far they lie apart."""

    @classmethod
    def of(cls, runs: Sequence[Measured], exams: int) -> Speed:
        """Runs of one kind, `exams` a step; the first step of each, in which layers are compiled, is not counted."""
        seconds = [second for run in runs for second in run.seconds[1:]]
        steps = f"n = {len(seconds)} steps, {exams / max(seconds):.3f} to {exams / min(seconds):.3f}"
        held = max((run.peak_kb - run.bare_kb) / GB for run in runs)
        return cls(exams / mean(seconds), held, steps)


def compiling(measured: Measured) -> float:
    """Seconds that the first step took longer than the others: layers are compiled in it."""
    return max(0.0, measured.seconds[0] - mean(measured.seconds[1:]))


def figure(name: str, value: float, about: str) -> None:
    """One line of the result."""
    sys.stdout.write(f"figure training_{name} {value:.3f}  # {about}\n")
    sys.stdout.flush()


def headline(bench: Bench) -> Measured:
    """Ours, the peer, ours again: the ratios of speed and memory. Returns the peer's run."""
    before = bench.run(Ours(bench.steps))
    peer = bench.run(Peer(bench.steps))
    after = bench.run(Ours(bench.steps))
    theirs, mine = Speed.of([peer], STEP), Speed.of([before, after], STEP)
    encoding = mean(m.encoding / max(m.exams, 1) for m in (before, after))
    once = mean(compiling(m) for m in (before, after))
    amortised = {epochs: 1 / (1 / mine.a_second + (encoding + once / TRAINING) / epochs) for epochs in (1, EPOCHS, 20)}
    figure("peer_exams_a_second", theirs.a_second, f"the notebook, {peer.trainable:,} parameters; {theirs.steps}")
    figure("exams_a_second", mine.a_second, f"amrg, {before.trainable:,} parameters; {mine.steps}")
    figure("seeing_seconds_an_exam", encoding, "amrg: image, prompt, tower and projector, once per exam")
    figure("compiling_seconds", once, "amrg, once a run")
    for epochs, value in amortised.items():
        figure(
            f"exams_a_second_{epochs}_epochs", value, f"amrg, with encoding and compiling, {epochs} x {TRAINING} exams"
        )
    figure("peer_held_gb", theirs.held, f"and {peer.bare_kb / GB:.2f} before the model is loaded")
    figure("held_gb", mine.held, f"amrg, and {before.bare_kb / GB:.2f} before the model is loaded")
    speeds = [STEP / second / theirs.a_second for m in (before, after) for second in m.seconds[1:]]
    held = [(m.peak_kb - m.bare_kb) / GB for m in (before, after)]
    sys.stdout.write(
        f"ratio training-speed {amortised[EPOCHS] / theirs.a_second:.2f}  # steps alone {min(speeds):.2f} to "
        f"{max(speeds):.2f}, n = {len(speeds)}\n"
        f"ratio training-memory {theirs.held / mine.held:.2f}  # {theirs.held / max(held):.2f} to "
        f"{theirs.held / min(held):.2f}, n = {len(held)}\n"
    )
    return peer


def ablation(bench: Bench) -> None:
    """From the notebook to amrg, one change after another; at last amrg with LoRA in all that the notebook has."""
    exams = 4
    peer = Peer(2, accumulate=1)
    ladder: dict[str, Peer | Ours] = {
        "as the notebook has it": peer,
        "embeddings and head not trained": (peer := replace(peer, saved=False)),
        "LoRA in the language model alone": (peer := replace(peer, modules="language")),
        "fused attention instead of eager": (peer := replace(peer, attention="sdpa")),
        "amrg, not compiled: logits of the report alone, tower's work done before": (
            plain := Ours(2, batch_size=exams, torch_compile=False)
        ),
        "amrg, not compiled, without gradient checkpointing, micro-batches of one exam": replace(
            plain, micro_batch_size=1, checkpointing=False
        ),
        "amrg": Ours(2, batch_size=exams),
        "amrg, without gradient checkpointing, micro-batches of one exam": Ours(
            2, batch_size=exams, micro_batch_size=1, checkpointing=False
        ),
        "amrg, LoRA in all linear layers: the tower in every step": Ours(2, batch_size=exams, modules="all-linear"),
    }
    if find_spec("trl") is not None:
        ladder["the notebook with TRL as it is installed here"] = Peer(2, accumulate=1, trl=True)
    for number, (what, options) in enumerate(ladder.items()):
        speed = Speed.of([bench.run(options)], exams)
        figure(f"step_{number}_exams_a_second", speed.a_second, f"holds {speed.held:.2f} GB: {what}")


def agreement(bench: Bench) -> None:
    """The same objective in the same order from the same weights: the losses of every step."""
    peer = Peer(
        bench.steps + 1,
        saved=False,
        modules="language",
        report_only=True,
        dropout=0.0,
        accumulate=1,
        learning_rate=1e-3,
        lr_scheduler="constant",
        warmup_ratio=0.0,
        our_order=True,
    )
    ours = Ours(
        bench.steps + 1, dropout=0.0, batch_size=4, learning_rate=1e-3, lr_scheduler="constant", warmup_ratio=0.0
    )
    theirs, mine = bench.run(peer).losses, bench.run(ours).losses
    apart = max(abs(a - b) for a, b in zip(theirs, mine, strict=True))
    pairs = ", ".join(f"{a:.5f} {b:.5f}" for a, b in zip(theirs, mine, strict=True))
    figure("loss_apart", apart, f"at most 0.001; step by step, the notebook's Trainer and amrg: {pairs}")
    if apart > 1e-3:
        raise SystemExit("the losses differ where the objectives agree")


def sweep(bench: Bench, peer: Measured) -> None:
    """15 trials of an epoch each over DMID, reckoned from steps measured at the ends and the middle of the ranks.

    The first trial of a rank compiles its layers, those of its other scalings find them on the disk. `make bench-sweep`
    measures a smaller sweep whole, and how far such a reckoning is from it.
    """
    steps = -(-TRAINING // STEP)
    runs = {rank: bench.run(Ours(2, rank=rank, checkpointing=False), f"rank-{rank}") for rank in MEASURED_RANKS}
    again = compiling(bench.run(Ours(2, rank=RANKS[0], alpha=48, checkpointing=False), f"rank-{RANKS[0]}"))
    seconds = {rank: mean(m.seconds[1:]) for rank, m in runs.items()}
    middle = {8: mean((seconds[4], seconds[16])), 32: mean((seconds[16], seconds[64]))}
    once = mean(map(compiling, runs.values()))
    figure("compiling_again_seconds", again, "amrg, where another trial of the rank has compiled")
    trials = sum(ALPHAS * steps * step + once + (ALPHAS - 1) * again for step in (seconds | middle).values())
    ours = runs[16]
    starting = ours.wall - sum(ours.seconds) - ours.encoding
    mine = starting + TRAINING * ours.encoding / max(ours.exams, 1) + trials
    theirs = len(RANKS) * ALPHAS * (peer.wall - sum(peer.seconds) + steps * mean(peer.seconds[1:]))
    about = f"{steps} steps of {STEP} a trial"
    figure("sweep_held_gb", Speed.of(list(runs.values()), STEP).held, "amrg, the most of its trials")
    figure(
        "sweep_seconds",
        mine,
        f"amrg: started and encoded once; {about}; ranks 4, 16, 64 measured, 8 and 32 between them",
    )
    figure("sweep_peer_seconds", theirs, f"15 processes of the notebook's recipe; {about}; rank 16 measured, all alike")
    fastest, slowest = (pick(step for m in runs.values() for step in m.seconds[1:]) for pick in (min, max))
    sys.stdout.write(f"ratio sweep-time {theirs / mine:.2f}  # steps of {fastest:.1f} to {slowest:.1f} s by rank\n")


def introduce(shape: Shape, texts: Sequence[str], base: Path) -> None:
    """Say what is trained, beside what it stands for."""
    tokenizer = AutoTokenizer.from_pretrained(base)
    answer = round(mean(len(tokenizer.encode(text, add_special_tokens=False)) for text in texts))
    for name, one in (("MedGemma 4B", MEDGEMMA), ("shrunk here", shape)):
        tokens = one.image_tokens + PROMPT + answer
        held, work = one.parameters(), one.work(tokens)
        sys.stdout.write(
            f"{name}: {sum(held.values()) / 1e6:,.0f} M parameters ({shares(held)}); forward "
            f"{sum(work.values()) / 1e9:,.0f} GFLOP an exam of {tokens} tokens ({shares(work)})\n"
        )
    sys.stdout.write(
        f"one picture an exam, reports of {answer} tokens; LoRA of rank 16, float32, {THREADS} threads; "
        "without the notebook's nf4 and bfloat16, for both\n"
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Print `ratio training-speed`, `ratio training-memory` and `ratio sweep-time`, and what they come from."""
    given = parse_options(__doc__, arguments, steps=(3, "optimiser steps of a run; the first is not counted"))
    with open_bench(given) as (bench, shape, texts, base):
        introduce(shape, texts, base)
        agreement(bench)
        sweep(bench, headline(bench))
        if not given.quick:
            ablation(bench)


if __name__ == "__main__":
    main()
