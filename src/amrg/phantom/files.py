"""Exams as folders of DICOM files, and sets of them with one `cases.jsonl` of truth."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from amrg.imaging.writing import MammogramToWrite, write_mammogram
from amrg.phantom.exam import DrawnView, PhantomExam, draw_exam
from amrg.phantom.population import SCREENING, Population, Size

SCHEMA = 1
CASES = "cases.jsonl"


class PhantomError(ValueError):
    """A set that cannot be drawn as asked."""


@dataclass(frozen=True)
class SetProgress:
    """One study of a set that is on disk: its index, how many there will be, its folder, its line of truth."""

    index: int
    count: int
    folder: Path
    case: dict[str, Any]


def write_exam(exam: PhantomExam, folder: Path) -> list[Path]:
    """Write an exam as four MG DICOM files named RCC.dcm, LCC.dcm, RMLO.dcm, LMLO.dcm; returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for number, view in enumerate(exam.views, start=1):
        path = folder / f"{view.laterality.value}{view.view.value}.dcm"
        write_mammogram(path, _to_write(exam, view, number))
        paths.append(path)
    return paths


def _to_write(exam: PhantomExam, view: DrawnView, number: int) -> MammogramToWrite:
    """A drawn view with the identity of its study."""
    return MammogramToWrite(
        pixels=view.pixels,
        laterality=view.laterality,
        view=view.view,
        spacing_mm=view.spacing_mm,
        bits_stored=view.bits_stored,
        study_key=f"amrg-phantom-{exam.seed}-{view.spacing_mm}",
        patient_id=f"PHANTOM-{exam.seed}",
        number=number,
    )


def case_of(exam: PhantomExam, size: Size, folder: str) -> dict[str, Any]:
    """The line of `cases.jsonl` for an exam; the schema is in docs/phantom.md."""
    return {
        "schema": SCHEMA,
        "seed": exam.seed,
        "size": size.value,
        "folder": folder,
        "views": [
            {
                "file": f"{folder}/{v.laterality.value}{v.view.value}.dcm",
                "laterality": v.laterality.value,
                "view": v.view.value,
                "rows": v.pixels.shape[0],
                "columns": v.pixels.shape[1],
                "spacing_mm": v.spacing_mm,
                "lesions": [
                    {
                        "finding": x.finding,
                        "box": [x.box.left, x.box.top, x.box.right, x.box.bottom],
                        "contrast_to_noise": round(x.contrast_to_noise, 3),
                    }
                    for x in v.lesions
                ],
            }
            for v in exam.views
        ],
        "truth": exam.truth.model_dump(mode="json", exclude_defaults=True),
    }


def draw_set(
    count: int, seed: int, out: Path, size: Size = Size.FULL, population: Population = SCREENING
) -> Iterator[SetProgress]:
    """Draw `count` exams of seeds `seed`, `seed` + 1, ... into `out`, a folder a study, and `cases.jsonl`.

    Yields each study as it is on disk. A set broken off goes on where it stopped and ends with the same bytes; a
    whole set is left as it is.

    Raises:
        PhantomError: `count` is not positive, or `out` holds a set of another seed or size.
    """
    if count < 1:
        raise PhantomError(f"count is {count}, expected 1 or more: how many exams to draw")
    out.mkdir(parents=True, exist_ok=True)
    done = _done(out / CASES, seed, size)
    with (out / CASES).open("w", encoding="utf-8") as lines:
        for index in range(count):
            folder = f"study-{seed + index:07d}"
            case = done.get(index)
            if case is None:
                exam = draw_exam(seed + index, size, population)
                write_exam(exam, out / folder)
                case = case_of(exam, size, folder)
            lines.write(json.dumps(case) + "\n")
            lines.flush()
            yield SetProgress(index, count, out / folder, case)


def _done(path: Path, seed: int, size: Size) -> dict[int, dict[str, Any]]:
    """The whole lines of an earlier run, by index."""
    if not path.is_file():
        return {}
    done = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            case = json.loads(line)
        except json.JSONDecodeError:
            continue  # the line that the earlier run was writing when it stopped
        if case.get("size") != size.value or case.get("seed", -1) < seed:
            raise PhantomError(
                f"{path}: holds seed {case.get('seed')} at size {case.get('size')}, expected seed {seed} on at size "
                f"{size.value}: another set lies there; name an empty folder or the same seed and size"
            )
        done[case["seed"] - seed] = case
    return done
