"""What a draft leaves behind: a file a format in a folder a study, and the draft as plain text."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from amrg.birads import Draft
from amrg.birads.draft import NOTES_HEADING
from amrg.generation.report_image import report_picture
from amrg.imaging import Study


def render_draft(draft: Draft) -> str:
    """The draft as plain text: banner, report, and what the report alone does not say."""
    notes = list(draft.notes())
    lines = [*draft.banner, "", draft.text.rstrip(), *(["", NOTES_HEADING, *notes] if notes else [])]
    return "\n".join(lines) + "\n"


@dataclass(frozen=True)
class OutputFormat:
    """A format of drafts: its file's name, and what writes it."""

    file: str
    write: Callable[[Study, Draft, Path], None]


def _write_text(study: Study, draft: Draft, path: Path) -> None:
    path.write_text(render_draft(draft), encoding="utf-8")


def _write_json(study: Study, draft: Draft, path: Path) -> None:
    path.write_text(draft.model_dump_json(indent=2) + "\n", encoding="utf-8")


def _write_png(study: Study, draft: Draft, path: Path) -> None:
    report_picture(study, draft).save(path, format="PNG")


FORMATS: Mapping[str, OutputFormat] = {
    "text": OutputFormat("report.txt", _write_text),
    "json": OutputFormat("report.json", _write_json),
    "png": OutputFormat("report.png", _write_png),
}
"""Every format by its name, as `--format` takes it."""


def write_draft(study: Study, draft: Draft, folder: Path, formats: Sequence[str]) -> Path:
    """Write a draft in some of `FORMATS` into a folder named by the study's UID; returns that folder.

    Raises:
        ImagingError: a view's file is gone or no longer readable.
    """
    place = folder / study.study_instance_uid
    place.mkdir(parents=True, exist_ok=True)
    for name in formats:
        FORMATS[name].write(study, draft, place / FORMATS[name].file)
    return place
