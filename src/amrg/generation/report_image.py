"""The report picture: the views as they hang, the findings' marks, and the report beside them, under one banner."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

from amrg.birads import Draft
from amrg.imaging import Mark, Study, contact_sheet

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
    marks = [
        Mark(box=box, label=str(number))
        for number, finding in enumerate(draft.report.findings, 1)
        for box in finding.boxes
    ]
    sheet = contact_sheet(study, marks)
    width = sheet.width + PANEL
    banner = [line for text in draft.banner for line in _wrapped(_Line(text, 22, WHITE), width - 2 * MARGIN)]
    body = [line for whole in _report_lines(draft) for line in _wrapped(whole, PANEL - 2 * MARGIN)]
    top = _height(banner) + MARGIN
    picture = Image.new("RGB", (width, top + max(sheet.height, _height(body) + 2 * MARGIN)), PAPER)
    picture.paste(WARN, (0, 0, width, top))
    picture.paste(sheet, (0, top))
    draw = ImageDraw.Draw(picture)
    _write(draw, (MARGIN, MARGIN // 2 + LEADING // 2), banner)
    _write(draw, (sheet.width + MARGIN, top + MARGIN), body)
    return picture


def _report_lines(draft: Draft) -> Iterator[_Line]:
    """Every line of the panel before it is wrapped: the report, the marks' legend, what a reader must know."""
    for paragraph in draft.text.splitlines():
        if HEADING.match(paragraph):
            yield _Line("", 4)
        yield _Line(paragraph)
    yield _Line("", 10)
    for number, finding in enumerate(draft.report.findings, 1):
        sure = f", {finding.probability:.0%}" if finding.probability is not None else ""
        where = "" if finding.boxes else " (no place found)"
        yield _Line(f"{number}  {finding.kind}{sure}{where}", 15, FAINT)
    for note in draft.notes():
        yield _Line(note, 15, WARN)


def _wrapped(line: _Line, width: int) -> Iterator[_Line]:
    """A line broken where its own font no longer fits `width` pixels; a word longer than that is cut."""
    font = ImageFont.load_default(size=line.size)
    kept = ""
    for word in re.findall(r"\S+\s*|\s+", line.text):
        if kept and font.getlength((kept + word).rstrip()) > width:
            yield _Line(kept.rstrip(), line.size, line.colour)
            kept = ""
        kept += word
        while font.getlength(kept.rstrip()) > width:
            fits = max(1, sum(font.getlength(kept[:n]) <= width for n in range(1, len(kept) + 1)))
            yield _Line(kept[:fits], line.size, line.colour)
            kept = kept[fits:]
    yield _Line(kept.rstrip(), line.size, line.colour)


def _height(lines: list[_Line]) -> int:
    return sum(line.size + LEADING for line in lines)


def _write(draw: ImageDraw.ImageDraw, at: tuple[int, int], lines: list[_Line]) -> None:
    """Lines under each other from a corner on."""
    left, y = at
    for line in lines:
        draw.text((left, y), line.text, line.colour, ImageFont.load_default(size=line.size))
        y += line.size + LEADING
