"""Wording that the law fixes for reports of a facility: in the United States 21 CFR 900.12(c)(1)(iv) to (vi)."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from amrg.birads.lexicon import Category, Composition, Recommendation
from amrg.birads.renderer.exam import one_breast
from amrg.birads.report import Report


class Facility(StrEnum):
    """Where a report is issued, as far as the law there fixes its words."""

    US = "us"


_ASSESSMENT = {
    1: "Negative",
    2: "Benign",
    3: "Probably Benign",
    4: "Suspicious",
    5: "Highly Suggestive of Malignancy",
    6: "Known Biopsy-Proven Malignancy",
}
_NEED_IMAGING = "Incomplete: Need additional imaging evaluation"
_NEED_PRIORS = "Incomplete: Need prior mammograms for comparison"
_DENSITY = {
    Composition.A: "The breasts are almost entirely fatty.",
    Composition.B: "There are scattered areas of fibroglandular density.",
    Composition.C: "The breasts are heterogeneously dense, which may obscure small masses.",
    Composition.D: "The breasts are extremely dense, which lowers the sensitivity of mammography.",
}


def assessment_words(report: Report, categories: Sequence[str]) -> str:
    """The fixed words for the most suspicious of a breast's categories.

    A category 0 needs prior mammograms where the report says that none was available, advises no more imaging and has
    nothing unconfirmed, and additional imaging otherwise.
    """
    worst = max(map(Category, categories), key=lambda c: c.suspicion)
    if worst is not Category.INCOMPLETE:
        return _ASSESSMENT[worst.major]
    unavailable = report.comparison is not None and not report.comparison.available
    more = report.recommendation is Recommendation.ADDITIONAL_IMAGING or bool(report.unconfirmed)
    return _NEED_PRIORS if unavailable and not more else _NEED_IMAGING


def density_sentence(report: Report, composition: Composition) -> str:
    """The fixed sentence for breast density, singular where the report is about one breast.

    The singular is allowed since July 2025 (MQSA Alternative Standard 26).
    """
    text = _DENSITY[composition]
    return text.replace("The breasts are", "The breast is") if _is_of_one_breast(report) else text


def _is_of_one_breast(report: Report) -> bool:
    """Whether the exam is of one breast: by its views, else all assessments of one side and nothing in the other."""
    stated = one_breast(report)
    if stated is not None:
        return stated
    sides = {a.laterality for a in report.assessments}
    described = {f.laterality for f in report.findings} | {n.laterality for n in report.negatives}
    return len(sides) == 1 and None not in sides and described <= sides | {None}
