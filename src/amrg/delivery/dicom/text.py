"""The report for people: Basic Text SR, TID 2000 of PS3.16, a container a section."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code
from pydicom.uid import BasicTextSRStorage

from amrg.birads import ReportVersion, Status
from amrg.birads.text.headings import PHRASES, Section
from amrg.delivery.dicom import items
from amrg.delivery.dicom.context import language, observers
from amrg.delivery.dicom.document import add_document, add_evidence, new_object, read_images, to_bytes
from amrg.delivery.dicom.identity import ObjectKind
from amrg.delivery.dicom.statement import note_lines, state_lines, study_lines
from amrg.delivery.source import SourceStudy

_HEAD, _TEXT = codes.CID7001, codes.CID7002
_CONCEPTS: dict[Section, tuple[Code, Code]] = {
    Section.BODY: (_HEAD.Findings, _TEXT.Finding),
    Section.INDICATION: (_HEAD.IndicationsForProcedure, _TEXT.PatientPresentation),
    Section.TECHNIQUE: (_HEAD.CurrentProcedureDescriptions, _TEXT.ProcedureDescription),
    Section.COMPARISON: (_HEAD.PriorProcedureDescriptions, _TEXT.ProcedureDescription),
    Section.COMPOSITION: (_HEAD.Findings, _TEXT.Finding),
    Section.FINDINGS: (_HEAD.Findings, _TEXT.Finding),
    Section.IMPRESSION: (_HEAD.Impressions, _TEXT.Impression),
    Section.UNCONFIRMED: (_HEAD.Impressions, _TEXT.Impression),
    Section.ADVICE: (_HEAD.Recommendations, _TEXT.Recommendation),
}
"""The heading of a section, CID 7001, and the concept of its text, CID 7002."""
_ADDENDUM = (_HEAD.Addendum, codes.DCM.Comment)
_OPENINGS = {phrase: _CONCEPTS[section] for section, phrases in PHRASES.items() for phrase in phrases.split("; ")}
_OPENINGS |= dict.fromkeys(("addendum", "correction", "amendment"), _ADDENDUM)


@dataclass(frozen=True)
class TextSection:
    """Lines of a report under one heading, which is their first line's beginning where the text has it."""

    heading: Code
    concept: Code
    text: str


def opens_section(line: str) -> bool:
    """Whether a line begins with a heading and a colon."""
    return _opened(line) is not None


def _opened(line: str) -> tuple[Code, Code] | None:
    heading, colon, _ = line.partition(":")
    return _OPENINGS.get(heading.strip().casefold()) if colon else None


def text_sections(text: str) -> list[TextSection]:
    """A report's text cut at the lines that open a section; the texts joined by line breaks are the text again."""
    found: list[tuple[tuple[Code, Code], list[str]]] = []
    for line in text.split("\n"):
        opened = _opened(line)
        blank = bool(found) and not "".join(found[-1][1]).strip()
        if opened is not None and blank:  # lines without text before the first heading
            found[-1] = (opened, [*found[-1][1], line])
        elif not found or opened is not None:
            found.append((opened or _CONCEPTS[Section.BODY], [line]))
        else:
            found[-1][1].append(line)
    return [TextSection(*concepts, "\n".join(lines)) for concepts, lines in found]


def text_sr(version: ReportVersion, source: SourceStudy) -> bytes:
    """The report as a Basic Text SR: its state, the text as it was signed or drafted, and notes of the draft.

    One that was withdrawn states only that.

    Raises:
        DeliveryError: the report is about an image that is none of the study, or has a character that DICOM has not.
    """
    kind, images = ObjectKind.TEXT, read_images(version, source)
    ds = new_object(version, source, kind, BasicTextSRStorage)
    add_document(ds, version, source, kind)
    add_evidence(ds, source, images)
    root = items.container("", codes.DCM.BreastImagingReport, _content(version, source, images), "2000")
    ds.update(root)
    return to_bytes(ds)


def _content(version: ReportVersion, source: SourceStudy, images: tuple[str, ...]) -> Iterator[Dataset]:
    if version.text == version.draft.text:  # a person may write in any language
        yield language()
    yield from observers(version)
    yield _section(TextSection(_HEAD.Summary, _TEXT.Summary, "\n".join(state_lines(version))))
    if version.status is Status.WITHDRAWN:
        return
    references = [items.image_reference(items.INFERRED_FROM, source.image(uid)) for uid in images]
    for section in text_sections(version.text):
        of_findings = section.heading == _HEAD.Findings
        yield _section(section, references if of_findings else [])
        references = [] if of_findings else references
    if references:  # no section of findings
        images_contained = [items.image_reference(items.CONTAINS, source.image(uid)) for uid in images]
        yield items.container(items.CONTAINS, _HEAD.KeyImages, images_contained)
    for about in (study_lines(version), note_lines(version)):
        if about:
            yield _section(TextSection(codes.DCM.Comment, codes.DCM.Comment, "\n".join(about)))


def _section(section: TextSection, children: list[Dataset] | None = None) -> Dataset:
    written = items.text(items.CONTAINS, section.concept, section.text, children or [])
    return items.container(items.CONTAINS, section.heading, [written])
