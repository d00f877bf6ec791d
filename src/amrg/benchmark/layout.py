"""The files of a run folder, by name."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

PREDICTIONS = "predictions.jsonl"
"""The predictions, a `Prediction` a line."""

CASES = "cases.jsonl"
"""The cases scored, a `Case` a line, so that runs can be compared and scored again without the data set."""

MANIFEST = "manifest.json"
"""All that decides what the run wrote."""

SCORES = "scores.json"
"""Everything measured: the layout of `amrg.metrics.scores.Scores`."""

TRAINED_ON = "trained-on.json"
"""What the model was trained on, as far as it is known."""

REPORT = "report.html"
"""The run's page."""

BASELINES, ABOUT = "baselines", "about.json"
"""The predictions of the baselines, and how each was made."""

PERTURBED = "perturbed"
"""The predictions on perturbed images, a file a perturbation."""

TIMINGS, EMBEDDINGS = "timings.jsonl", "embeddings"
"""Seconds a case, which differ from run to run; image embeddings of the retrieval baseline."""


class Perturbation(StrEnum):
    """How the images of a study are changed before the model gets them."""

    BLANKED = "blanked"  # every pixel background
    SHUFFLED = "shuffled"  # the images of another case, of the same views
    MIRRORED = "mirrored"  # left to right, and each named as the other breast's


_FILES = {PREDICTIONS, CASES, MANIFEST, SCORES, TRAINED_ON, TIMINGS, REPORT}


def is_run_file(folder: Path, path: Path) -> bool:
    """Whether a path is one of a run folder's own files, which nothing else may replace."""
    here, at = folder.resolve(), path.resolve()
    return (at.parent == here and at.name in _FILES) or at.parent in {here / BASELINES, here / PERTURBED}


def perturbed_path(folder: Path, perturbation: Perturbation) -> Path:
    """The predictions of a run folder on perturbed images."""
    return folder / PERTURBED / f"{perturbation.value}.jsonl"
