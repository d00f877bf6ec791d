"""How well a parsed report agrees with a reading by hand: findings, descriptors, denials, counted and scored."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from amrg.birads.report import Finding, Report

DESCRIPTORS = ("shape", "margin", "density", "morphology", "distribution")
"""Fields of a finding that describe it; together with kind, side and quadrant they make two findings the same."""


@dataclass(slots=True)
class Count:
    """Right, invented and missed items."""

    right: int = 0
    invented: int = 0
    missed: int = 0

    def add(self, predicted: Iterable[object], reference: Iterable[object]) -> None:
        """Compare two bags of items."""
        a, b = Counter(predicted), Counter(reference)
        common = sum((a & b).values())
        self.right += common
        self.invented += a.total() - common
        self.missed += b.total() - common

    @property
    def f1(self) -> float:
        """2 right / (2 right + invented + missed); not a number where there is nothing to count."""
        total = 2 * self.right + self.invented + self.missed
        return 2 * self.right / total if total else math.nan

    @property
    def n(self) -> int:
        """Items in the reference."""
        return self.right + self.missed


@dataclass(slots=True)
class Agreement:
    """Counts over many reports: whole findings, kinds with place, single descriptors, denials."""

    findings: Count = field(default_factory=Count)
    places: Count = field(default_factory=Count)
    descriptors: Count = field(default_factory=Count)
    denials: Count = field(default_factory=Count)

    def add(self, predicted: Report, reference: Report) -> None:
        """Count one report."""
        self.findings.add(map(_whole, predicted.findings), map(_whole, reference.findings))
        self.places.add(map(placed, predicted.findings), map(placed, reference.findings))
        self.descriptors.add(_described(predicted.findings), _described(reference.findings))
        self.denials.add(predicted.negatives, reference.negatives)


def placed(finding: Finding) -> tuple[object, ...]:
    """Kind, side and quadrant: what makes two findings the same but for their descriptors."""
    return finding.kind, finding.laterality, finding.location.quadrant


def _whole(finding: Finding) -> tuple[object, ...]:
    """Kind, place and every descriptor: all must be right."""
    return (*placed(finding), *(getattr(finding, name) for name in DESCRIPTORS))


def _described(findings: Iterable[Finding]) -> list[tuple[Any, ...]]:
    """Single descriptors, categories, looks and associated features with the kind they describe."""
    single = [
        (f.kind, name, getattr(f, name))
        for f in findings
        for name in (*DESCRIPTORS, "category", "benign_looking")
        if getattr(f, name) is not None
    ]
    return single + [(f.kind, "associated", kind) for f in findings for kind in f.associated]
