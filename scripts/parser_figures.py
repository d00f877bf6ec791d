"""The parser's figures on the real reports of DMID: `make parser-figures` prints them, a test holds them.

`labels.csv` names only the lesion that was marked, so a report may name more; some labels are wrong.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from dmid_data import dmid_labels, dmid_reports

from amrg.birads import (
    ASYMMETRIES,
    SUSPICIOUS_MORPHOLOGY,
    Category,
    Composition,
    Finding,
    Kind,
    Location,
    Negative,
    Report,
    parse,
)
from amrg.birads.report import Assessment
from amrg.metrics.clinical.agreement import Agreement, Count
from amrg.metrics.intervals import percentiles, wilson

ANNOTATIONS = Path(__file__).parents[1] / "tests" / "birads" / "dmid_annotations.json"
"""Eighty reports read by hand."""
MASS_LIKE = {Kind.MASS, Kind.DISTORTION, *ASYMMETRIES}
NAMED_ACR = re.compile(r"ACR[\s:-]*(?:type|category)?[\s:-]*([A-D])\b", re.I)
NAMED_CATEGORIES = re.compile(r"B[IA]+RD?A?R?D?S?\s*[:-]?\s*((?:[0-6]\s*[abc]?\b[\s,&]*(?:and)?\s*)+)", re.I)

WRONG_LABELS = {
    "Img135": "the report denies any opacity or calcification: the label, or the report, is another image's",
    "Img302": "the report describes an ill-defined opacity with retraction: no normal mammogram",
    "Img306": "what was marked is a skin lesion, which the report distinguishes from a mass, and it denies one",
    "Img307": "what was marked is a skin lesion, which the report distinguishes from a mass, and it denies one",
}
"""Disagreements of label and report in which the label is wrong, and why."""


def annotated(path: Path = ANNOTATIONS) -> dict[str, Report]:
    """Image id to the report as read by hand."""
    reports = json.loads(path.read_text(encoding="utf-8"))["reports"]
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


def named_categories(text: str) -> set[str]:
    """The categories that a text names, found without the parser."""
    found = " ".join(m.group(1) for m in NAMED_CATEGORIES.finditer(text))
    return {c.replace(" ", "").upper() for c in re.findall(r"[0-6]\s?[abc]?\b", found, re.I)}


def has_mass(report: Report) -> bool:
    """A mass, asymmetry or distortion."""
    return any(f.kind in MASS_LIKE for f in report.findings)


def has_calcifications(report: Report) -> bool:
    """Calcifications, alone or within another finding."""
    return any(Kind.CALCIFICATIONS in (f.kind, *f.associated) for f in report.findings)


def has_nothing(report: Report) -> bool:
    """Neither a mass nor a suspicious calcification."""
    return not any(f.kind is Kind.MASS or _is_suspicious(f) for f in report.findings)


def _is_suspicious(finding: Finding) -> bool:
    """Calcifications that are called suspicious, or by a morphology that is, or by nothing at all."""
    if finding.kind is not Kind.CALCIFICATIONS or finding.benign_looking:
        return False
    return finding.morphology in SUSPICIOUS_MORPHOLOGY or finding.morphology is None


@dataclass(frozen=True)
class Share:
    """A share of reports that parse as their label says, and those that do not."""

    name: str
    n: int
    wrong: tuple[str, ...]

    @property
    def value(self) -> float:
        """Share that agrees."""
        return 1 - len(self.wrong) / self.n


def shares() -> list[Share]:
    """Agreement with the labels, abnormality by abnormality."""
    parsed = {image: parse(text).report for image, text in dmid_reports().items()}
    marked = {row["image_id"]: row["abnormality"] for row in dmid_labels()}
    rules: dict[str, tuple[set[str], Callable[[Report], bool]]] = {
        "mass": ({"mass", "both"}, has_mass),
        "calcification": ({"calcification", "both"}, has_calcifications),
        "normal": ({"normal"}, has_nothing),
    }
    made = []
    for name, (wanted, agrees) in rules.items():
        images = [image for image, label in marked.items() if label in wanted]
        made.append(Share(name, len(images), tuple(i for i in images if not agrees(parsed[i]))))
    return made


def agreements(annotations: Path = ANNOTATIONS) -> list[Agreement]:
    """The parser against each report read by hand."""
    real, made = dmid_reports(), []
    for image, truth in annotated(annotations).items():
        counted = Agreement()
        counted.add(parse(real[image]).report, truth)
        made.append(counted)
    return made


def f1(counted: list[Agreement], part: str) -> float:
    """F1 of one part over several reports."""
    counts: list[Count] = [getattr(a, part) for a in counted]
    right, wrong = sum(c.right for c in counts), sum(c.invented + c.missed for c in counts)
    return 2 * right / (2 * right + wrong)


def f1_interval(counted: list[Agreement], part: str) -> tuple[float, float]:
    """Its 95 % interval: 1,000 resamples of reports."""
    rng = np.random.default_rng(0)
    drawn = [f1([counted[i] for i in rng.integers(0, len(counted), len(counted))], part) for _ in range(1000)]
    return percentiles(drawn)


def main() -> None:
    """Print every figure, and every disagreement with its text."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--annotations", type=Path, default=ANNOTATIONS, help="reports read by hand, as JSON")
    given = parser.parse_args()
    real = dmid_reports()
    for share in shares():
        low, high = wilson(share.n - len(share.wrong), share.n)
        sys.stdout.write(f"figure parser_{share.name}_agreement {share.value:.4f} {share.n} {low:.4f} {high:.4f}\n")
        for image in share.wrong:
            sys.stdout.write(f"  {image}: {WRONG_LABELS.get(image, 'misread')}\n    {' '.join(real[image].split())}\n")
    counted = agreements(given.annotations)
    for part in ("findings", "places", "descriptors", "denials"):
        low, high = f1_interval(counted, part)
        sys.stdout.write(f"figure parser_{part}_f1 {f1(counted, part):.4f} {len(counted)} {low:.4f} {high:.4f}\n")


if __name__ == "__main__":
    main()
