"""From a path to studies: every file read, set aside or named as a problem, and grouped by examination."""

from __future__ import annotations

import datetime
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pydicom.dataset import Dataset

from amrg.core.hashing import sha256_of_text
from amrg.imaging.containers import files_of
from amrg.imaging.decoding import IMAGE_ENDINGS, read_header
from amrg.imaging.errors import ImagingError
from amrg.imaging.reading import read_dicom, read_plain_image
from amrg.imaging.screening import set_aside_reason
from amrg.imaging.study import Intake, Intent, Mammogram, Problem, SetAside, Study

# CBIS-DDSM gives every view a study and a patient of its own: `Mass-Test_P_00173_LEFT_CC`.
_PER_VIEW_ID = re.compile(r"^(?P<patient>.+?)_(?:LEFT|RIGHT)_(?:CC|MLO)(?:_\d+)?$")


@dataclass(frozen=True)
class _Read:
    """One mammogram with what groups it."""

    mammogram: Mammogram
    patient: str
    study: str
    date: datetime.date | None


def read_studies(path: Path) -> Intake:
    """Read all files of a path. One bad file never loses the rest.

    Raises:
        ImagingError: the path itself cannot be read (missing, empty, a broken archive).
    """
    read: list[_Read] = []
    aside: list[SetAside] = []
    problems: list[Problem] = []
    for file in files_of(path):
        try:
            found = _read_file(file)
        except ImagingError as error:
            problems.append(Problem(file=file.name, message=str(error)))
            continue
        if isinstance(found, SetAside):
            aside.append(found)
        else:
            read.append(found)
    studies, spare = _group_studies(read)
    return Intake(studies=_with_priors(studies), set_aside=(*aside, *spare), problems=tuple(problems))


def _read_file(file: Path) -> _Read | SetAside:
    """One file as a mammogram with its group, or set aside."""
    if file.suffix.lower() in IMAGE_ENDINGS:
        folder = str(file.parent.resolve())
        return _Read(read_plain_image(file), folder, folder, None)
    header = read_header(file)
    if (reason := set_aside_reason(header)) is not None:
        return SetAside(file=file.name, reason=reason)
    patient = str(header.get("PatientID", "") or "")
    study = str(header.get("StudyInstanceUID", "") or file.parent.resolve())
    if (per_view := _PER_VIEW_ID.match(patient)) is not None:
        patient = study = per_view["patient"]
    return _Read(read_dicom(file, header), patient, study, _date(header))


def _date(header: Dataset) -> datetime.date | None:
    """Study Date (0008,0020), or None where absent or malformed."""
    try:
        return datetime.datetime.strptime(str(header.get("StudyDate", "")), "%Y%m%d").date()
    except ValueError:
        return None


def _group_studies(read: list[_Read]) -> tuple[list[Study], list[SetAside]]:
    """Mammograms by patient and study, one a view; spare ones are set aside by name."""
    groups: dict[tuple[str, str], list[_Read]] = defaultdict(list)
    for one in read:
        groups[(one.patient, one.study)].append(one)
    studies, spare = [], []
    for (patient, key), members in groups.items():
        chosen, spare_views = best_of_each_view([m.mammogram for m in members])
        spare += [SetAside(file=m.source.name, reason=_duplicate_reason(m)) for m in spare_views]
        dates = [m.date for m in members if m.date is not None]
        uid = key if re.fullmatch(r"[\d.]+", key) else "2.25." + str(int(sha256_of_text(key)[:30], 16))
        studies.append(
            Study(
                study_instance_uid=uid,
                patient_key=sha256_of_text(patient)[:16],
                date=min(dates, default=None),
                mammograms=tuple(chosen),
            )
        )
    return sorted(studies, key=lambda s: (s.patient_key, s.date or datetime.date.min, s.study_instance_uid)), spare


def best_of_each_view(mammograms: list[Mammogram]) -> tuple[list[Mammogram], list[Mammogram]]:
    """The best of every view (for presentation before for processing, then the most pixels), and the others."""
    best: dict[tuple[str, str], Mammogram] = {}
    ordered = sorted(mammograms, key=_goodness)
    for m in ordered:
        best.setdefault((m.laterality, m.view), m)
    chosen = sorted(best.values(), key=lambda m: (m.view != "CC", m.view, m.laterality != "R"))
    return chosen, [m for m in ordered if m not in chosen]


def _goodness(m: Mammogram) -> tuple[bool, int, str]:
    return m.intent is Intent.FOR_PROCESSING, -m.rows * m.columns, m.source.name


def _duplicate_reason(m: Mammogram) -> str:
    return f"a second {m.laterality}{m.view}: the image for presentation, or else the largest, is read"


def _with_priors(studies: list[Study]) -> tuple[Study, ...]:
    """Every study with the latest earlier one of its patient as prior."""
    return tuple(study.model_copy(update={"prior": prior}) for study, prior in _pair_with_prior(studies))


def _pair_with_prior(studies: list[Study]) -> Iterator[tuple[Study, Study | None]]:
    for study in studies:
        before = [
            other
            for other in studies
            if other.patient_key == study.patient_key and other.date and study.date and other.date < study.date
        ]
        yield study, max(before, key=lambda s: s.date or datetime.date.min, default=None)
