"""The report picture: the views as they hang, the findings' marks, and the report beside them."""

from __future__ import annotations

import textwrap

from PIL import Image, ImageDraw, ImageFont

from amrg.generation.drafting import Draft
from amrg.imaging import Mark, Study, contact_sheet

PANEL = 640
PAPER, INK, FAINT, WARN = (250, 249, 246), (30, 32, 36), (110, 112, 118), (178, 34, 34)
MARGIN = 28


def report_picture(study: Study, draft: Draft) -> Image.Image:
    """Views with numbered marks at the left, the drafted report at the right."""
    marks = [
        Mark(box=box, label=str(number))
        for number, finding in enumerate(draft.report.findings, 1)
        for box in finding.boxes
    ]
    sheet = contact_sheet(study, marks)
    panel = _panel(draft, sheet.height)
    whole = Image.new("RGB", (sheet.width + panel.width, max(sheet.height, panel.height)), PAPER)
    whole.paste(sheet, (0, 0))
    whole.paste(panel, (sheet.width, 0))
    return whole


def _panel(draft: Draft, height: int) -> Image.Image:
    """The text panel: as tall as the sheet, or as the text needs."""
    lines = _lines(draft)
    needed = 2 * MARGIN + sum(size + 9 for _, size, _ in lines)
    panel = Image.new("RGB", (PANEL, max(height, needed)), PAPER)
    draw = ImageDraw.Draw(panel)
    y = MARGIN
    for text, size, colour in lines:
        draw.text((MARGIN, y), text, colour, ImageFont.load_default(size=size))
        y += size + 9
    return panel


def _lines(draft: Draft) -> list[tuple[str, int, tuple[int, int, int]]]:
    """Every line with its size and colour: banner, report, marks, what is missing."""
    lines = [(banner, 17, WARN) for text in banners(draft) for banner in textwrap.wrap(text, 66)]
    lines.append(("", 8, INK))
    for paragraph in draft.text.splitlines():
        lines += [(line, 17, INK) for line in textwrap.wrap(paragraph, 66) or [""]]
    lines.append(("", 8, INK))
    for number, finding in enumerate(draft.report.findings, 1):
        sure = f", {finding.probability:.0%}" if finding.probability is not None else ""
        where = "" if finding.boxes else " (no place found)"
        lines.append((f"{number}  {finding.kind}{sure}{where}", 15, FAINT))
    for note in (*missing_lines(draft), *draft.problems):
        lines += [(line, 15, WARN) for line in textwrap.wrap(note, 76)]
    return lines


def banners(draft: Draft) -> list[str]:
    """What stands above every output: unverified, drafted by which model, and whether outside its domain."""
    model = draft.report.provenance.model if draft.report.provenance else "an unnamed model"
    said = [f"UNVERIFIED DRAFT, written by AI model {model}. Not for clinical use."]
    if draft.in_domain is False:
        said.append("outside the model's domain: drafted by force, not to be relied on")
    return said


def missing_lines(draft: Draft) -> list[str]:
    """One line that names the views the study lacks, if any."""
    names = ", ".join(f"{side}{view}" for side, view in draft.missing)
    return [f"missing from the study: {names}"] if names else []
