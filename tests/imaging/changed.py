"""A drawn exam whose files are changed with pydicom: a folder of four views, one of them other than it was."""

from __future__ import annotations

import shutil
import tempfile
import warnings
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import numpy as np
import pydicom

from amrg.birads import Laterality, View
from amrg.imaging import Intake, MammogramToWrite, read_studies, write_mammogram

Change = Callable[[pydicom.Dataset], object]
VIEWS = ("RCC", "LCC", "RMLO", "LMLO")
ROWS, COLUMNS = 200, 160


def breast(name: str) -> np.ndarray:
    """A half ellipse of tissue at the chest wall of a side or view, uint16 [ROWS, COLUMNS], 0 outside, up to 4000."""
    y, x = np.mgrid[:ROWS, :COLUMNS]
    inside = ((y - ROWS / 2) / (0.42 * ROWS)) ** 2 + (x / (0.7 * COLUMNS)) ** 2
    image = np.where(inside < 1, 4000 - 3000 * inside, 0).astype(np.uint16)
    return image[:, ::-1].copy() if name.startswith("R") else image


def write_exam(folder: Path, key: str = "changed", draw: Callable[[str], np.ndarray] = breast) -> Path:
    """Four views in a folder, each drawn by its name."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in _exam(key, draw).items():
        (folder / name).write_bytes(content)
    return folder


@lru_cache(maxsize=32)
def _exam(key: str, draw: Callable[[str], np.ndarray]) -> dict[str, bytes]:
    """The files of an exam, which hundreds of tests begin with, by name: written once."""
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for number, name in enumerate(VIEWS, 1):
            side, view = Laterality(name[0]), View(name[1:])
            to_write = MammogramToWrite(draw(name), side, view, 0.4, 12, key, "1001", number=number)
            file = Path(folder) / f"{name}.dcm"
            write_mammogram(file, to_write)
            found[file.name] = file.read_bytes()
    return found


def change(path: Path, how: Change, to: Path | None = None) -> Path:
    """Change a file in place, or as another file."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # values that the standard does not allow are what is tried
        ds = pydicom.dcmread(path)
        how(ds)
        ds.save_as(to or path)
    return to or path


def change_all(folder: Path, how: Change) -> Path:
    """Change all files of a folder in place."""
    for path in sorted(folder.glob("*.dcm")):
        change(path, how)
    return folder


def put(**attributes: object) -> Change:
    """A change that sets attributes."""

    def how(ds: pydicom.Dataset) -> None:
        for name, value in attributes.items():
            setattr(ds, name, value)

    return how


def put_raw(keyword: str, vr: str, value: bytes) -> Change:
    """A change that sets the bytes of an element, whatever they mean."""

    def how(ds: pydicom.Dataset) -> None:
        tag = pydicom.tag.Tag(keyword)
        ds[tag] = pydicom.dataelem.RawDataElement(tag, vr, len(value), value, 0, False, True)

    return how


def read_changed(tmp_path: Path, how: Change, name: str = "RCC") -> Intake:
    """An exam of four views, one of them changed."""
    folder = write_exam(tmp_path / "exam")
    change(folder / f"{name}.dcm", how)
    return read_studies(folder)


def copied(folder: Path, to: Path) -> Path:
    """Another folder with the same files."""
    shutil.copytree(folder, to)
    return to
