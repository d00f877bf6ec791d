"""Cases that belong together: one patient, one report text, or report texts that are near duplicates."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from amrg.datasets.case import Case, ReferenceSource
from amrg.datasets.splits.groups import text_group
from amrg.datasets.splits.near_duplicates import Pairs, near_links, word_pairs
from amrg.datasets.splits.union_find import DisjointSets


@dataclass(frozen=True)
class LinkedCases:
    """Cases that a split must keep on one side: their keys in order, and how many of them have each category."""

    keys: tuple[str, ...]
    strata: dict[str, int]


def has_own_text(case: Case) -> bool:
    """Whether a case has a text that a person wrote: those rendered from labels or truth are alike by construction."""
    return case.source is ReferenceSource.RADIOLOGIST and bool(case.text.strip())


def link_cases(cases: Iterable[Case]) -> list[LinkedCases]:
    """Cases linked by group, by equal text (`fold`ed), and by near-duplicate text, in order of their first.

    Near duplicates are followed from text to text, so that no two near texts are ever apart.
    """
    keys, strata, sets = [], [], DisjointSets()
    first_of: dict[str, int] = {}
    texts: dict[int, Pairs] = {}
    for number, case in enumerate(cases):
        keys.append(case.key)
        strata.append(_stratum(case))
        sets.add()
        sets.join(number, first_of.setdefault(case.group, number))
        if has_own_text(case):
            first = first_of.setdefault(text_group(case.text), number)
            sets.join(number, first)
            if first not in texts:
                texts[first] = word_pairs(case.text)
    numbers = list(texts)
    for one, other in near_links(list(texts.values())):
        sets.join(numbers[one], numbers[other])
    return [
        LinkedCases(tuple(keys[i] for i in members), dict(Counter(strata[i] for i in members)))
        for members in sets.members()
    ]


def _stratum(case: Case) -> str:
    """The worst category of a case's reference."""
    return "none" if case.reference.worst is None else case.reference.worst.value
