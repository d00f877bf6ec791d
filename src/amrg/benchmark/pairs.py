"""One case as it is scored: the reference beside what a system wrote."""

from __future__ import annotations

from dataclasses import dataclass, field

from amrg.birads import Laterality, Report, View
from amrg.datasets.case import ReferenceSource


@dataclass(frozen=True)
class Pair:
    """A reference and a draft of one case. `text` and `report` are None where the system failed: never a zero.

    `reference` holds the facts (from the reference text, labels or a phantom's truth, boxes included where the data
    set has places); `report` those of the draft, with boxes where the system gave any. Where `findings_known` is False
    the data set publishes none: that `reference` lists none says nothing.
    """

    key: str
    group: str
    source: ReferenceSource
    reference_text: str
    reference: Report
    text: str | None
    report: Report | None
    views: tuple[tuple[Laterality, View], ...] = ()
    has_prior: bool = False
    findings_known: bool = True
    subgroups: dict[str, str] = field(default_factory=dict)
