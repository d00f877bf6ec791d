"""Training exams: phantoms drawn once, framed for the model, and stored as memory-mapped images."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydantic import Field

from amrg.birads import Finding, Laterality, Report, View
from amrg.core.cores import available_cores
from amrg.core.values import Value
from amrg.imaging import frame_breast
from amrg.models.views import ViewEncoding, box_to_image, model_image
from amrg.phantom import (
    ASYMMETRIC,
    FAINT_RICH,
    FAINT_SCREENING,
    RICH,
    SCREENING,
    VARIED_ASYMMETRIC,
    VARIED_RICH,
    VARIED_SCREENING,
    DrawnView,
    PhantomExam,
    Population,
    Size,
    draw_exam,
)

log = logging.getLogger("amrg.training")
POPULATIONS: dict[str, Population] = {
    "screening": SCREENING,
    "rich": RICH,
    "faint-screening": FAINT_SCREENING,
    "faint-rich": FAINT_RICH,
    "varied-screening": VARIED_SCREENING,
    "varied-rich": VARIED_RICH,
    "asymmetric": ASYMMETRIC,
    "varied-asymmetric": VARIED_ASYMMETRIC,
}
SHARD = 50  # exams per shard: the most that an interruption loses per process


@dataclass(frozen=True)
class ViewLesion:
    """A finding in one image: `box` is left, top, right, bottom in image pixels."""

    finding: Finding
    box: tuple[float, float, float, float]


@dataclass(frozen=True)
class DrawJob:
    """One shard to draw: `count` exams from seed `first` on, of a named population."""

    folder: Path
    population: str
    first: int
    count: int
    encoding: ViewEncoding

    @property
    def stem(self) -> Path:
        """Path of the shard without suffixes."""
        return self.folder / f"{self.population}-{self.first:08d}-{self.count}"


@dataclass(frozen=True)
class Shard:
    """Drawn exams in the order RCC, LCC, RMLO, LMLO, and their truth.

    `images` are layers uint8 [exams, 4, size, size, 3] as the tower takes them.
    """

    images: npt.NDArray[np.uint8]
    truths: tuple[Report, ...]
    lesions: tuple[tuple[tuple[ViewLesion, ...], ...], ...]  # exam, view, lesion


VIEW_ORDER: tuple[tuple[Laterality, View], ...] = (
    (Laterality.RIGHT, View.CC),
    (Laterality.LEFT, View.CC),
    (Laterality.RIGHT, View.MLO),
    (Laterality.LEFT, View.MLO),
)


class DrawnExams(Value):
    """Phantoms of one population, a seed each from the first on."""

    population: str
    first_seed: int = Field(ge=0)
    exams: int = Field(gt=0)

    def jobs(self, folder: Path, encoding: ViewEncoding) -> list[DrawJob]:
        """Their shards."""
        end = self.first_seed + self.exams
        starts = range(self.first_seed, end, SHARD)
        return [DrawJob(folder, self.population, s, min(SHARD, end - s), encoding) for s in starts]


def draw_shards(todo: Sequence[DrawJob]) -> None:
    """Draw the missing ones of some shards, a process a core. Same seeds, same bytes."""
    missing = [job for job in todo if not job.stem.with_suffix(".json").is_file()]
    if not missing:
        return
    with get_context("spawn").Pool(min(available_cores(), len(missing))) as pool:
        for done, job in enumerate(pool.imap_unordered(_draw_shard, missing), 1):
            log.info("drawn %d of %d shards (%s)", done, len(missing), job.stem.name)


def _draw_shard(job: DrawJob) -> DrawJob:
    """Draw one shard and write it; the truth file comes last and marks the shard as complete."""
    job.folder.mkdir(parents=True, exist_ok=True)
    size = job.encoding.size
    images = np.empty((job.count, 4, size, size, 3), np.uint8)
    records = []
    for i in range(job.count):
        exam = draw_exam(job.first + i, Size.SMALL, POPULATIONS[job.population])
        lesions = []
        for j, view in enumerate(exam.views):
            images[i, j], visible = frame_drawn(exam, view, job.encoding)
            lesions.append([[s.finding.model_dump(mode="json"), s.box] for s in visible])
        records.append({"truth": exam.truth.model_dump(mode="json"), "lesions": lesions})
    np.save(job.stem.with_suffix(".npy"), images)
    partial = job.stem.with_suffix(".partial")
    partial.write_text(json.dumps(records), encoding="utf-8")
    partial.rename(job.stem.with_suffix(".json"))
    return job


def frame_drawn(
    exam: PhantomExam, view: DrawnView, encoding: ViewEncoding
) -> tuple[npt.NDArray[np.uint8], tuple[ViewLesion, ...]]:
    """One drawn view as the tower takes it, with its lesions in image pixels."""
    top = float(2**view.bits_stored - 1)
    framed = frame_breast(view.pixels.astype(np.float32) / top, view.laterality, encoding.size)
    lesions = tuple(
        ViewLesion(exam.truth.findings[x.finding], box_to_image(x.box, framed, encoding)) for x in view.lesions
    )
    return model_image(framed, view.laterality, encoding), lesions


def load_shard(job: DrawJob) -> Shard:
    """Open a shard; images are memory-mapped."""
    records = json.loads(job.stem.with_suffix(".json").read_text(encoding="utf-8"))
    lesions = tuple(
        tuple(tuple(ViewLesion(Finding.model_validate(f), tuple(b)) for f, b in view) for view in r["lesions"])
        for r in records
    )
    truths = tuple(Report.model_validate(r["truth"]) for r in records)
    return Shard(np.load(job.stem.with_suffix(".npy"), mmap_mode="r"), truths, lesions)
