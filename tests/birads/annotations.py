"""The 80 reports read by hand, as reports."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from amrg.birads import Category, Composition, Finding, Kind, Location, Negative, Report
from amrg.birads.report import Assessment


def annotated() -> dict[str, Report]:
    """Image id to the report as read by hand."""
    path = Path(__file__).parent / "dmid_annotations.json"
    reports = json.loads(path.read_text())["reports"]
    return {image: _report(entry) for image, entry in reports.items()}


def _report(entry: dict[str, Any]) -> Report:
    return Report(
        composition=Composition(entry["composition"]),
        findings=tuple(_finding(f) for f in entry["findings"]),
        negatives=tuple(Negative(kind=Kind(k)) for k in entry["negatives"]),
        assessments=tuple(Assessment(category=Category(c)) for c in entry["categories"]),
    )


def _finding(entry: dict[str, Any]) -> Finding:
    place = Location(quadrant=entry.get("quadrant"), depth=entry.get("depth"))
    rest = {k: v for k, v in entry.items() if k not in ("quadrant", "depth")}
    return Finding(location=place, **rest)
