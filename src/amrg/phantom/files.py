"""Exams as folders of DICOM files, and sets of them with one `cases.jsonl` of truth."""

from __future__ import annotations

import json
from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from amrg.imaging.writing import MammogramToWrite, study_uid, write_mammogram
from amrg.phantom.exam import DrawnView, PhantomExam, draw_exam
from amrg.phantom.population import SCREENING, PhantomError, Population, Size

SCHEMA = 1
CASES = "cases.jsonl"


@dataclass(frozen=True)
class SetProgress:
    """One study of a set that is on disk: its index, the number of studies, its folder, its line of `cases.jsonl`."""

    index: int
    count: int
    folder: Path
    case: dict[str, Any]


def write_exam(exam: PhantomExam, folder: Path) -> list[Path]:
    """Write an exam as four MG DICOM files named RCC.dcm, LCC.dcm, RMLO.dcm, LMLO.dcm; returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for number, view in enumerate(exam.views, start=1):
        path = folder / _file_name(view)
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
        study_key=_study_key(exam),
        patient_id=f"PHANTOM-{exam.seed}{_of_population(exam)}",
        number=number,
    )


def _study_key(exam: PhantomExam) -> str:
    """The key of a drawn study: the same seed at another size or of another population is another study."""
    return f"amrg-phantom-{exam.seed}-{exam.views[0].spacing_mm}{_of_population(exam)}"


def _of_population(exam: PhantomExam) -> str:
    """What distinguishes populations in identifiers; nothing for the default one, so that its sets keep theirs."""
    return "" if exam.population == SCREENING else f"-{exam.population.key}"


def case_of(exam: PhantomExam, size: Size, folder: str) -> dict[str, Any]:
    """The line of `cases.jsonl` for an exam; the schema is in docs/phantom.md."""
    return {
        "schema": SCHEMA,
        "seed": exam.seed,
        "size": size.value,
        "population": exam.population.key,
        "folder": folder,
        "study_instance_uid": study_uid(_study_key(exam)),
        "views": [_view_entry(view, folder) for view in exam.views],
        "truth": exam.truth.model_dump(mode="json", exclude_defaults=True),
    }


def _view_entry(view: DrawnView, folder: str) -> dict[str, Any]:
    """One view's entry in a case."""
    return {
        "file": f"{folder}/{_file_name(view)}",
        "laterality": view.laterality.value,
        "view": view.view.value,
        "rows": view.pixels.shape[0],
        "columns": view.pixels.shape[1],
        "spacing_mm": view.spacing_mm,
        "lesions": [
            {
                "finding": lesion.finding,
                "box": [lesion.box.left, lesion.box.top, lesion.box.right, lesion.box.bottom],
                "contrast_to_noise": round(lesion.contrast_to_noise, 3),
            }
            for lesion in view.lesions
        ],
    }


def _file_name(view: DrawnView) -> str:
    """RCC.dcm and so on."""
    return f"{view.laterality.value}{view.view.value}.dcm"


@dataclass(frozen=True)
class _StudyTask:
    """One study to draw and write."""

    seed: int
    out: Path
    size: Size
    population: Population


def draw_set(
    count: int,
    seed: int,
    out: Path,
    size: Size = Size.FULL,
    population: Population = SCREENING,
    workers: int = 1,
) -> Generator[SetProgress, None, None]:
    """Draw `count` exams of seeds `seed`, `seed` + 1, ... into `out`, a folder a study, and `cases.jsonl`.

    Yields each study once it is on disk. An interrupted set resumes where it stopped and ends with the same bytes,
    for any number of `workers` (processes); studies that exist already are yielded without being drawn again.

    Raises:
        PhantomError: `count` is not positive, `seed` is negative, or `out` contains a different set.
    """
    if count < 1:
        raise PhantomError(f"count: found {count}, expected 1 or more, the number of exams to draw")
    if seed < 0:
        raise PhantomError(f"seed: found {seed}, expected 0 or more")
    out.mkdir(parents=True, exist_ok=True)
    done = _finished_cases(out / CASES, seed, size, population)
    for index, case in enumerate(done[:count]):
        yield SetProgress(index, count, out / case["folder"], case)
    tasks = [_StudyTask(seed + index, out, size, population) for index in range(len(done), count)]
    with (out / CASES).open("a", encoding="utf-8", newline="\n") as lines, closing(_draw_all(tasks, workers)) as cases:
        for index, case in enumerate(cases, start=len(done)):
            lines.write(json.dumps(case) + "\n")
            lines.flush()  # the line marks the study's files as complete, so it is written last and flushed
            yield SetProgress(index, count, out / case["folder"], case)


def _draw_all(tasks: list[_StudyTask], workers: int) -> Generator[dict[str, Any], None, None]:
    """The cases of the tasks in order, their files written."""
    if min(workers, len(tasks)) < 2:
        yield from map(_draw_study, tasks)
        return
    with get_context("spawn").Pool(workers) as pool:
        yield from pool.imap(_draw_study, tasks)


def _draw_study(task: _StudyTask) -> dict[str, Any]:
    """Draw and write one study; returns its case."""
    folder = f"study-{task.seed:08d}"
    exam = draw_exam(task.seed, task.size, task.population)
    write_exam(exam, task.out / folder)
    return case_of(exam, task.size, folder)


def _finished_cases(path: Path, seed: int, size: Size, population: Population) -> list[dict[str, Any]]:
    """The cases that an earlier run finished; the file is cut after the last of them."""
    if not path.is_file():
        return []
    text = path.read_text(encoding="utf-8")
    done: list[dict[str, Any]] = []
    for line in text.splitlines():
        case = _parse_line(line)
        if case is None or not _files_there(path.parent, case):
            break
        _check_same(path, case, (seed + len(done), size.value, population.key))
        done.append(case)
    finished = "".join(json.dumps(case) + "\n" for case in done)
    if finished != text:
        partial = path.with_suffix(".partial")
        partial.write_text(finished, encoding="utf-8", newline="\n")
        partial.replace(path)
    return done


def _parse_line(line: str) -> dict[str, Any] | None:
    """A line as a case, or None where it was written only in part."""
    try:
        case = json.loads(line)
    except json.JSONDecodeError:
        return None
    return case if isinstance(case, dict) else None


def _files_there(folder: Path, case: dict[str, Any]) -> bool:
    """Whether all files of a case exist."""
    return all((folder / view["file"]).is_file() for view in case.get("views", []))


def _check_same(path: Path, case: dict[str, Any], expected: tuple[int, str, str]) -> None:
    """Refuse to resume a different set."""
    names = ("schema", "seed", "size", "population")
    found = dict(zip(names, (case.get(name) for name in names), strict=True))
    requested = dict(zip(names, (SCHEMA, *expected), strict=True))
    if found != requested:
        differing = ", ".join(
            f"{name} {found[name]}, not {requested[name]}" for name in names if found[name] != requested[name]
        )
        raise PhantomError(
            f"{path}: the folder contains a different set ({differing}); use an empty folder, or the same "
            "settings to resume it"
        )
