"""The report picture: the views as they hang, the findings' marks, and the report next to them, under one banner."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

from amrg.birads import Draft
from amrg.birads.text.draft_lines import NOTES_HEADING
from amrg.imaging import MARKS, Study, around_breast, contact_sheet, finding_marks, mark_legend

PANEL, MARGIN = 640, 28
LEADING = 9  # pixels between lines
PAPER, INK, FAINT, WARN = (250, 249, 246), (30, 32, 36), (110, 112, 118), (178, 34, 34)
WHITE = (255, 255, 255)
HEADING = re.compile(r"[A-Z][A-Z /]+:")
Colour = tuple[int, int, int]


@dataclass(frozen=True)
class _Line:
    """One line as it is drawn: its text, its height in pixels, its colour."""

    text: str
    size: int = 17
    colour: Colour = INK


def report_picture(study: Study, draft: Draft) -> Image.Image:
    """Views with numbered marks at the left, the drafted report at the right, the banner across the top.

    Raises:
        ImagingError: a view's file is gone or no longer readable.
    """
    sheet = contact_sheet(study, finding_marks(draft.report.findings), around_breast)
    width = sheet.width + PANEL
    banner = [line for text in draft.banner for line in _wrapped(_Line(text, 22, WHITE), width - 2 * MARGIN)]
    body = [line for paragraph in _report_lines(draft) for line in _wrapped(paragraph, PANEL - 2 * MARGIN)]
    top = _height(banner) + MARGIN
    picture = Image.new("RGB", (width, top + max(sheet.height, _height(body) + 2 * MARGIN)), PAPER)
    picture.paste(WARN, (0, 0, width, top))
    picture.paste(sheet, (0, top))
    draw = ImageDraw.Draw(picture)
    _write(draw, (MARGIN, MARGIN // 2 + LEADING // 2), banner)
    _write(draw, (sheet.width + MARGIN, top + MARGIN), body)
    return picture


def _report_lines(draft: Draft) -> Iterator[_Line]:
    """Every line of the panel before it is wrapped: the study, the report, the marks' legend, notes."""
    for line in draft.facts():
        yield _Line(line, 13, FAINT)
    for paragraph in draft.text.splitlines():
        if HEADING.match(paragraph):
            yield _Line("", 4)
        yield _Line(paragraph)
    yield _Line("", 10)
    for number, finding in enumerate(draft.report.findings, 1):
        yield _Line(f"{number}  {mark_legend(finding)}", 15, FAINT)
        for box in draft.boxes:
            if box.finding == number:
                yield _Line(f"    {box.box.laterality}{box.box.view}  {box.sop_instance_uid}", 13, FAINT)
    if any(finding.boxes for finding in draft.report.findings):
        yield _Line("", 4)
        yield _Line(MARKS, 13, FAINT)
    notes = list(draft.notes())
    if notes:
        yield _Line("", 10)
        yield _Line(NOTES_HEADING, 15, WARN)
    for note in notes:
        yield _Line(note, 15, WARN)


def _wrapped(line: _Line, width: int) -> Iterator[_Line]:
    """A line broken where its own font no longer fits `width` pixels; a word longer than that is cut."""
    font = ImageFont.load_default(size=line.size)
    fitting = ""
    for word in re.findall(r"\S+\s*|\s+", line.text):
        if fitting and font.getlength((fitting + word).rstrip()) > width:
            yield _Line(fitting.rstrip(), line.size, line.colour)
            fitting = ""
        fitting += word
        while font.getlength(fitting.rstrip()) > width:
            fits = max(1, sum(font.getlength(fitting[:n]) <= width for n in range(1, len(fitting) + 1)))
            yield _Line(fitting[:fits], line.size, line.colour)
            fitting = fitting[fits:]
    yield _Line(fitting.rstrip(), line.size, line.colour)


def _height(lines: list[_Line]) -> int:
    return sum(line.size + LEADING for line in lines)


def _write(draw: ImageDraw.ImageDraw, at: tuple[int, int], lines: list[_Line]) -> None:
    """Lines under each other from a corner on."""
    left, y = at
    for line in lines:
        draw.text((left, y), line.text, line.colour, ImageFont.load_default(size=line.size))
        y += line.size + LEADING
