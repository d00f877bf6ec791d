"""What is wrong with a model's text, in lines for the radiologist: text not understood, and broken rules."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from amrg.birads import Laterality, ParsedReport, Report, Standing, View, Violation, check
from amrg.birads.draft import describe_finding

_OTHER_EXAMINATIONS = frozenset([Standing.ULTRASOUND, Standing.MRI, Standing.CONTRAST_MAMMOGRAPHY])
_OF_DRAFT = frozenset(["place-against-box", "breast-removed"])
"""Rules on what the draft adds to the model's report: boxes, and a mastectomy."""
_ITEM = re.compile(r"(findings|assessments)\[(\d+)\]")


def find_problems(
    parsed: ParsedReport, drafted: Report, views: Sequence[tuple[Laterality, View]], has_prior: bool
) -> Iterator[str]:
    """A line for every piece of the model's text that was not understood, and for every rule that its report breaks.

    `drafted` is the report of the draft: what has boxes there is held against them.
    """
    for span in parsed.unread:
        yield f'Not understood in the model\'s text: "{" ".join(span.text.split())}"'
    for other in parsed.other_categories:
        if other.standing in _OTHER_EXAMINATIONS:
            yield f"Not from these images: category {other.category}, {other.standing}."
    for violation in check(parsed.report, views, has_prior):
        yield f"Inconsistent, {_subject(parsed.report, violation)}: {violation.message}."
    for violation in check(drafted, views):
        if violation.rule in _OF_DRAFT:
            yield f"Inconsistent, {_subject(drafted, violation)}: {violation.message}."
    if parsed.report.worst is None:
        yield "No BI-RADS category: the model named none."


def _subject(report: Report, violation: Violation) -> str:
    """What in the report a violation is about."""
    item = _ITEM.match(violation.path)
    if item is None:
        return violation.path
    if item[1] == "findings":
        return describe_finding(report.findings[int(item[2])])
    side = report.assessments[int(item[2])].laterality
    return "overall category" if side is None else f"{side.name.lower()} breast category"
