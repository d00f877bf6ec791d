"""A model that reads one thing of its images, which breast has something bright, and a set of exams to read."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from amrg.birads import (
    Assessment,
    Category,
    Composition,
    Finding,
    Kind,
    Laterality,
    Quadrant,
    Report,
    View,
    render,
)
from amrg.birads.report import Location
from amrg.datasets import Dataset, Split, import_dataset, importer_of, open_dataset
from amrg.generation.engines.base import GREEDY, Generation, ModelIdentity, Request
from amrg.imaging import MammogramToWrite, write_mammogram
from amrg.models.settings import ModelSettings
from amrg.models.views import Hanging, ViewEncoding
from tests.datasets.small_images import COLUMNS, ROWS, breast

VIEWS = [(side, view) for view in (View.CC, View.MLO) for side in Laterality]
SETTINGS = ModelSettings(encoding=ViewEncoding(size=32, hanging=Hanging.CHEST_WALL_LEFT))


class Stopped(Exception):
    """Interrupts a run."""


@dataclass
class Reader:
    """An engine. Is interrupted at its `stops`-th text; `read` counts those it wrote."""

    stops: int = 0
    read: int = 0
    name: str = "reader"
    settings: ModelSettings = SETTINGS
    max_batch: int = 1
    notes: tuple[str, ...] = ()
    decoding: str = GREEDY

    @property
    def identity(self) -> ModelIdentity:
        """Pinned, so that runs of it are equal."""
        return ModelIdentity(name=self.name, weights="0" * 64, device="cpu", dtype="float32", chat_template="0" * 64)

    def generate(self, requests: Sequence[Request]) -> Iterator[Generation]:
        """A mass in the breast where something bright is."""
        for request in requests:
            if self.stops and self.read + 1 == self.stops:
                raise Stopped
            self.read += 1
            views = zip(request.views, request.images, strict=True)
            bright = {side for (side, _), image in views if _has_mass(image)}
            yield Generation(render(truth(min(bright) if bright else None)))

    def confirm(self) -> None:
        """Always so."""


def _has_mass(image: npt.NDArray[np.uint8]) -> bool:
    """Whether some of the image is far brighter than most of the breast."""
    inside = image[image > 8]
    return bool(inside.size) and float(inside.max()) > 2.5 * float(np.median(inside))


def truth(side: Laterality | None) -> Report:
    """The report of an exam with a mass on one side, or on none."""
    mass = (
        () if side is None else (Finding(kind=Kind.MASS, laterality=side, location=Location(quadrant=Quadrant.OUTER)),)
    )
    return Report(
        composition=Composition.B,
        findings=mass,
        assessments=tuple(
            Assessment(category=Category.SUSPICIOUS if s is side else Category.NEGATIVE, laterality=s)
            for s in Laterality
        ),
    )


def draw(folder: Path, sides: Sequence[Laterality | None], first: int = 0) -> Path:
    """Exams in the layout of `amrg phantom`, each with a bright square in one breast, or in none."""
    lines = []
    for number, side in enumerate(sides, first):
        name = f"study-{number}"
        views = []
        for laterality, view in VIEWS:
            path = folder / name / f"{laterality}{view}.dcm"
            path.parent.mkdir(parents=True, exist_ok=True)
            pixels = _with_mass(breast(laterality), number) if laterality is side else breast(laterality)
            write_mammogram(path, MammogramToWrite(pixels, laterality, view, 0.4, 12, name, name))
            views.append({"file": f"{name}/{path.name}", "laterality": laterality.value, "view": view.value})
        case = {"schema": 1, "seed": number, "size": "tiny", "population": "drawn", "folder": name, "views": views}
        lines.append({**case, "study_instance_uid": name, "truth": truth(side).model_dump(mode="json")})
    (folder / "cases.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return folder


def _with_mass(pixels: npt.NDArray[np.uint16], number: int) -> npt.NDArray[np.uint16]:
    """A bright square, for each exam at its own height."""
    rows = slice(ROWS // 3 + 3 * number, ROWS // 3 + 3 * number + 24)
    middle = COLUMNS // 2
    marked = pixels.copy()
    marked[rows, middle - 12 : middle + 12] = 4000
    return marked


def imported(folder: Path, out: Path, train: int) -> Dataset:
    """The exams as a data set with a split `some`: the first `train` exams to train on, the others to test on."""
    list(import_dataset(importer_of("phantom"), folder, out))
    dataset = open_dataset(out)
    keys = dataset.keys()
    dataset.write_split(
        Split(
            schema=1,
            name="some",
            version=1,
            seed=None,
            rule="the first exams train",
            dataset=dataset.info.name,
            dataset_hash=dataset.info.hash,
            train=keys[:train],
            validation=(),
            test=keys[train:],
        )
    )
    return dataset
