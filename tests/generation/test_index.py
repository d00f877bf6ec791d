"""The index of an input's files holds every name that a disk can have."""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path

from amrg.generation.bulk.index import StudyIndex
from amrg.imaging.scanning import ScannedFile


def test_names_that_are_not_utf_8_come_back_as_they_were() -> None:
    odd = Path(os.fsdecode(b"exam/M\xfcller_LCC.png"))
    files = [ScannedFile(odd), ScannedFile(Path("exam/RCC.png")), ScannedFile(Path("a/1.dcm"), "1.2", "hash")]
    with closing(StudyIndex(files)) as index:
        tasks = list(index.tasks())
    assert sorted(file for task in tasks for file in task.files) == sorted(file.path for file in files)
    assert len({task.name for task in tasks}) == 3
