"""Studies an hour received and drafted by the service, beside the bare engine over the same exam.

In each round the service receives and drafts a stream of studies that never lets its worker wait, and then the engine
alone drafts as many in this process, of files that it has not read before. Both have the same model, threads and exam,
and a busy machine slows both halves of a round alike. The rate is by the times that the drafts were committed at. The
sender runs on the same processors.
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from service_load import KINDS, LoadedService, loaded_service, write_studies

from amrg.generation import Engine, draft_studies
from amrg.imaging import read_studies
from amrg.service.worker.engine import load

AHEAD = 12
"""Studies that are sent before they are drafted: more than are in their quiet period at any time."""
TICK = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Round:
    """Seconds a study through the service and by the bare engine; processor seconds of the same."""

    service: float
    bare: float
    processor: dict[str, float]
    bare_processor: float

    @property
    def added(self) -> float:
        """By how much a study takes longer through the service, as a share of the bare engine's time."""
        return self.service / self.bare - 1


def main() -> int:
    """Run and print what was measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="", help="the embedded one by default; fixed: one with a constant text")
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--studies", type=int, default=20, help="studies a round")
    parser.add_argument("--database", default="", help="SQLAlchemy's URL; SQLite where none is given")
    asked = parser.parse_args()
    engine = load(asked.model or None)
    with (
        tempfile.TemporaryDirectory() as name,
        loaded_service(Path(name) / "service", asked.model, database=asked.database) as service,
    ):
        rounds = list(measured(service, engine, Path(name), asked.rounds, asked.studies))
        twice = service.twice()
    print_rounds(rounds, asked.studies)
    print(f"drafted twice: {twice}")
    return int(twice > 0)


def measured(service: LoadedService, engine: Engine, folder: Path, rounds: int, count: int) -> Iterator[Round]:
    """The rounds, after one that warms both up."""
    stream = write_studies(folder / "studies", (rounds + 1) * (2 * count + AHEAD))
    for number in range(rounds + 1):
        received, alone = list(islice(stream, count + AHEAD)), list(islice(stream, count))
        through, processor = service_round(service, received, count)
        bare, own = bare_round(engine, alone)
        for files in (*received, *alone):
            shutil.rmtree(files[0].parent)
        if number:
            yield Round(through, bare, processor, own)


def service_round(service: LoadedService, studies: list[list[Path]], count: int) -> tuple[float, dict[str, float]]:
    """Seconds a study between the first draft and the one `count` later, in which as many studies are received."""
    before = service.drafts()
    begun: dict[str, float] = {}
    for sent, files in enumerate(studies):
        while sent - (service.drafts() - before) >= AHEAD:
            time.sleep(0.1)
        if sent == AHEAD:
            begun = processor_seconds(service)
        service.send(files)
    while service.drafts() - before < count + 1:
        time.sleep(0.1)
    ended = processor_seconds(service)
    while service.is_busy():
        time.sleep(0.2)
    times = service.drafted_at()[before:]
    seconds = (times[count] - times[0]).total_seconds() / count
    return seconds, {kind: (ended[kind] - begun[kind]) / count for kind in ended}


def bare_round(engine: Engine, studies: list[list[Path]]) -> tuple[float, float]:
    """Seconds, and processor seconds, a study of the engine alone, of files that it has not read before."""
    began, own = time.perf_counter(), time.process_time()
    for files in studies:
        next(draft_studies(read_studies(files[0].parent).studies, engine))
    return (time.perf_counter() - began) / len(studies), (time.process_time() - own) / len(studies)


def processor_seconds(service: LoadedService) -> dict[str, float]:
    """Of each process of the service so far, of the senders, and of this one, which starts and counts."""
    found = {}
    for kind in KINDS:
        fields = Path(f"/proc/{service.pid(kind)}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        found[kind] = (int(fields[11]) + int(fields[12])) / TICK
    times = os.times()
    return {**found, "sender": times.children_user + times.children_system, "bench": times.user + times.system}


def print_rounds(rounds: list[Round], count: int) -> None:
    """Rates, what the service adds with an interval over rounds, and whose processor time it is."""
    print("round | s a study: service, bare | added")
    for number, one in enumerate(rounds, 1):
        print(f"{number:>5} | {one.service:.3f}, {one.bare:.3f} | {one.added:+.1%}")
    service, bare = (np.array([getattr(r, name) for r in rounds]) for name in ("service", "bare"))
    drawn = np.random.default_rng(0).integers(0, len(rounds), (10_000, len(rounds)))
    ratios = service[drawn].sum(1) / bare[drawn].sum(1) - 1
    low, high = np.percentile(ratios, [2.5, 97.5])
    print(
        f"studies an hour: {3600 / service.mean():.0f} through the service, {3600 / bare.mean():.0f} by the bare engine"
    )
    print(
        f"added by the service: {service.sum() / bare.sum() - 1:.1%} (95 % over rounds: {low:.1%} to {high:.1%}; "
        f"{len(rounds) * count} studies each)"
    )
    kinds = {kind: float(np.mean([r.processor[kind] for r in rounds])) for kind in rounds[0].processor}
    listed = ", ".join(f"{kind} {seconds:.3f}" for kind, seconds in kinds.items())
    print(f"processor seconds a study: bare {np.mean([r.bare_processor for r in rounds]):.3f}; {listed}")


if __name__ == "__main__":
    raise SystemExit(main())
