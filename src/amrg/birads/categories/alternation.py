"""Breasts described in turn, each with its category in a sentence of its own: `Left breast: a mass. BI-RADS 4. ...`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

from amrg.birads.lexicon import Category, Laterality
from amrg.birads.text.headings import Section

_WHOLE_WORDS = (
    "overall final combined composite together integrated total highest worst exam examination study mammogram "
    "mammography patient both bilateral"
)
WHOLE_STUDY = frozenset(_WHOLE_WORDS.split())
"""Words that make a category that of the study."""


class Topic(NamedTuple):
    """What a sentence speaks of: the breasts it names, whether a finding, whether anything is normal or denied."""

    section: Section
    sides: frozenset[Laterality]
    finds: bool
    clears: bool
    numbers: tuple[Category, ...]  # categories that it states by number
    rates: tuple[int, ...]  # which of the text's categories these are, where nothing else is in it


class _Turn(NamedTuple):
    """A sentence with a category, the breast that it is about, and the sentences before it where it stands alone."""

    side: Laterality | None
    topic: Topic
    before: tuple[Topic, ...]


def sides_in_turn(topics: Sequence[Topic]) -> dict[int, Laterality]:
    """The breasts that categories without a side rate, by the place of the category in the text's list.

    Only where it is clear within one section: each such category follows sentences about one breast, and there are
    some for both breasts. None has a side where one of them may be the study's.
    """
    made: dict[int, Laterality] = {}
    for _, section in groupby(topics, key=lambda topic: topic.section):
        turns = list(_turns(section))
        clear = {turn.side for turn in turns} == set(Laterality)
        if clear and not any(_may_be_of_study(turn, turns) for turn in turns):
            made |= {at: turn.side for turn in turns for at in turn.topic.rates if turn.side is not None}
    return made


def _turns(topics: Iterator[Topic]) -> Iterator[_Turn]:
    """Every sentence of a section that has a category."""
    before: list[Topic] = []
    for topic in topics:
        if not topic.numbers:
            before.append(topic)
            continue
        alone = tuple(before) if topic.rates else ()
        yield _Turn(_only_side(alone or (topic,)), topic, alone)
        before = []


def _only_side(topics: tuple[Topic, ...]) -> Laterality | None:
    """The one breast that sentences name; None where they name none or both."""
    named = frozenset[Laterality]().union(*(topic.sides for topic in topics))
    return next(iter(named)) if len(named) == 1 else None


def _may_be_of_study(turn: _Turn, turns: list[_Turn]) -> bool:
    """Whether a category alone in its sentence may be the study's.

    It may where it is 3 or worse after a breast without a finding, or where it repeats the worst that is stated within
    a sentence about the other breast.
    """
    if not turn.topic.rates:
        return False
    worst = max(c.suspicion for c in turn.topic.numbers)
    cleared = any(t.clears for t in turn.before) and not any(t.finds for t in turn.before)
    if cleared and worst >= Category.PROBABLY_BENIGN.suspicion:
        return True
    others = [c.suspicion for t in turns if not t.topic.rates and t.side is not turn.side for c in t.topic.numbers]
    return bool(others) and worst == max(others)
