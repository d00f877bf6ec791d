"""Which of a text's categories hold: the latest for each breast, and those of the mammogram."""

from __future__ import annotations

from bisect import bisect_right

from amrg.birads.categories.alternation import sides_in_turn
from amrg.birads.categories.standing import Standing
from amrg.birads.lexicon import Laterality
from amrg.birads.parser.partial_finding import PartialFinding
from amrg.birads.parser.rating import NamedCategory, Ratings
from amrg.birads.report import Assessment, Finding
from amrg.birads.structure.addenda import Parts
from amrg.birads.text.phrases import Concept
from amrg.birads.validity import is_unassessed

Rank = tuple[int, int]
"""When something was written: the part of the text, and how many changes of the category come before it."""
_EXAMINED = frozenset({Standing.ULTRASOUND, Standing.MRI, Standing.CONTRAST_MAMMOGRAPHY})


def settle(
    ratings: Ratings, drafts: list[PartialFinding], parts: Parts
) -> tuple[list[NamedCategory], list[tuple[Standing, NamedCategory]]]:
    """The categories that hold and those that do not: of what was written at different times the latest holds."""

    def rank(begin: int) -> Rank:
        return parts.rank(begin), bisect_right(ratings.replaced_at, begin)

    if not parts.starts and not ratings.replaced_at:
        _give_sides(ratings)
    stated = _of_study(ratings.categories or [named for _, named in ratings.tentative], ratings, drafts)
    others = [*ratings.others, *(ratings.tentative if ratings.categories else ())]
    together = [named for named in stated if _is_combined(named, ratings, others)]
    if together:
        stated = [named for named in stated if named not in together]
        others += [(Standing.COMBINED, named) for named in together]
    if not any(standing in _EXAMINED for standing, _ in others):
        replaced = _replaced_by_overall(stated, ratings)
        stated = [named for named in stated if named not in replaced]
        others += [(Standing.SUPERSEDED, named) for named in replaced]
    latest: dict[Laterality | None, Rank] = {}
    for named in stated:
        latest[named.side] = max(rank(named.begin), latest.get(named.side, (0, 0)))
    if not parts.starts and not ratings.replaced_at:
        return stated, others
    for draft in drafts:
        slot = draft.slots.get(Concept.CATEGORY)
        if slot is None:
            continue
        sides = draft.value(Concept.SIDE) or (None,)
        own = NamedCategory(slot[0], sides[0] if len(sides) == 1 else None, *slot[1:])
        if _is_superseded(own, rank(own.begin), latest):
            others.append((Standing.SUPERSEDED, own))
            del draft.slots[Concept.CATEGORY]
    held = []
    for named in stated:
        if _is_superseded(named, rank(named.begin), latest):
            others.append((Standing.SUPERSEDED, named))
        else:
            held.append(named)
    return held, list(dict.fromkeys(others))


def _give_sides(ratings: Ratings) -> None:
    """Give the categories alone in their sentences the breasts that are described in turn before them."""
    for at, side in sides_in_turn(ratings.topics).items():
        named = ratings.categories[at]
        ratings.categories[at] = sided = named._replace(side=named.side or side)
        if named in ratings.of_mammogram:
            ratings.of_mammogram.add(sided)


def _of_study(stated: list[NamedCategory], ratings: Ratings, drafts: list[PartialFinding]) -> list[NamedCategory]:
    """The only category of a text on its last breast's line is the study's where it need not be that breast's.

    That is where the other breast has findings, or neither has: `LEFT BREAST: a mass. RIGHT BREAST: normal. BI-RADS 5.`
    """
    sides = {named.side for named in stated}
    if len({named.begin for named in stated}) != 1 or None in sides or not ratings.by_heading.issuperset(stated):
        return stated
    before = [draft for draft in drafts if draft.begin < stated[0].begin]
    found = {side for draft in before for side in draft.value(Concept.SIDE) or ()}
    headed = ratings.headed if found.isdisjoint(sides) else frozenset()
    return [named._replace(side=None) for named in stated] if (found | headed) - sides else stated


def _replaced_by_overall(stated: list[NamedCategory], ratings: Ratings) -> list[NamedCategory]:
    """The mammogram's own category where another one is called overall: `BI-RADS 1 mammographically; overall 4`."""
    overall = {named.category for named in stated if named.side is None and named in ratings.overall}
    own = (named for named in stated if named in ratings.of_mammogram - ratings.overall)
    return [named for named in own if named.side is None and overall and named.category not in overall]


def _is_combined(named: NamedCategory, ratings: Ratings, others: list[tuple[Standing, NamedCategory]]) -> bool:
    """Whether a category is for all examinations together: it names none, the mammogram and another have their own."""
    if not ratings.of_mammogram or named in ratings.of_mammogram:
        return False
    examined = any(standing in _EXAMINED for standing, _ in others)
    return examined and any(
        other.side is named.side or other.side is None or named.side is None for other in ratings.of_mammogram
    )


def _is_superseded(named: NamedCategory, rank: Rank, latest: dict[Laterality | None, Rank]) -> bool:
    """Whether a later part of the text names a category for the same breast, or for both."""
    sides = latest if named.side is None else (named.side, None)
    return any(latest.get(side, rank) > rank for side in sides)


def assessments_of(
    held: list[NamedCategory], findings: list[Finding], drafts: list[PartialFinding]
) -> dict[Assessment, tuple[int, int]]:
    """The categories named for breast or study, with their spans, and those of findings in a breast without one."""
    made: dict[Assessment, tuple[int, int]] = {}
    for named in held:
        made.setdefault(Assessment(category=named.category, laterality=named.side), (named.begin, named.end))
    rated = {named.side for named in held}
    if None in rated or len(rated) == len(Laterality):
        return made
    spans = [draft.slots.get(Concept.CATEGORY) for draft in drafts for _ in draft.findings()]
    for finding, slot in zip(findings, spans, strict=True):
        if finding.category is None or slot is None:
            continue
        if not held or is_unassessed(finding, rated):
            made.setdefault(Assessment(category=finding.category, laterality=finding.laterality), slot[1:])
    return made
