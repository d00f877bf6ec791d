"""A finished sweep that nobody trained: its trials, and the drafts that they would have saved."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

from amrg.birads import Laterality, Report, render
from amrg.datasets import Case, open_dataset
from amrg.experiments.sweep.config import SweepConfig
from amrg.experiments.sweep.definition import Definition, Point, Sweep
from amrg.experiments.sweep.trials import Trial, TrialStatus
from amrg.training.data.prepared import DataSource
from amrg.training.outputs.artifacts import PREDICTIONS
from tests.benchmark.reader import truth

R, L = Laterality.RIGHT, Laterality.LEFT

Drafts = Callable[[Case, int], str]
"""What a trial writes of a case; the number is the case's place in the validation part."""


def right(case: Case, number: int) -> str:
    """The reference's facts."""
    return render(case.reference)


def normal(case: Case, number: int) -> str:
    """Always a normal exam."""
    return render(truth(None))


def half(case: Case, number: int) -> str:
    """Right on every other case, else a mass on the wrong side."""
    return right(case, number) if number % 2 else render(_other_side(case.reference))


def _other_side(report: Report) -> Report:
    sides = {f.laterality for f in report.findings}
    return truth(L if R in sides else R)


def definition(source: DataSource, what: Sweep) -> Definition:
    return SweepConfig(what, source, Path("nowhere")).definition


def finished(base: str, number: int, point: Point, best: float) -> Trial:
    """A finished trial."""
    return Trial(
        base=base,
        number=number,
        status=TrialStatus.FINISHED,
        point=point,
        folder=f"trials/{base}/{number:03d}-{point.label}",
        best=best,
        best_step=4,
        steps=8,
        trainable=1000 * point.rank,
        seconds=90.0,
        peak_bytes=2**30,
    )


def written(folder: Path, source: DataSource, drafts: Mapping[Trial, Drafts]) -> list[Trial]:
    """Trials with their drafts of the validation part on file."""
    dataset = open_dataset(source.data)
    cases = [dataset.case(key) for key in dataset.split(source.split).validation]
    for trial, draft in drafts.items():
        assert trial.folder is not None
        place = folder / trial.folder
        place.mkdir(parents=True)
        lines = [json.dumps({"key": c.key, "text": draft(c, i)}) for i, c in enumerate(cases)]
        (place / PREDICTIONS).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return list(drafts)
