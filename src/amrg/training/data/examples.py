"""The cases of a split as training needs them: the target text, and the model's input images.

Only the cases of the parts that are named are read, and the test part is never named.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from amrg.birads import AnswerForm, Laterality, Report, Style, View
from amrg.core.cores import available_cores
from amrg.core.processes import ProcessEnded, ProcessPool
from amrg.datasets import Case, Dataset, study_of
from amrg.datasets.tables.labels import list_known, render_known
from amrg.imaging import ImagingError, hanging_order
from amrg.models import ViewEncoding, frame_for, model_image
from amrg.models.backbones.base import Images, Tensors, Views
from amrg.training.recipe import OmittableFact, Recipe, TargetText

TRAIN, VALIDATION = "train", "validation"
PARALLEL_FROM, MAX_WORKERS = 200, 8
"""Cases from which images are read by several processes, and by how many at most."""

_OF_A_FINDING: dict[OmittableFact, tuple[str, object]] = {
    OmittableFact.SIZES: ("size_mm", None),
    OmittableFact.VIEWS: ("views", ()),
}

SkippedCase = tuple[str, str]
"""A case's key, and why it is not used."""


@dataclass(frozen=True)
class Example:
    """A case and its target text. `listed`: the text begins with a findings list."""

    case: Case
    text: str
    listed: bool = False

    @property
    def key(self) -> str:
        """The case's own."""
        return self.case.key

    @property
    def reference(self) -> Report:
        """The facts that a draft is compared with."""
        return self.case.reference


def build_examples(
    dataset: Dataset, keys: Sequence[str], recipe: Recipe, answer: AnswerForm
) -> tuple[list[Example], list[SkippedCase]]:
    """The examples of some cases in their order, and the cases without a target text, each with the reason.

    Findings first, a case whose reference states no fact has the narrative alone as its target.
    """
    found, skipped = [], []
    for case in map(dataset.case, keys):
        if case.unread is not None and recipe.target_text is not TargetText.PUBLISHED:
            skipped.append((case.key, f"its report was not read: {case.unread}"))
        elif not (text := target_text(case, recipe)).strip():
            skipped.append((case.key, "its report has no text"))
        else:
            listed = findings_list(case, recipe) if answer is AnswerForm.FINDINGS_FIRST else ""
            found.append(Example(case, listed + text, bool(listed)))
    return found, skipped


def target_text(case: Case, recipe: Recipe) -> str:
    """The reference as published, or its facts without the omitted ones, rendered in a report style."""
    if recipe.target_text is TargetText.PUBLISHED:
        return case.text
    return render_known(_without(case.reference, recipe.omit), Style(recipe.target_text.value), case.notes)


def findings_list(case: Case, recipe: Recipe) -> str:
    """The facts of a reference without the omitted ones as a findings list; empty where it states none."""
    report = _without(case.reference, recipe.omit)
    stated = report.findings or report.assessments or report.composition is not None
    return list_known(report, case.notes) if stated else ""


def _without(report: Report, omit: Sequence[OmittableFact]) -> Report:
    """A report without the omitted facts."""
    cut = {name: empty for fact, (name, empty) in _OF_A_FINDING.items() if fact in omit}
    findings = tuple(finding.model_copy(update=cut) for finding in report.findings)
    indication = None if OmittableFact.INDICATION in omit else report.indication
    return report.model_copy(update={"findings": findings, "indication": indication})


@dataclass(frozen=True)
class FramingJob:
    """A case, in files below `root`, whose input images are to be made."""

    case: Case
    root: Path
    encoding: ViewEncoding

    def images(self) -> tuple[Views, Images]:
        """The views in hanging order, and their images uint8 [size, size, 3], as in drafting.

        Raises:
            ImagingError: there is no image, or one that cannot be read.
        """
        mammograms = hanging_order(study_of(self.case, self.root))
        images = [model_image(frame_for(m, self.encoding), m.laterality, self.encoding) for m in mammograms]
        return [(m.laterality, m.view) for m in mammograms], images


def as_tensors(views: Views, images: Images) -> Tensors:
    """Views and images as they are stored: one channel if all three are equal."""
    stacked = np.stack(list(images))
    grey = bool((stacked == stacked[..., :1]).all())
    names = " ".join(f"{side.value} {view.value}" for side, view in views).encode()
    return {
        "images": torch.from_numpy(np.ascontiguousarray(stacked[..., :1] if grey else stacked)),
        "views": torch.tensor(list(names), dtype=torch.uint8),
    }


def from_tensors(stored: Tensors) -> tuple[Views, Images]:
    """The inverse of `as_tensors`."""
    names = bytes(stored["views"].tolist()).decode().split()
    views = [(Laterality(side), View(view)) for side, view in zip(names[::2], names[1::2], strict=True)]
    images = stored["images"].expand(-1, -1, -1, 3).numpy()
    return views, [np.ascontiguousarray(image) for image in images]


@dataclass
class ExampleReader:
    """Reads the images of cases; `unreadable` has the cases that failed, each with the one-line reason.

    Many cases are read by several processes, because decoding takes most of the time; the result is the same.
    """

    cases: Mapping[str, Case]
    root: Path
    encoding: ViewEncoding
    workers: int | None = None
    unreadable: dict[str, str] = field(default_factory=dict)

    def read(self, keys: Sequence[str]) -> Iterator[Tensors | None]:
        """Views and images of cases in order, as they are stored; None if a case cannot be read."""
        jobs = [FramingJob(self.cases[key], self.root, self.encoding) for key in keys]
        workers = _workers(len(keys)) if self.workers is None else self.workers
        for key, found in zip(keys, _run(jobs, workers), strict=True):
            if isinstance(found, str):
                self.unreadable[key] = found.removeprefix(f"{key}: ")
            yield None if isinstance(found, str) else as_tensors(*found)


def _workers(cases: int) -> int:
    """The number of processes: one for few cases, at most `MAX_WORKERS`."""
    return min(MAX_WORKERS, available_cores() // 2) if cases >= PARALLEL_FROM else 1


def _run(jobs: Sequence[FramingJob], workers: int) -> Iterator[tuple[Views, Images] | str]:
    """Views and images of cases in order, or why they cannot be read."""
    if workers < 2:
        yield from map(_frame, jobs)
        return
    with ProcessPool(_frame, workers) as pool:
        for job, found in zip(jobs, pool.map(jobs), strict=True):
            yield _frame_apart(job) if isinstance(found, ProcessEnded) else found


def _frame_apart(job: FramingJob) -> tuple[Views, Images] | str:
    """A case over which a process ended, in a process of its own: memory may have run out over another."""
    with ProcessPool(_frame, 1) as pool:
        (found,) = pool.map([job])
    if isinstance(found, ProcessEnded):
        return f"{job.case.key}: its images ended two processes that read them ({found.how})"
    return found


def _frame(job: FramingJob) -> tuple[Views, Images] | str:
    try:
        return job.images()
    except ImagingError as error:
        return " ".join(str(error).split())
