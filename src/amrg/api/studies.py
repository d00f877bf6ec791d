"""`amrg.read` and `amrg.draft`: a path to studies, a study to its draft."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

from amrg.birads import Draft, Style
from amrg.generation import Engine, draft_report
from amrg.generation.engines.loading import load_engine
from amrg.imaging import Intake, Study, in_order_of_date, read_studies


def read(path: str | os.PathLike[str]) -> Intake:
    """All studies at a path, in order of date: a folder, a zip, a DICOMDIR or one file.

    `set_aside` and `problems` of the result name every file that is part of no study, with the reason.

    Raises:
        ImagingError: the path itself cannot be read (missing, empty, a broken archive).
    """
    intake = read_studies(Path(path))
    return intake.model_copy(update={"studies": tuple(in_order_of_date(intake.studies))})


def draft(study: Study, engine: Engine | None = None, *, style: Style | str = "clinical", force: bool = False) -> Draft:
    """Draft the report of a study with an engine of `amrg.load_engine` (None: the embedded model, loaded once).

    For many studies use `amrg.draft_studies`: it takes as many together as the engine can.

    Raises:
        NotAMammogram: an image does not look like a mammogram, and `force` is not set.
        ImagingError: a view's file is gone or no longer readable, or there is no view.
        NoAnswer: the engine gave no complete answer.
        ModelError: the model cannot be loaded.
        ValueError: there is no such style.
    """
    return draft_report(study, engine or _embedded(), Style(style), force)


@cache
def _embedded() -> Engine:
    return load_engine()
