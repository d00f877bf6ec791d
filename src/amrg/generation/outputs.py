"""What a draft leaves behind: a file a format in a folder a study, and the draft as plain text."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from amrg.birads import Draft
from amrg.birads.text.draft_lines import NOTES_HEADING
from amrg.core.hashing import sha256_of_text
from amrg.generation.report_image import report_picture
from amrg.generation.saving import Saved, WrittenFrom, read_manifest, save, withdraw
from amrg.imaging import Study
from amrg.imaging.containers import DRAFT_PICTURE


def render_draft(draft: Draft) -> str:
    """The draft as plain text: banner, what it is a draft of, report, and what the report alone does not say."""
    notes = list(draft.notes())
    facts = list(draft.facts())
    lines = [
        *draft.banner,
        *([""] if facts else []),
        *facts,
        "",
        draft.text.rstrip(),
        *(["", NOTES_HEADING, *notes] if notes else []),
    ]
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
    report_picture(study, draft).save(buffer, format="PNG", compress_level=3)  # as small as 6, in half of the time
    return buffer.getvalue()


FORMATS: Mapping[str, OutputFormat] = {
    "text": OutputFormat("report.txt", _text),
    "json": OutputFormat("report.json", _json),
    "png": OutputFormat(DRAFT_PICTURE, _png),
}
"""Every format by its name, as `--format` takes it."""
_FILES = tuple(form.file for form in FORMATS.values())


def write_draft(study: Study, draft: Draft, folder: Path, formats: Sequence[str] = tuple(FORMATS)) -> Saved:
    """Write a draft in some of `FORMATS` (all by default) into the folder of its study, `study_folder`.

    A file that a person changed is left, with the other files of its draft: then nothing of another draft is written.
    Without one, files of an earlier draft in formats that are not written now are removed.

    Raises:
        ImagingError: a view's file is gone or no longer readable.
    """
    contents = {FORMATS[name].file: FORMATS[name].content(study, draft) for name in formats}
    document = WrittenFrom(sha256_of_text(draft.model_dump_json()), study.patient_key)
    return save(study_folder(study, folder), contents, document, _FILES)


def withdraw_draft(study: Study, folder: Path) -> Saved:
    """Remove an earlier draft of a study that gets none now; a file that a person changed is left."""
    return withdraw_folder(study_folder(study, folder))


def withdraw_folder(folder: Path) -> Saved:
    """Remove the draft in a study's folder; a file that a person changed is left."""
    return withdraw(folder, _FILES)


def study_folder(study: Study, folder: Path) -> Path:
    """Where the draft of a study is written: a folder named by its UID, with the patient key where that is another's.

    A Study Instance UID is unique in theory: copies, test sets and broken anonymisers give one to two patients.
    """
    own = folder / study.study_instance_uid
    owner = read_manifest(own).owner
    return own if owner in ("", study.patient_key) else folder / f"{study.study_instance_uid}-{study.patient_key}"
