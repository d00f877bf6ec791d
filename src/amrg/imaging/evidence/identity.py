"""Laterality and view: the evidence of every source is gathered first, and judged once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum, StrEnum

from amrg.birads import Laterality, View
from amrg.core.values import Value
from amrg.imaging.evidence.codes import coded_view
from amrg.imaging.evidence.labels import side_in, view_in
from amrg.imaging.evidence.words import is_history, plain
from amrg.imaging.header import Header

_RIGHT_CODES, _LEFT_CODES = {"24028007", "G-A100"}, {"7771000", "G-A101"}  # PS3.16 CID 244
# Free text in which makers put side and view; a study's description may name both sides, so it is none of them.
_DESCRIPTIONS = (
    ("SeriesDescription (0008,103E)", "SeriesDescription"),
    ("ProtocolName (0018,1030)", "ProtocolName"),
    ("AcquisitionDeviceProcessingDescription (0018,1400)", "AcquisitionDeviceProcessingDescription"),
    ("BodyPartExamined (0018,0015)", "BodyPartExamined"),
    ("ImageComments (0020,4000)", "ImageComments"),
    ("ImageType (0008,0008)", "ImageType"),
)


class EvidenceVerdict(StrEnum):
    """What the sources of one fact say together."""

    AGREED = "agreed"
    ONE_SOURCE = "settled by one source"
    OVERRULED = "settled by the stronger sources"
    TABLE = "settled by the data set's table"
    CONTRADICTORY = "contradictory"
    MISSING = "missing"


class Strength(IntEnum):
    """How much a source is worth: a file's name, free text, an attribute with terms or codes of its own."""

    NAME = 0
    TEXT = 1
    CODED = 2


class EvidenceSource(Value):
    """One source of side or view: its name with its tag, and the value that it gives."""

    name: str
    value: str
    strength: Strength


class EvidenceJudgement(Value):
    """Side or view of one image: the value, None where contradictory or missing, and why."""

    verdict: EvidenceVerdict
    value: str | None = None
    sources: tuple[EvidenceSource, ...] = ()

    @property
    def line(self) -> str:
        """The sources and what they say, for people."""
        values = dict.fromkeys(source.value for source in self.sources)
        names = {value: ", ".join(s.name for s in self.sources if s.value == value) for value in values}
        return "; ".join(f"{value} by {name}" for value, name in names.items()) or "no source"


@dataclass(frozen=True)
class Identity:
    """The judgements on laterality and view, and notes on sources that disagree."""

    side: EvidenceJudgement
    projection: EvidenceJudgement
    notes: tuple[str, ...] = ()

    @property
    def laterality(self) -> Laterality | None:
        """The side, None where it is missing or contradictory."""
        return Laterality(self.side.value) if self.side.value else None

    @property
    def view(self) -> View | None:
        """The view, None where it is missing or contradictory."""
        return View(self.projection.value) if self.projection.value else None


def identity(header: Header, file_name: str) -> Identity:
    """Laterality and view by every source of a header and a file's name."""
    side, view = _judge(tuple(_sides(header, file_name))), _judge(tuple(_views(header, file_name)))
    return Identity(side, view, (*disagreements("laterality", side), *disagreements("view", view)))


def merge_identity(found: Identity, laterality: Laterality | None, view: View | None) -> Identity:
    """An identity in which the side and view of a table come first, with a note where the file disagrees."""
    side, side_notes = _with_table("laterality", found.side, laterality)
    projection, view_notes = _with_table("view", found.projection, view)
    return Identity(side, projection, (*found.notes, *side_notes, *view_notes))


def _with_table(what: str, found: EvidenceJudgement, stated: str | None) -> tuple[EvidenceJudgement, list[str]]:
    if stated is None:
        return found, []
    source = EvidenceSource(name="the table", value=str(stated), strength=Strength.CODED)
    merged = EvidenceJudgement(verdict=EvidenceVerdict.TABLE, value=str(stated), sources=(source, *found.sources))
    if found.verdict is EvidenceVerdict.CONTRADICTORY:
        return merged, [f"{what} is {stated} by the table; the file contradicts itself ({found.line})"]
    if found.value in (None, stated):
        return merged, []
    return merged, [f"{what} is {stated} by the table, but {found.value} by the file: the first is used"]


def _judge(sources: tuple[EvidenceSource, ...]) -> EvidenceJudgement:
    """One judgement on all sources.

    A file's name never outweighs a header. One attribute of its own terms does not outweigh a text that disagrees:
    nobody knows which of them is wrong. Two that agree do.
    """
    if not sources:
        return EvidenceJudgement(verdict=EvidenceVerdict.MISSING)
    if len({source.value for source in sources}) == 1:
        verdict = EvidenceVerdict.AGREED if len(sources) > 1 else EvidenceVerdict.ONE_SOURCE
        return EvidenceJudgement(verdict=verdict, value=sources[0].value, sources=sources)
    strongest = max(source.strength for source in sources)
    values = [source.value for source in sources if source.strength == strongest]
    weaker = {source.value for source in sources if Strength.NAME < source.strength < strongest} - {values[0]}
    if len(set(values)) > 1 or (weaker and len(values) < 2):
        return EvidenceJudgement(verdict=EvidenceVerdict.CONTRADICTORY, sources=sources)
    return EvidenceJudgement(verdict=EvidenceVerdict.OVERRULED, value=values[0], sources=sources)


def disagreements(what: str, found: EvidenceJudgement | None) -> list[str]:
    """A note for every weaker source that disagrees; none where nothing was judged."""
    if found is None or found.verdict is not EvidenceVerdict.OVERRULED:
        return []
    first = next(source for source in found.sources if source.value == found.value)
    return [
        f"{what} is {found.value} by {first.name}, but {source.value} by {source.name}: the first is used"
        for source in found.sources
        if source.value != found.value
    ]


def _sides(header: Header, file_name: str) -> Iterator[EvidenceSource]:
    """Every source of a side."""
    for name, keyword in (
        ("ImageLaterality (0020,0062)", "ImageLaterality"),
        ("Laterality (0020,0060)", "Laterality"),
        ("FrameLaterality (0020,9072)", "FrameLaterality"),
    ):
        if side := _side_term(header.term(keyword)):
            yield EvidenceSource(name=name, value=side, strength=Strength.CODED)
    for region in header.sequence("AnatomicRegionSequence"):
        for item in region.sequence("AnatomicRegionModifierSequence"):
            if (code := item.code) in _RIGHT_CODES | _LEFT_CODES:
                side = Laterality.RIGHT if code in _RIGHT_CODES else Laterality.LEFT
                yield EvidenceSource(
                    name="AnatomicRegionModifierSequence (0008,2220)", value=side, strength=Strength.CODED
                )
    if side := _side_by_orientation(header.texts("PatientOrientation")):
        name = f"PatientOrientation (0020,0020) {'/'.join(header.texts('PatientOrientation'))}"
        yield EvidenceSource(name=name, value=side, strength=Strength.CODED)
    for name, keyword in (("ViewPosition (0018,5101)", "ViewPosition"), *_DESCRIPTIONS):
        text = header.text(keyword)
        if keyword == "ImageComments" and is_history(plain(text)):
            continue  # `s/p lumpectomy left breast 2018` is no label
        side = _breast_side(text) if keyword == "BodyPartExamined" else side_in(text)
        if side:
            yield EvidenceSource(name=name, value=side, strength=Strength.TEXT)
    if side := side_in(file_name):
        yield EvidenceSource(name="file name", value=side, strength=Strength.NAME)


def _side_term(text: str) -> Laterality | None:
    """R and L, and the words that some write for them; B and U are no side of one breast."""
    return {"R": Laterality.RIGHT, "L": Laterality.LEFT}.get(text) or (side_in(text) if len(text) > 1 else None)


def _breast_side(text: str) -> Laterality | None:
    """`RBREAST`, `BREAST LEFT`, `RIGHT BREAST`."""
    return side_in(text.upper().replace("BREAST", " BREAST "))


def _side_by_orientation(directions: tuple[str, ...]) -> Laterality | None:
    """The breast that PatientOrientation describes as it hangs (PS3.3 C.7.6.1.1.1).

    Rows of a left breast run forwards (A) and its columns towards the right side of the body (R); P and L for the
    right one. Other pairs describe a mirrored or turned image of either, and say nothing of the side.
    """
    if len(directions) != 2:
        return None
    row, column = (text.upper() for text in directions)
    if "H" in column:  # its columns run upwards
        return None
    if row.startswith("A") and "R" in column and "L" not in column:
        return Laterality.LEFT
    if row.startswith("P") and "L" in column and "R" not in column and set(column) <= set("HFALPR"):
        return Laterality.RIGHT
    return None


def _views(header: Header, file_name: str) -> Iterator[EvidenceSource]:
    """Every source of a view."""
    found = list(_stated_views(header, file_name))
    directed = [s for s in found if s.value in (View.XCCL, View.XCCM)]
    # An exaggerated view without a direction says the same as one with it, only less.
    yield from ((s for s in found if s.value != View.XCC) if directed else found)


def _stated_views(header: Header, file_name: str) -> Iterator[EvidenceSource]:
    for item in header.sequence("ViewCodeSequence"):
        if view := coded_view(item):
            yield EvidenceSource(name="ViewCodeSequence (0054,0220)", value=view, strength=Strength.CODED)
    position = header.text("ViewPosition")
    if view := view_in(position):
        strength = Strength.CODED if position.upper() in tuple(View) else Strength.TEXT
        yield EvidenceSource(name="ViewPosition (0018,5101)", value=view, strength=strength)
    # CBIS-DDSM writes the view where the standard expects directions.
    for name, keyword in (("PatientOrientation (0020,0020)", "PatientOrientation"), *_DESCRIPTIONS):
        if view := view_in(header.text(keyword)):
            yield EvidenceSource(name=name, value=view, strength=Strength.TEXT)
    if view := view_in(file_name):
        yield EvidenceSource(name="file name", value=view, strength=Strength.NAME)
