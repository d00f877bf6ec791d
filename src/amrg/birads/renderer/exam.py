"""Wording for the exam: its views, breasts removed before it, what the advice is for, what is unconfirmed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from amrg.birads.lexicon import Category, Laterality, Recommendation, View, usual_recommendation
from amrg.birads.renderer.phrasing import EDITION, SIDE, join_words, noun, region
from amrg.birads.report import ExamView, Finding, Report, Technique


def technique(report: Report) -> str:
    """Which breasts were imaged, the views, which of them are synthetic, and the edition that the report follows."""
    views = "Mammography" if report.technique is None else _views(report.technique)
    return f"{views}, {EDITION[report.edition]}."


def mastectomy(report: Report) -> str:
    """`Status post right mastectomy.`"""
    side = "bilateral" if len(report.mastectomy) > 1 else SIDE[report.mastectomy[0]]
    return f"Status post {side} mastectomy."


def one_breast(report: Report) -> bool | None:
    """Whether the exam is of one breast, by its views or a mastectomy; None where the report states neither."""
    if report.technique is not None:
        return len({side for side, _ in report.technique.views}) == 1
    return len(report.mastectomy) == 1 if report.mastectomy else None


def subject(report: Report) -> str:
    """` of the mass in the right breast, upper outer quadrant`: what the recommendation is for, empty where unknown.

    Lesions are named only where one is in a breast with the worst category, so that it reads as the advice for that.
    Where the views are known and no lesion is, it is for the breasts with that category.
    """
    advised = [f for f in (*report.findings, *report.unconfirmed) if f.recommendation is not None]
    advised = [f for f in advised if f.recommendation is report.recommendation]
    worst = {a.laterality for a in report.assessments if a.category is report.worst}
    sides = {f.laterality for f in advised} - {None}
    if not advised:
        return _of_breasts(worst) if report.technique is not None else ""
    if sides and None not in worst and not sides & worst:
        return ""
    possible = [f in report.unconfirmed for f in advised]
    described = (f"the {'possible ' * p}{_in_breast(f)}" for f, p in zip(advised, possible, strict=True))
    *others, last = dict.fromkeys(described)
    return f" of {', '.join(others)}, and {last}" if others else f" of {last}"


def other_advice(report: Report) -> Iterator[tuple[Laterality, Recommendation]]:
    """What is usually advised for a breast that is not the worst, where that is neither screening nor the same again.

    Of a report that states its views, and the usual step for the worst of them. A text without it means the same.
    """
    rated = {a.laterality: a.category for a in report.assessments}
    if report.technique is None or None in rated or len(rated) < len(report.assessments) or report.worst is None:
        return
    main = usual_recommendation(report.worst)
    for side, category in rated.items():
        step = usual_recommendation(category)
        if side and report.recommendation is main and step not in (Recommendation.ROUTINE, main):
            yield side, step


def _of_breasts(sides: set[Laterality | None]) -> str:
    """` of the right breast`; nothing where it is not known which."""
    named = [SIDE[side] for side in Laterality if side in sides]
    if None in sides or not named:
        return ""
    return " of both breasts" if len(named) > 1 else f" of the {named[0]} breast"


def unconfirmed(report: Report) -> Iterator[str]:
    """A line a finding that the image features do not support: what, where, how probable, what it may be and needs."""
    for finding in report.unconfirmed:
        probable = "not located on any view"
        if finding.probability is not None:
            probable = f"probability {finding.probability:.2f}"
        category = "" if finding.category is None else f", BI-RADS {finding.category} if confirmed"
        needs = "; needs additional imaging" if finding.suspicion >= Category.PROBABLY_BENIGN.suspicion else ""
        yield f"Possible {_in_breast(finding)}, {probable}{category}{needs}."


def _views(value: Technique) -> str:
    """`Bilateral mammography, CC and MLO views`."""
    right, left = value.of_side(Laterality.RIGHT), value.of_side(Laterality.LEFT)
    if right == left:
        text = f"Bilateral mammography, {_named(right)}"
    elif right and left:
        text = f"Mammography, {_by_side(value.views)}"
    else:
        text = f"Unilateral {SIDE[value.views[0][0]]} mammography, {_named(right or left)}"
    if not value.synthetic:
        return text
    return f"{text}, synthetic 2D" + (f" {_by_side(value.synthetic)}" if value.synthetic != value.views else "")


def _by_side(views: Sequence[ExamView]) -> str:
    """`right CC and MLO views, left CC view`."""
    sides = groupby(views, key=lambda v: v[0])
    return ", ".join(f"{SIDE[side]} {_named([view for _, view in of_side])}" for side, of_side in sides)


def _named(views: Sequence[View]) -> str:
    return f"{join_words([str(v) for v in views])} view{'s' if len(views) > 1 else ''}"


def _in_breast(finding: Finding) -> str:
    """`mass in the right breast, upper outer quadrant`, as far as it is stated."""
    side = "" if finding.laterality is None else f" in the {SIDE[finding.laterality]} breast"
    place = "" if finding.location.quadrant is None else f", {region(finding.location.quadrant)}"
    return f"{noun(finding)}{side}{place}"
