"""From a path to studies: every file read, set aside or named as a problem, and grouped by examination."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from amrg.core.processes import ProcessEnded, ProcessPool
from amrg.core.threads import map_in_threads
from amrg.imaging.containers import files_of, lasting_folder
from amrg.imaging.errors import ImagingError, named_errors, printable_name
from amrg.imaging.evidence.kinds import classify, classify_name
from amrg.imaging.evidence.labels import before_label, words_of_kind
from amrg.imaging.evidence.patients import PER_VIEW_ID, Patient, date_in, patient_of
from amrg.imaging.evidence.rejection import rejected_instances
from amrg.imaging.grouping import BY_FOLDER, BY_NAME, FileGroup, ReadFile, StudyKey, group_studies, is_uid
from amrg.imaging.header import Header, read_header
from amrg.imaging.pixels.decoding import IMAGE_ENDINGS
from amrg.imaging.reading import read_dicom, read_plain_image
from amrg.imaging.study import Intake, Problem, SetAside

_ARCHIVES = frozenset({".zip", ".gz", ".tgz", ".tar", ".bz2", ".xz", ".7z", ".rar"})
DECODER_ENDED = "its decoder ended the process that read it"
"""In the message of every file that it happened over."""
_BY_UID = "StudyInstanceUID (0020,000D)"


@dataclass(frozen=True)
class _Failed:
    """A file that is not used, and the study that it may be part of."""

    message: str
    key: StudyKey | None = None


@dataclass(frozen=True)
class _FileRead:
    """What a file is: a view with its study, set aside, or unusable; and the instances that it rejects, with why."""

    source: Path
    found: ReadFile | tuple[SetAside, StudyKey] | _Failed
    rejects: Mapping[str, str] = field(default_factory=dict)


def read_studies(path: Path) -> Intake:
    """Read all files of a path. One bad file never loses the rest.

    Raises:
        ImagingError: the path itself cannot be read (missing, empty, a broken archive).
    """
    return read_files(files_of(path))


def read_files(files: Iterable[Path]) -> Intake:
    """Read files, a few together, and group them to studies, as `read_studies` does those of a path."""
    return _grouped(map_in_threads(_read_file, list(files)))


def read_files_apart(files: Iterable[Path], processes: int = 1) -> Intake:
    """As `read_files`, in processes of their own: one whose decoder ends its process is a problem, no more."""
    listed = list(files)
    with ProcessPool(_read_file, min(processes, len(listed))) as pool:
        found = zip(listed, pool.map(listed), strict=True)
        return _grouped([_ended(file, one) if isinstance(one, ProcessEnded) else one for file, one in found])


def _ended(file: Path, ended: ProcessEnded) -> _FileRead:
    """A file whose decoder ended the process, with the study that its header names."""
    try:
        key = study_key_by_name(file) if file.suffix.lower() in IMAGE_ENDINGS else study_key(read_header(file), file)
    except ImagingError:
        key = None
    message = (
        f"{file.name}: {DECODER_ENDED} ({ended.how}); the file is damaged, or the "
        "decoder of its transfer syntax is at fault: send it again uncompressed"
    )
    return _FileRead(file, _Failed(message, key))


def _grouped(files: Iterable[_FileRead]) -> Intake:
    """Files that were read, as studies."""
    groups: dict[StudyKey, FileGroup] = {}
    aside: list[SetAside] = []
    problems: list[Problem] = []
    rejected: dict[str, str] = {}
    for file in files:
        found = file.found
        rejected.update(file.rejects)
        if isinstance(found, _Failed):
            problems.append(Problem(file=printable_name(file.source.name), source=file.source, message=found.message))
            if found.key is not None:
                groups.setdefault(found.key, FileGroup()).problems.append(found.message)
        elif isinstance(found, ReadFile):
            groups.setdefault(found.key, FileGroup()).read.append(found)
        else:
            aside.append(found[0])
            groups.setdefault(found[1], FileGroup()).set_aside.append(found[0])
    aside += _take_rejected(groups, rejected)
    grouped = group_studies(groups)
    return Intake(
        studies=grouped.studies,
        set_aside=(*aside, *grouped.set_aside),
        problems=(*problems, *grouped.problems),
        without_view=grouped.without_view,
    )


def _take_rejected(groups: dict[StudyKey, FileGroup], rejected: dict[str, str]) -> Iterator[SetAside]:
    """Set the images aside that a Key Object Selection of the same input rejects."""
    for group in groups.values():
        for one in [one for one in group.read if one.mammogram.sop_instance_uid in rejected]:
            group.read.remove(one)
            why = rejected[one.mammogram.sop_instance_uid]
            group.set_aside.append(SetAside.of(one.mammogram.source, f"{why} (by a key object selection)"))
            yield group.set_aside[-1]


def _read_file(file: Path) -> _FileRead:
    """One file as a mammogram with its study, or set aside, or what is wrong with it."""
    rejects: dict[str, str] = {}
    if (why := _not_a_file(file)) is not None:
        return _FileRead(file, _Failed(f"{printable_name(file.name)}: {why}"))
    return _FileRead(file, _read_one(file, rejects), rejects)


def _not_a_file(path: Path) -> str | None:
    """Why nothing can be read at a path, before anything is read; None where it may be."""
    if printable_name(str(path)) != str(path):
        return "the name, or that of a folder above, is not in UTF-8; rename it"
    if path.is_dir():
        return f"the folder in {path.parent.name} cannot be listed; check its permissions"
    if not path.exists():
        return f"no such file in {path.parent.name}, although a link or DICOMDIR points to it; copy it whole"
    return "the file is empty (0 bytes); copy it again" if path.stat().st_size == 0 else None


def _read_one(file: Path, rejected: dict[str, str]) -> ReadFile | tuple[SetAside, StudyKey] | _Failed:
    """See `_read_file`; adds to what is `rejected`."""
    key = None
    if file.suffix.lower() in _ARCHIVES:
        return _Failed(f"{file.name}: an archive inside the input is not read; unpack it, or name a zip by itself")
    try:
        with named_errors(file):
            if file.suffix.lower() in IMAGE_ENDINGS:
                key = study_key_by_name(file)
                named = classify_name(file.stem)
                if named.reason is not None:
                    return SetAside.of(file, named.reason), key
                return ReadFile(read_plain_image(file, named), Patient(), key, None)
            header = read_header(file)
            key = study_key(header, file)
            rejected.update(rejected_instances(header))
            kind = classify(header, file.stem)
            if kind.reason is not None:
                return SetAside.of(file, kind.reason), key
            mammogram = read_dicom(file, header, kind)
            dated = date_in(header.text("StudyDate"))
            acquired = header.text("AcquisitionDate") + header.text("AcquisitionTime")
            words = words_of_kind(header.text("SeriesDescription"))
            return ReadFile(mammogram, patient_of(header), key, dated, _accession(header), words, acquired)
    except ImagingError as error:
        return _Failed(str(error), key)


def _accession(header: Header) -> str:
    """Accession Number (0008,0050), VR SH; empty where it is damaged."""
    number = header.text("AccessionNumber")
    return number if number.isprintable() and len(number) <= 64 else ""


def study_key(header: Header, file: Path) -> StudyKey:
    """What groups a DICOM file: the common part of CBIS-DDSM's patients, StudyInstanceUID, else folder and patient."""
    identifier = header.text("PatientID")
    if (per_view := PER_VIEW_ID.match(identifier)) is not None:
        return StudyKey(per_view["patient"], "PatientID (0010,0020) without side and view")
    uid = header.text("StudyInstanceUID")
    if is_uid(uid):
        return StudyKey(uid, _BY_UID)
    if uid:  # no UID, such as a placeholder: it may stand in the files of any patient
        return StudyKey(uid, _BY_UID, identifier)
    return StudyKey(lasting_folder(file), BY_FOLDER, identifier)


def study_key_by_name(file: Path) -> StudyKey:
    """What groups an image without a header: the part of its name before side and view, and its folder."""
    folder = lasting_folder(file)
    if before := before_label(file.stem):
        return StudyKey(f"{folder}/{before}", BY_NAME)
    return StudyKey(folder, BY_FOLDER)
