"""From a split's cases to what training needs of them: the text to be written, and the pictures as a model sees them.

The test part is never opened here: only the cases of the parts that are named are read.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch

from amrg.birads import Laterality, Report, Style, View, render
from amrg.datasets import Case, Dataset, study_of
from amrg.imaging import ImagingError, hanging_order
from amrg.models import ViewEncoding, frame_for, model_image
from amrg.models.backbones.base import Images, Tensors, Views
from amrg.training.recipe import OmittableFact, Recipe, TargetText

LEARNED, WATCHED = "train", "validation"
MANY, MOST_WORKERS = 200, 8

_OF_A_FINDING: dict[OmittableFact, tuple[str, object]] = {
    OmittableFact.SIZES: ("size_mm", None),
    OmittableFact.VIEWS: ("views", ()),
}

LeftOut = tuple[str, str]
"""A case's key, and why nothing is learned from it."""


@dataclass(frozen=True)
class Example:
    """A case and the text that is to be written of it."""

    case: Case
    text: str

    @property
    def key(self) -> str:
        """The case's own."""
        return self.case.key

    @property
    def reference(self) -> Report:
        """The facts that a draft is compared with."""
        return self.case.reference


def examples_of(dataset: Dataset, keys: Sequence[str], recipe: Recipe) -> tuple[list[Example], list[LeftOut]]:
    """Cases in their order, and those that have no text to learn."""
    found = [Example(case, target_text(case, recipe)) for case in map(dataset.case, keys)]
    empty = [(lesson.key, "its report has no text") for lesson in found if not lesson.text.strip()]
    return [lesson for lesson in found if lesson.text.strip()], empty


def target_text(case: Case, recipe: Recipe) -> str:
    """The reference as published, or its facts in a house style's plainest wording, but for those left untold."""
    if recipe.target_text is TargetText.PUBLISHED:
        return case.text
    return render(_told(case.reference, recipe.omit), Style(recipe.target_text.value))


def _told(report: Report, untold: Sequence[OmittableFact]) -> Report:
    """A report without what is left untold."""
    cut = {name: empty for fact, (name, empty) in _OF_A_FINDING.items() if fact in untold}
    findings = tuple(finding.model_copy(update=cut) for finding in report.findings)
    indication = None if OmittableFact.INDICATION in untold else report.indication
    return report.model_copy(update={"findings": findings, "indication": indication})


@dataclass(frozen=True)
class Framing:
    """A case whose pictures, below `root`, are to be made as a model is shown them."""

    case: Case
    root: Path
    encoding: ViewEncoding

    def pictures(self) -> tuple[Views, Images]:
        """The views in hanging order, and their pictures uint8 [size, size, 3] as drafting makes them.

        Raises:
            ImagingError: there is no picture, or one that cannot be read.
        """
        mammograms = hanging_order(study_of(self.case, self.root))
        pictures = [model_image(frame_for(m, self.encoding), m.laterality, self.encoding) for m in mammograms]
        return [(m.laterality, m.view) for m in mammograms], pictures


def as_tensors(views: Views, pictures: Images) -> Tensors:
    """Views and pictures as they are stored: one channel where all three are the same."""
    stacked = np.stack(list(pictures))
    grey = bool((stacked == stacked[..., :1]).all())
    named = " ".join(f"{side.value} {view.value}" for side, view in views).encode()
    return {
        "pictures": torch.from_numpy(np.ascontiguousarray(stacked[..., :1] if grey else stacked)),
        "views": torch.tensor(list(named), dtype=torch.uint8),
    }


def from_tensors(stored: Tensors) -> tuple[Views, Images]:
    """The way back."""
    words = bytes(stored["views"].tolist()).decode().split()
    views = [(Laterality(side), View(view)) for side, view in zip(words[::2], words[1::2], strict=True)]
    whole = stored["pictures"].expand(-1, -1, -1, 3).numpy()
    return views, [np.ascontiguousarray(one) for one in whole]


@dataclass
class ExampleReader:
    """Reads the pictures of cases; `unread` holds those that cannot be read, each with the one line why.

    Many cases are read by several processes, for decoding takes most of the time; the result is the same.
    """

    cases: Mapping[str, Case]
    root: Path
    encoding: ViewEncoding
    workers: int | None = None
    unread: dict[str, str] = field(default_factory=dict)

    def read(self, keys: Sequence[str]) -> Iterator[Tensors | None]:
        """Views and pictures of cases in turn as they are stored, None where they cannot be read."""
        framings = [Framing(self.cases[key], self.root, self.encoding) for key in keys]
        workers = _workers(len(keys)) if self.workers is None else self.workers
        for key, found in zip(keys, _framed(framings, workers), strict=True):
            if isinstance(found, str):
                self.unread[key] = found
            yield None if isinstance(found, str) else as_tensors(*found)


def _workers(cases: int) -> int:
    """Processes that are worth their start: none beside this one for few cases, at most `MOST_WORKERS`."""
    return min(MOST_WORKERS, (os.cpu_count() or 1) // 2) if cases >= MANY else 1


def _framed(framings: Sequence[Framing], workers: int) -> Iterator[tuple[Views, Images] | str]:
    """Views and pictures of cases in turn, or why they cannot be read."""
    if workers < 2:
        yield from map(_frame, framings)
        return
    with get_context("spawn").Pool(workers) as pool:
        yield from pool.imap(_frame, framings)


def _frame(framing: Framing) -> tuple[Views, Images] | str:
    try:
        return framing.pictures()
    except ImagingError as error:
        return " ".join(str(error).split())
