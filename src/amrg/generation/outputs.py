"""What a draft leaves behind: a file a format in a folder a study, and the draft as plain text."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from amrg.birads import Draft
from amrg.birads.draft import NOTES_HEADING
from amrg.core.hashing import sha256_of_text
from amrg.generation.report_image import report_picture
from amrg.generation.saving import Saved, save
from amrg.imaging import Study


def render_draft(draft: Draft) -> str:
    """The draft as plain text: banner, what it is a draft of, report, and what the report alone does not say."""
    notes = list(draft.notes())
    study = [] if draft.study is None else ["", *draft.study.lines()]
    lines = [*draft.banner, *study, "", draft.text.rstrip(), *(["", NOTES_HEADING, *notes] if notes else [])]
    return "\n".join(lines) + "\n"


@dataclass(frozen=True)
class OutputFormat:
    """A format of drafts: its file's name, and its content for a draft."""

    file: str
    content: Callable[[Study, Draft], bytes]


def _text(study: Study, draft: Draft) -> bytes:
    return render_draft(draft).encode()


def _json(study: Study, draft: Draft) -> bytes:
    return (draft.model_dump_json(indent=2) + "\n").encode()


def _png(study: Study, draft: Draft) -> bytes:
    buffer = BytesIO()
    report_picture(study, draft).save(buffer, format="PNG")
    return buffer.getvalue()


FORMATS: Mapping[str, OutputFormat] = {
    "text": OutputFormat("report.txt", _text),
    "json": OutputFormat("report.json", _json),
    "png": OutputFormat("report.png", _png),
}
"""Every format by its name, as `--format` takes it."""


def write_draft(study: Study, draft: Draft, folder: Path, formats: Sequence[str]) -> Saved:
    """Write a draft in some of `FORMATS` into a folder named by the study's UID.

    A file that a person changed is left; files of an earlier draft in formats that are not written now are removed.

    Raises:
        ImagingError: a view's file is gone or no longer readable.
    """
    contents = {FORMATS[name].file: FORMATS[name].content(study, draft) for name in formats}
    known = [form.file for form in FORMATS.values()]
    return save(folder / study.study_instance_uid, contents, sha256_of_text(draft.model_dump_json()), known)
