"""Near-duplicate report texts: which there are, exactly, without comparing every text with every other.

Two texts are near duplicates where the Jaccard similarity of their word pairs (of `fold`ed words, counted as often as
they occur) is at least `NEAR`: one word in about 26 changed, added or missing. Texts that fold to the same words are
exact duplicates.

Of two near texts with n pairs each, at least `NEAR` n are shared: in any order that both follow, one of the first
n - ceil(NEAR n) + 1 is in both. With the rarest pairs first, few texts have one of those.
"""

from __future__ import annotations

from array import array
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from hashlib import blake2b
from math import ceil
from typing import TypeAlias

from amrg.datasets.splits.groups import fold
from amrg.datasets.splits.union_find import DisjointSets

NEAR = 0.85
_BUCKETS = 1 << 20  # word pairs are counted in this many buckets: the order need not be exact, only the same for all

Pairs: TypeAlias = "array[int]"


def word_pairs(text: str) -> Pairs:
    """The word pairs of a text as 64-bit hashes, in order of the hash; a pair that comes back counts again."""
    words = fold(text)
    counted: Counter[tuple[str, ...]] = Counter(words[i : i + 2] for i in range(max(1, len(words) - 1)))
    return array("Q", sorted(_hash(pair, time) for pair, times in counted.items() for time in range(times)))


def similarity(a: Pairs, b: Pairs) -> float:
    """Jaccard similarity, 0..1."""
    shared = len(set(a).intersection(b))
    return shared / (len(a) + len(b) - shared)


def near_links(texts: Sequence[Pairs]) -> Iterator[tuple[int, int]]:
    """Near pairs of texts, by number: enough of them to connect all texts that a chain of near pairs connects.

    Thousands of texts that are all near each other cost little: texts that are connected already are compared as one.
    """
    rarity, sets = _Rarity(texts), DisjointSets()
    having: dict[int, dict[int, list[int]]] = defaultdict(dict)
    for number, pairs in enumerate(texts):
        sets.add()
        probe, rarest = _Probe(pairs), rarity.rarest(pairs)
        for others in (others for pair in rarest for others in having[pair].values()):
            if sets.root(others[0]) == sets.root(number):
                continue
            if (near := next((other for other in others if probe.is_near(texts[other])), None)) is not None:
                sets.join(number, near)
                yield number, near
        for pair in rarest:
            having[pair].setdefault(sets.root(number), []).append(number)


class NearIndex:
    """An index of texts that finds one near a given text."""

    def __init__(self, texts: Iterable[Pairs]) -> None:
        self._texts = list(texts)
        self._rarity = _Rarity(self._texts)
        self._having: dict[int, list[int]] = defaultdict(list)
        for number, pairs in enumerate(self._texts):
            for pair in self._rarity.rarest(pairs):
                self._having[pair].append(number)

    def near(self, pairs: Pairs) -> int | None:
        """The number of a text whose similarity to this one is at least `NEAR`, None where there is none."""
        probe, tried = _Probe(pairs), set[int]()
        for pair in self._rarity.rarest(pairs):
            for number in self._having.get(pair, ()):
                if number not in tried and probe.is_near(self._texts[number]):
                    return number
                tried.add(number)
        return None


class _Probe:
    """A text that others are compared with."""

    def __init__(self, pairs: Pairs) -> None:
        self._pairs, self._size = set(pairs), len(pairs)
        self._sizes = (ceil(NEAR * self._size - 1e-9), int(self._size / NEAR + 1e-9))

    def is_near(self, other: Pairs) -> bool:
        """Whether another text is a near duplicate."""
        if not self._sizes[0] <= len(other) <= self._sizes[1]:
            return False
        shared = len(self._pairs.intersection(other))
        return shared >= NEAR * (self._size + len(other) - shared) - 1e-9


class _Rarity:
    """How rare word pairs are among texts."""

    def __init__(self, texts: Iterable[Pairs]) -> None:
        self._counts = array("L", bytes(_BUCKETS * array("L").itemsize))
        for pairs in texts:
            for pair in pairs:
                self._counts[pair % _BUCKETS] += 1

    def rarest(self, pairs: Pairs) -> list[int]:
        """The pairs of which a near text must have one."""
        first = len(pairs) - ceil(NEAR * len(pairs) - 1e-9) + 1
        return sorted(pairs, key=lambda pair: (self._counts[pair % _BUCKETS], pair))[:first]


def _hash(pair: tuple[str, ...], time: int) -> int:
    return int.from_bytes(blake2b(f"{time} {' '.join(pair)}".encode(), digest_size=8).digest(), "big")
