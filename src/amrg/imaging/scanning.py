"""Which study and patient each file belongs to, by its header alone: pixels are not decoded."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from amrg.core.hashing import sha256_of_text
from amrg.imaging.errors import ImagingError, named_errors
from amrg.imaging.evidence.patients import date_in, patient_of
from amrg.imaging.header import read_header
from amrg.imaging.intake import study_key, study_key_by_name
from amrg.imaging.pixels.decoding import IMAGE_ENDINGS


@dataclass(frozen=True)
class ScannedFile:
    """A file with its study's UID, a hash of its PatientID and its study date (`2020-01-31`), each empty if unknown.

    Files of one study, and studies of one patient, must be read together: a study's notes name the patient's others.
    """

    path: Path
    study: str = ""
    patient: str = ""
    date: str = ""


def scan_file(path: Path) -> ScannedFile:
    """What a file belongs to; nothing where its header cannot be read."""
    if path.suffix.lower() in IMAGE_ENDINGS:
        return ScannedFile(path, study_key_by_name(path).uid)
    try:
        with named_errors(path):
            header = read_header(path)
            identifier, date = patient_of(header).identifier, date_in(header.text("StudyDate"))
            return ScannedFile(
                path,
                study_key(header, path).uid,
                sha256_of_text(identifier) if identifier else "",
                "" if date is None else date.isoformat(),
            )
    except ImagingError:
        return ScannedFile(path)
