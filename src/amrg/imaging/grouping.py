"""Files to studies: one examination of one woman, the best image of each view, the prior, and what to say of it."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from amrg.core.hashing import sha256_of_text
from amrg.imaging.evidence.identity import disagreements
from amrg.imaging.evidence.kinds import ImageKind
from amrg.imaging.evidence.labels import after_label, before_label
from amrg.imaging.evidence.patients import OnePatient, Patient, doubt, one_patient
from amrg.imaging.pixels.decoding import IMAGE_ENDINGS
from amrg.imaging.study import Intent, Mammogram, Problem, SetAside, Study, WithoutView

BY_FOLDER, BY_NAME = "folder", "file name"
_COUNTED = re.compile(r"[0-9]{0,2}")  # images of an exam that are numbered
_LISTED = 4
_KINDS = list(ImageKind)
_UID = re.compile(r"(?=.{1,64}$)[0-9]+(?:\.[0-9]+)*")  # PS3.5 9.1; leading zeros are read


def is_uid(text: str) -> bool:
    """Whether a text is a UID."""
    return _UID.fullmatch(text) is not None


@dataclass(frozen=True)
class StudyKey:
    """What holds the files of a study together, what that is, and the patient where it is no UID."""

    value: str
    by: str
    patient: str = ""

    @property
    def uid(self) -> str:
        """The Study Instance UID, or one that follows from the key."""
        return self.value if is_uid(self.value) else "2.25." + str(self._number)

    @property
    def _number(self) -> int:
        return int(sha256_of_text(self.value, *((self.patient,) if self.patient else ()))[:30], 16)


@dataclass(frozen=True)
class ReadFile:
    """One mammogram with what groups it, the words of its description, and when it was acquired (`20200131120000`)."""

    mammogram: Mammogram
    patient: Patient
    key: StudyKey
    date: datetime.date | None
    accession_number: str = ""
    words: frozenset[str] = frozenset()
    acquired: str = ""


@dataclass
class FileGroup:
    """The files of one study: read, set aside, and lines on those that are not used."""

    read: list[ReadFile] = field(default_factory=list)
    set_aside: list[SetAside] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Grouped:
    """Studies, and what is left over of their files."""

    studies: tuple[Study, ...]
    set_aside: tuple[SetAside, ...]
    problems: tuple[Problem, ...]
    without_view: tuple[WithoutView, ...]


def group_studies(groups: Mapping[StudyKey, FileGroup]) -> Grouped:
    """The studies of groups of files, each of one woman; groups that are not are refused file by file."""
    studies: list[tuple[Study, Patient]] = []
    spare: list[SetAside] = []
    problems: list[Problem] = []
    without: list[WithoutView] = []
    for key, group in groups.items():
        if not group.read:
            without.append(_without_view(key, group))
            continue
        whose = one_patient(one.patient for one in group.read)
        if whose.refusal is not None:
            refused = list(_refused(group.read, whose.refusal))
            problems += refused
            without.append(WithoutView(study_instance_uid=key.uid, reason=refused[0].message, unreadable=True))
            continue
        study, left = _study(key, group, whose)
        studies.append((study, whose.patient))
        spare += left
    ordered = sorted(studies, key=lambda s: (s[0].patient_key, s[0].date or datetime.date.min, s[0].study_instance_uid))
    return Grouped(tuple(_with_priors(ordered)), tuple(spare), tuple(problems), tuple(without))


def _without_view(key: StudyKey, group: FileGroup) -> WithoutView:
    """A study none of whose files is read: what is wrong with the first that might be a view, or what they are."""
    if group.problems:
        return WithoutView(study_instance_uid=key.uid, reason=group.problems[0], unreadable=True)
    aside = "; ".join(_aside_notes(group.set_aside))
    return WithoutView(study_instance_uid=key.uid, reason=aside[:1].lower() + aside[1:], unreadable=False)


def _refused(read: list[ReadFile], why: str) -> Iterator[Problem]:
    """A problem for every file of a study that names two women; both are named by a file of each."""
    groups: dict[Patient, list[str]] = {}
    for one in read:
        groups.setdefault(one.patient, []).append(one.mammogram.source.name)
    sides = " and ".join(", ".join(names) for names in groups.values())
    for one in read:
        name = one.mammogram.source.name
        yield Problem(
            file=name,
            source=one.mammogram.source,
            message=f"{name}: one StudyInstanceUID (0020,000D) with two patients: {sides}: {why}; expected one patient "
            "a study: correct the files and send them again",
        )


def _study(key: StudyKey, group: FileGroup, whose: OnePatient) -> tuple[Study, list[SetAside]]:
    """One study of a group, and the images of views that have a better one."""
    odd = odd_words(group.read)
    latest = sorted(group.read, key=lambda one: one.acquired, reverse=True)
    chosen, spare_views = best_of_each_view([one.mammogram for one in latest], {path: len(odd[path]) for path in odd})
    spare = [SetAside.of(m.source, _duplicate_reason(m, chosen)) for m in spare_views]
    accessions = sorted({one.accession_number for one in group.read if one.accession_number})
    dates = sorted({one.date.isoformat() for one in group.read if one.date is not None})
    days = f"StudyDate (0008,0020) differs in the files of the study, {', '.join(dates)}: the first is stated"
    several = f"AccessionNumber (0008,0050) differs in the files of the study: {', '.join(accessions)}"
    study = Study(
        study_instance_uid=key.uid,
        patient_key=whose.patient.key or _key_without_identifier(key, whose.patient),
        date=min((one.date for one in group.read if one.date is not None), default=None),
        mammograms=tuple(chosen),
        notes=(
            *([whose.note] if whose.note else ()),
            *([several] if len(accessions) > 1 else ()),
            *([days] if len(dates) > 1 else ()),
            *(_names_apart(group.read) if key.by in (BY_FOLDER, BY_NAME) else ()),
            *_view_notes(chosen),
            *_odd_notes(chosen, odd),
            *_same_instance([one.mammogram for one in group.read]),
            *_aside_notes((*group.set_aside, *spare)),
        ),
        problems=tuple(group.problems),
        accession_number=accessions[0] if len(accessions) == 1 else "",
        grouped_by=key.by,
    )
    return study, spare


def _key_without_identifier(key: StudyKey, patient: Patient) -> str:
    """A hash of what is known of a patient without an identifier: the study, and name and birth date where stated."""
    born = patient.birth_date.isoformat() if patient.birth_date is not None else ""
    known = [part for part in (*patient.name, born) if part]
    return sha256_of_text(key.value, *known)[:16]


def best_of_each_view(
    mammograms: Iterable[Mammogram], odd: Mapping[Path, int] | None = None
) -> tuple[list[Mammogram], list[Mammogram]]:
    """The best of every view, and the others: by kind, then hanging as its side asks, then without a source of side or
    view that disagrees, then for presentation, then unmodified, then with the fewest `odd` words in its description,
    then the most pixels, then in the given order."""
    best: dict[tuple[str, str], Mammogram] = {}
    ordered = sorted(mammograms, key=lambda m: _goodness(m, (odd or {}).get(m.source, 0)))
    for m in ordered:
        best.setdefault((m.laterality, m.view), m)
    chosen = sorted(best.values(), key=lambda m: (m.view != "CC", m.view, m.laterality != "R"))
    return chosen, [m for m in ordered if m not in chosen]


def _goodness(m: Mammogram, odd: int) -> tuple[int, bool, bool, bool, bool, int, int]:
    modified = any(note.startswith("view modifier") for note in m.notes)
    disagreed = any(_disagreements(m))
    raw = m.intent is Intent.FOR_PROCESSING
    return _KINDS.index(m.kind), m.flipped, disagreed, raw, modified, odd, -m.rows * m.columns


def _disagreements(m: Mammogram) -> list[str]:
    """A line for every source that disagrees on the side or view of an image."""
    return [*disagreements("laterality", m.side_evidence), *disagreements("view", m.view_evidence)]


def odd_words(read: Iterable[ReadFile]) -> dict[Path, list[str]]:
    """The words of each image's description that no image of another view of the study has: they may name a kind."""
    by_view: dict[tuple[str, str], set[str]] = {}
    files = list(read)
    for one in files:
        by_view.setdefault((one.mammogram.laterality, one.mammogram.view), set()).update(one.words)
    others = {view: set().union(*(words for other, words in by_view.items() if other != view)) for view in by_view}
    return {
        one.mammogram.source: sorted(one.words - others[one.mammogram.laterality, one.mammogram.view])
        for one in files
        if len(by_view) > 1
    }


def _odd_notes(chosen: Iterable[Mammogram], odd: Mapping[Path, list[str]]) -> Iterator[str]:
    """A line for every view that is read although its description has words of its own."""
    for m in chosen:
        if words := odd.get(m.source):
            yield (
                f"{m.laterality}{m.view}: SeriesDescription (0008,103E) has words that no other view has "
                f"({', '.join(words)}): read as a standard view"
            )


def _same_instance(read: list[Mammogram]) -> Iterator[str]:
    """A line for every SOPInstanceUID that several files have although they are not copies of one another."""
    by_uid: dict[str, list[Mammogram]] = {}
    for m in read:
        if m.source.suffix.lower() in IMAGE_ENDINGS:
            continue  # which has none
        by_uid.setdefault(m.sop_instance_uid, []).append(m)
    for files in by_uid.values():
        if len(files) > 1 and not all(_is_copy(m, files[0]) for m in files[1:]):
            names = ", ".join(sorted(m.source.name for m in files))
            yield f"SOPInstanceUID (0008,0018) is the same in {names}, whose images differ: correct the files"


def _is_copy(one: Mammogram, other: Mammogram) -> bool:
    """Whether two images of one view and size have the same pixels."""
    return (one.laterality, one.view, one.rows, one.columns) == (
        other.laterality,
        other.view,
        other.rows,
        other.columns,
    ) and np.array_equal(one.pixels(), other.pixels())


def _duplicate_reason(m: Mammogram, chosen: Iterable[Mammogram]) -> str:
    used = next(c for c in chosen if (c.laterality, c.view) == (m.laterality, m.view))
    if used.sop_instance_uid == m.sop_instance_uid and _is_copy(m, used):
        return f"a copy of the {m.laterality}{m.view}, which is read once"
    second = f"a second {m.laterality}{m.view}"
    if doubts := "; ".join(_doubts(m)):
        second += f", whose side or view may be wrong ({doubts})"
    if used.kind is not m.kind:
        return f"{second}: a {m.kind} image, the {used.kind} one is read"
    if doubts:
        return f"{second}: the other image is read"
    return f"{second}: the image for presentation, or else the largest, or else the latest, is read"


def _doubts(m: Mammogram) -> Iterator[str]:
    """What of an image contradicts its side or view."""
    yield from _disagreements(m)
    if m.flipped:
        yield f"the breast was at the wrong edge for side {m.laterality}"


def _view_notes(mammograms: Iterable[Mammogram]) -> Iterator[str]:
    """What was done with the views, a line a fact with the views that it holds for; implants."""
    views: dict[str, list[str]] = {}
    for m in mammograms:
        implant = ("breast implant present (0028,1300)",) if m.implant else ()
        for note in (*implant, *m.notes):
            views.setdefault(note, []).append(f"{m.laterality}{m.view}")
    for note, names in views.items():
        yield f"{', '.join(names)}: {note}"


def _names_apart(read: Sequence[ReadFile]) -> Iterator[str]:
    """A line where the names of files in one folder may tell several women apart: `LCC_P01`, `LMLO_P02`."""
    for where, part_of in (("before", before_label), ("after", after_label)):
        parts = sorted({part_of(one.mammogram.source.stem) for one in read})
        if len(parts) > 1 and not all(_COUNTED.fullmatch(part) for part in parts):
            more = ", ..." if len(parts) > _LISTED else ""
            listed = ", ".join(part or "nothing" for part in parts[:_LISTED])
            yield (
                f"The file names differ {where} side and view ({listed}{more}): read as one exam of one woman; if they "
                "are not, give each exam a folder of its own"
            )


def _aside_notes(items: Iterable[SetAside]) -> Iterator[str]:
    """What of the study was set aside, a line a reason."""
    files: dict[str, list[str]] = {}
    for item in items:
        files.setdefault(item.reason, []).append(item.file)
    for reason, names in files.items():
        yield f"Set aside, {reason}: {names[0] if len(names) == 1 else f'{len(names)} files'}"


def _with_priors(studies: list[tuple[Study, Patient]]) -> Iterator[Study]:
    """Every study with the latest earlier one that is the same woman's beyond doubt, or a line why there is none."""
    by_identifier: dict[str, list[tuple[Study, Patient]]] = {}
    for study, patient in studies:  # an exam without PatientID is compared with none that has it
        by_identifier.setdefault(patient.identifier, []).append((study, patient))
    for study, patient in studies:
        others = by_identifier[patient.identifier]
        earlier = [one for one in others if one[0].date and study.date and one[0].date < study.date]
        prior, why = None, None
        for other, their_patient in sorted(earlier, key=lambda s: s[0].date or datetime.date.min, reverse=True):
            reason = doubt(patient, their_patient)
            if reason is None:
                prior = other
                break
            why = why or f"The exam of {other.date} is not used as prior: {reason}"
        lines = (*((why,) if why else ()), *_same_day(study, patient, others))
        yield study.model_copy(update={"prior": prior, "notes": (*study.notes, *lines)})


def _same_day(study: Study, patient: Patient, others: list[tuple[Study, Patient]]) -> Iterator[str]:
    """A line for every other study of the same woman on the same day, whose views may belong to this one."""
    for other, theirs in others:
        if other is study or not study.date or other.date != study.date or doubt(patient, theirs) is not None:
            continue
        views = ", ".join(f"{m.laterality}{m.view}" for m in other.mammograms)
        yield (
            f"The same patient has another study of {study.date} (StudyInstanceUID ending in "
            f"{other.study_instance_uid[-6:]}, {views}), which is read as an exam of its own"
        )
