"""What is wrong with a model's text, in lines for the radiologist: text not understood, and broken rules."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import combinations

import numpy as np

from amrg.birads import Answer, Laterality, Report, Standing, View, Violation, check
from amrg.birads.draft import describe_finding
from amrg.birads.renderer.phrasing import SIDE
from amrg.imaging import FramedBreast

_OTHER_EXAMINATIONS = frozenset([Standing.ULTRASOUND, Standing.MRI, Standing.CONTRAST_MAMMOGRAPHY])
_OF_DRAFT = frozenset(["place-against-box", "quadrant-against-view", "breast-removed"])
"""Rules on what the draft adds to the model's report: boxes, the views that they are on, and a mastectomy."""
_BY_LIST = frozenset(["composition-against-narrative", "category-against-narrative"])
"""Rules that the differences between a list and its narrative state in more detail."""
_ITEM = re.compile(r"(findings|assessments)\[(\d+)\]")


def find_problems(
    answer: Answer, drafted: Report, views: Sequence[tuple[Laterality, View]], has_prior: bool
) -> Iterator[str]:
    """A line for every piece of the model's text that was not understood, for everything in which its list and its
    narrative differ, and for every rule that its report breaks.

    `drafted` is the report of the draft: what has boxes there is held against them.
    """
    yield from _problems_of_list(answer)
    for span in answer.parsed.unread:
        yield f'Not understood in the model\'s text: "{" ".join(span.text.split())}"'
    for other in answer.parsed.other_categories:
        if other.standing in _OTHER_EXAMINATIONS:
            yield f"Not from these images: category {other.category}, {other.standing}."
    all_own = check(answer.report, views, has_prior)
    own = [violation for violation in all_own if answer.listed is None or violation.rule not in _BY_LIST]
    added = [violation for violation in check(drafted, views) if violation.rule in _OF_DRAFT]
    yield from dict.fromkeys([*_lines(answer.report, own), *_lines(drafted, added)])
    if answer.report.worst is None:
        yield "No BI-RADS category: the model named none."


def cut_answer(tokens: int) -> str:
    """The line of a text that ended at its limit of tokens."""
    return f"Incomplete: the model's text was cut at its limit of {tokens} tokens; findings may be missing from it."


def unrated_breast(side: Laterality) -> str:
    """The line of a breast that neither the categories nor the findings of a text rate."""
    return f"Incomplete: the model named no category for the {SIDE[side]} breast, so it is BI-RADS 0."


def same_pictures(views: Sequence[tuple[Laterality, View]], framed: Sequence[FramedBreast]) -> Iterator[str]:
    """A line for every two views that are one picture, mirrored where they are of two sides."""
    as_left = [
        breast.pixels[:, ::-1] if side is Laterality.RIGHT else breast.pixels
        for (side, _), breast in zip(views, framed, strict=True)
    ]
    for (one, pixels), (other, others) in combinations(zip(views, as_left, strict=True), 2):
        if np.array_equal(pixels, others):
            yield (
                f"Inconsistent: {''.join(one)} and {''.join(other)} are one picture, so one of them is not what it is "
                "named; correct the files."
            )


def _problems_of_list(answer: Answer) -> Iterator[str]:
    """What is wrong with the list that a text begins with, and where its narrative differs."""
    if answer.listed is None:
        return
    for words in answer.listed.unread:
        yield f'Not understood in the model\'s findings list: "{words}"'
    if not answer.listed.finished:
        yield "Incomplete: the model's text ends within its findings list."
    elif not answer.narrative.strip():
        yield "Incomplete: the model wrote no narrative after its findings list."
    for difference in answer.differences:
        yield f"Findings list and narrative differ, the list counts: {difference}."


def _lines(report: Report, violations: Sequence[Violation]) -> Iterator[str]:
    """A line for every rule that a report breaks."""
    for violation in violations:
        yield f"Inconsistent, {_subject(report, violation)}: {violation.message}."


def _subject(report: Report, violation: Violation) -> str:
    """What in the report a violation is about."""
    item = _ITEM.match(violation.path)
    if item is None:
        return violation.path
    if item[1] == "findings":
        return describe_finding(report.findings[int(item[2])])
    side = report.assessments[int(item[2])].laterality
    return "overall category" if side is None else f"{side.name.lower()} breast category"
