"""The report as a PDF for people: its state, patient and page number on every page, text, views, notes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from typing import Any

from PIL import Image, UnidentifiedImageError
from pydicom.dataset import Dataset
from reportlab.lib.colors import Color, HexColor, white
from reportlab.lib.pagesizes import A4, landscape
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import (
    BaseDocTemplate,
    Flowable,
    Frame,
    HRFlowable,
    NextPageTemplate,
    PageBreak,
    PageTemplate,
    Paragraph,
    Spacer,
)
from reportlab.platypus import Image as Picture

from amrg.birads import ReportVersion, Status
from amrg.birads.text.draft_lines import NOTES_HEADING, LineStart
from amrg.delivery.dicom.fonts import BOLD, REGULAR, font_runs, is_viewers, markup, register_fonts
from amrg.delivery.dicom.statement import (
    disclosure,
    display_name,
    note_lines,
    short_state,
    state_lines,
    study_lines,
)
from amrg.delivery.dicom.text import opens_section
from amrg.delivery.errors import DeliveryError
from amrg.delivery.source import SourceStudy
from amrg.imaging import MARKS, mark_legend

_MARGIN, _HEAD, _FOOT = 18 * mm, 30 * mm, 16 * mm
_RED, _GREEN, _INK, _FAINT = HexColor(0xB22222), HexColor(0x1D5B3A), HexColor(0x1E2024), HexColor(0x5A5C62)
_BODY = ParagraphStyle("body", fontName=REGULAR, fontSize=9.5, leading=13.5, textColor=_INK, splitLongWords=1)
_STATE = ParagraphStyle("state", parent=_BODY, fontName=BOLD, spaceAfter=1.5 * mm)
_SMALL = ParagraphStyle("small", parent=_BODY, fontSize=7.5, leading=10.5, textColor=_FAINT)
_HEADING = ParagraphStyle("heading", parent=_BODY, fontName=BOLD, spaceBefore=2.5 * mm)
_LINE_WITH_HEADING = ParagraphStyle("line with heading", parent=_BODY, spaceBefore=2.5 * mm)
_VIEWERS_FONTS = "Chinese, Japanese and Korean text is in fonts of the viewer: where it is blank, use another."
_TITLE = ParagraphStyle("title", parent=_BODY, fontName=BOLD, fontSize=14, leading=19, spaceAfter=2 * mm)
_IDENTIFIER = re.compile(f" UID: |^{LineStart.PATIENT_KEY} ")  # facts for machines, read last


@dataclass(frozen=True)
class _PageText:
    """What stands on every page: its state on a coloured band, whose report it is, and who wrote it."""

    state: str
    colour: Color
    watermark: str
    patient: str
    footer: str


def report_pdf(version: ReportVersion, picture: bytes | None = None, source: SourceStudy | None = None) -> bytes:
    """The report as a PDF; the same version, picture and source give the same bytes.

    Of a report that was withdrawn it states only that, on one page.

    Args:
        version: The report.
        picture: The views with the findings' marks, as PNG; None for a report without them.
        source: The study, whose patient is then named on every page.

    Raises:
        DeliveryError: the picture is no image.
        NoFont: a character has no font.
    """
    register_fonts()
    on_page = _page_text(version, source)
    for line in (on_page.state, on_page.patient, on_page.footer):
        font_runs(line)  # reportlab would add words of its own to the error of one that has no font
    content = BytesIO()
    document = BaseDocTemplate(
        content,
        pagesize=A4,
        title=f"Mammography report, {on_page.state}",
        author=display_name(version.signature.name) if version.signature is not None else "amrg",
        creator=disclosure(version),
        subject=f"Study {version.draft.study.study_instance_uid}" if version.draft.study is not None else "",
        invariant=1,
        lang="en",
    )
    document.addPageTemplates([_template("upright", A4, on_page), _template("across", landscape(A4), on_page)])
    document.build(list(_story(version, picture)), canvasmaker=_NumberedCanvas)
    return content.getvalue()


def _page_text(version: ReportVersion, source: SourceStudy | None) -> _PageText:
    watermark = {Status.WITHDRAWN: "WITHDRAWN"}.get(version.status, "" if version.is_signed else "DRAFT")
    state = short_state(version)
    if version.signature is not None:
        at = version.signature.signed_at.isoformat(sep=" ", timespec="minutes")
        state = f"{state[0].upper()}{state[1:]}: {display_name(version.signature.name)}, {at}"
    study = version.draft.study
    uid = f"Study {study.study_instance_uid}" if study is not None else ""
    return _PageText(
        state=state,
        colour=_GREEN if version.is_signed else _RED,
        watermark=watermark,
        patient="" if source is None else _patient(source.header),
        footer=f"{disclosure(version)}  {uid}",
    )


def _patient(header: Dataset) -> str:
    """Whose report it is, as the images state it."""
    born = str(header.get("PatientBirthDate", "") or "")
    born = f"{born[:4]}-{born[4:6]}-{born[6:]}" if len(born) == 8 else born or "unknown"
    name = " / ".join(display_name(group) for group in str(header.get("PatientName", "") or "").split("=") if group)
    order = str(header.get("AccessionNumber", "") or "")
    parts = [name or "no name", f"ID {header.get('PatientID', '') or 'empty'}", f"born {born}"]
    parts += [str(header.PatientSex)] if header.get("PatientSex") else []
    return "   ".join(parts + ([f"Accession {order}"] if order else []))


def _story(version: ReportVersion, picture: bytes | None) -> Iterator[Flowable]:
    """Everything below the head of the pages, in reading order."""
    yield Paragraph("Mammography report", _TITLE)
    for line in state_lines(version):
        colour = _INK if version.is_signed else _RED
        yield Paragraph(markup(line), ParagraphStyle("coloured", parent=_STATE, textColor=colour))
    if any(is_viewers(font) for line in version.text.splitlines() for font, _ in font_runs(line)):
        yield Paragraph(_VIEWERS_FONTS, _SMALL)
    if version.status is Status.WITHDRAWN:
        return
    facts = study_lines(version)
    yield from (Paragraph(markup(line), _SMALL) for line in facts if not _IDENTIFIER.search(line))
    yield HRFlowable(width="100%", thickness=0.6, color=_FAINT, spaceBefore=2 * mm, spaceAfter=1 * mm)
    for line in version.text.replace("\r\n", "\n").replace("\r", "\n").replace("\f", "\n").split("\n"):
        yield _text_line(line)
    yield from _legend(version)
    yield HRFlowable(width="100%", thickness=0.6, color=_FAINT, spaceBefore=3 * mm, spaceAfter=1 * mm)
    notes = note_lines(version)
    if notes:
        yield Paragraph(markup(NOTES_HEADING), _HEADING)
        yield from (Paragraph(markup(line), _SMALL) for line in notes)
        yield Spacer(0, 2 * mm)
    yield from (Paragraph(markup(line), _SMALL) for line in facts if _IDENTIFIER.search(line))
    if picture is not None:
        views = _fitted(picture)
        yield NextPageTemplate("upright" if views.drawHeight > views.drawWidth else "across")
        yield PageBreak()
        yield views


def _text_line(line: str) -> Flowable:
    """A line of the report, its heading in bold."""
    if not line.strip():
        return Spacer(0, 2 * mm)
    if not opens_section(line):
        return Paragraph(markup(line), _BODY)
    heading, _, rest = line.partition(":")
    return Paragraph(
        f"<b>{markup(heading)}:</b>{markup(' ' + rest.strip()) if rest.strip() else ''}", _LINE_WITH_HEADING
    )


def _legend(version: ReportVersion) -> Iterator[Flowable]:
    """The findings by the numbers of their marks."""
    findings = version.report.findings
    if not findings:
        return
    yield Spacer(0, 3 * mm)
    for number, finding in enumerate(findings, 1):
        yield Paragraph(markup(f"{number}  {mark_legend(finding)}"), _SMALL)
    if any(finding.boxes for finding in findings):
        yield Paragraph(markup(MARKS), _SMALL)


def _fitted(picture: bytes) -> Picture:
    """The views as large as an upright page allows, or one across where they are wider than high, on white.

    Raises:
        DeliveryError: the bytes are no image.
    """
    try:
        with Image.open(BytesIO(picture)) as opened:
            views = opened.convert("RGBA")
    except (UnidentifiedImageError, OSError, Image.DecompressionBombError) as error:
        raise DeliveryError("the picture of the views is no readable PNG") from error
    page = Image.new("RGB", views.size, "white")
    page.paste(views, mask=views)
    size = A4 if page.height > page.width else landscape(A4)
    width, height = size[0] - 2 * _MARGIN, size[1] - _HEAD - _FOOT - 4 * mm
    scale = min(width / page.width, height / page.height)
    return Picture(_reader(page), page.width * scale, page.height * scale)


def _reader(picture: Image.Image) -> BytesIO:
    stream = BytesIO()
    picture.save(stream, format="PNG")
    stream.seek(0)
    return stream


def _template(name: str, size: tuple[float, float], on_page: _PageText) -> PageTemplate:
    width, height = size
    frame = Frame(_MARGIN, _FOOT, width - 2 * _MARGIN, height - _HEAD - _FOOT, 0, 2 * mm, 0, 2 * mm)

    def draw(canvas: Any, document: Any) -> None:
        _draw_page(canvas, size, on_page)

    return PageTemplate(name, [frame], onPage=draw, pagesize=size)


def _draw_page(canvas: Any, size: tuple[float, float], on_page: _PageText) -> None:
    """Watermark, band of the state, patient, footer."""
    width, height = size
    if on_page.watermark:
        canvas.saveState()
        canvas.setFillColor(_RED, alpha=0.08)
        canvas.setFont(BOLD, 110 if len(on_page.watermark) < 6 else 80)
        canvas.translate(width / 2, height / 2)
        canvas.rotate(35)
        canvas.drawCentredString(0, -30, on_page.watermark)
        canvas.restoreState()
    canvas.setFillColor(on_page.colour)
    canvas.rect(0, height - 12 * mm, width, 12 * mm, stroke=0, fill=1)
    canvas.setFillColor(white)
    _fit(canvas, on_page.state, (_MARGIN, height - 8.2 * mm), 13, width - 2 * _MARGIN)
    canvas.setFillColor(_INK)
    _fit(canvas, on_page.patient, (_MARGIN, height - 20 * mm), 10, width - 2 * _MARGIN)
    canvas.setFillColor(_FAINT)
    _fit(canvas, on_page.footer, (_MARGIN, 8 * mm), 7, width - 2 * _MARGIN - 25 * mm)


def _fit(canvas: Any, text: str, at: tuple[float, float], size: float, width: float) -> None:
    """A line in a size at which it fits its width."""
    runs = font_runs(text)
    needed = sum(canvas.stringWidth(run, font, size) for font, run in runs)
    size = size * min(1.0, width / needed) if needed else size
    left, bottom = at
    for font, run in runs:
        canvas.setFont(font, size)
        canvas.drawString(left, bottom, run)
        left += canvas.stringWidth(run, font, size)


class _NumberedCanvas(Canvas):  # type: ignore[misc]
    """A canvas that writes `Page 1 of 3`, which is known when all pages are laid out."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **{**options, "initialFontName": REGULAR})
        self._pages: list[dict[str, Any]] = []

    def showPage(self) -> None:  # noqa: N802
        """Put a page aside until their number is known."""
        self._pages.append(dict(self.__dict__))
        self._startPage()

    def save(self) -> None:
        """Number the pages and write them."""
        for number, page in enumerate(self._pages, 1):
            self.__dict__.update(page)
            self.setFillColor(_FAINT)
            self.setFont(REGULAR, 7)
            self.drawRightString(self._pagesize[0] - _MARGIN, 8 * mm, f"Page {number} of {len(self._pages)}")
            super().showPage()
        super().save()
