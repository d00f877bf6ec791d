"""N-grams of many texts together: counted by sorting integers, so that 10,000 pairs take a second.

The same counts serve ROUGE-1 and ROUGE-2, BLEU and CIDEr. Memory grows with the number of words, however they are
spread over texts.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, count

import numpy as np
import numpy.typing as npt

from amrg.metrics.metric import Array

Ints = npt.NDArray[np.int64]
Tokens = Sequence[str]


@dataclass(frozen=True)
class NgramCounts:
    """How often each text has each of its n-grams: three arrays [entries] sorted by text, then n-gram."""

    text: Ints
    gram: Ints
    count: Ints

    def part(self, first: int, last: int) -> NgramCounts:
        """Texts `first` up to but not including `last`, numbered from 0."""
        a, b = np.searchsorted(self.text, [first, last])
        return NgramCounts(self.text[a:b] - first, self.gram[a:b], self.count[a:b])

    def sums(self, weights: Array | Ints, texts: int) -> Array:
        """Weights [entries] added up text by text [texts]."""
        return np.bincount(self.text, weights=weights, minlength=texts).astype(np.float64)


@dataclass(frozen=True)
class Overlap:
    """The n-grams of drafts and references, pair by pair, and which entries they share."""

    n: int
    pairs: int
    grams: int  # distinct n-grams; they are numbered below this
    drafts: NgramCounts
    references: NgramCounts
    others: NgramCounts  # of further texts, such as those an IDF is counted on
    draft_entry: Ints  # [shared]
    reference_entry: Ints  # [shared]

    @property
    def matches(self) -> Array:
        """N-grams in common, each counted as often as both have it [pairs]."""
        fewer = np.minimum(
            self.drafts.count[self.draft_entry], self.references.count[self.reference_entry]
        )  # fmt: skip
        return self.shared_sums(fewer)

    def shared_sums(self, weights: Array | Ints) -> Array:
        """Weights [shared] added up pair by pair [pairs]."""
        at = self.drafts.text[self.draft_entry]
        return np.bincount(at, weights=weights, minlength=self.pairs).astype(np.float64)

    @property
    def lengths(self) -> tuple[Array, Array]:
        """N-grams of each draft and of each reference [pairs]."""
        drafts, references = self.drafts, self.references
        return drafts.sums(drafts.count, self.pairs), references.sums(references.count, self.pairs)


def overlaps(
    drafts: Sequence[Tokens], references: Sequence[Tokens], max_n: int, others: Sequence[Tokens] = ()
) -> Iterator[Overlap]:
    """N-grams of 1 to `max_n` words; `drafts` and `references` are of the same length."""
    pairs = len(drafts)
    texts = [*drafts, *references, *others]
    for n, (counts, grams) in enumerate(_counted(texts, max_n), start=1):
        first, second = counts.part(0, pairs), counts.part(pairs, 2 * pairs)
        at, found = _shared(first, second, grams)
        yield Overlap(n, pairs, grams, first, second, counts.part(2 * pairs, len(texts)), at, found)


def _counted(texts: Sequence[Tokens], max_n: int) -> Iterator[tuple[NgramCounts, int]]:
    """Counts over all texts and the number of distinct n-grams, for n from 1 to `max_n`."""
    words, owner, kinds = _numbered(texts)
    grams, at, kinds_of_gram = words, np.arange(len(words)), kinds
    for n in range(1, max_n + 1):
        if n > 1:
            inside = at + (n - 1) < len(words)
            grams, at = grams[inside], at[inside]
            inside = owner[at] == owner[at + (n - 1)]
            grams, at = grams[inside], at[inside]
            # A longer n-gram is a shorter one and a word: exact, no hashing.
            distinct, grams = np.unique(grams * kinds + words[at + (n - 1)], return_inverse=True)
            kinds_of_gram = len(distinct)
        keys, times = np.unique(owner[at] * max(kinds_of_gram, 1) + grams, return_counts=True)
        yield NgramCounts(*np.divmod(keys, max(kinds_of_gram, 1)), times.astype(np.int64)), kinds_of_gram


def _numbered(texts: Sequence[Tokens]) -> tuple[Ints, Ints, int]:
    """Every word of all texts in a row as a number, the text it is of, and how many distinct words there are."""
    vocabulary: defaultdict[str, int] = defaultdict(count().__next__)
    words = np.fromiter(map(vocabulary.__getitem__, chain.from_iterable(texts)), dtype=np.int64)
    owner = np.repeat(np.arange(len(texts)), np.fromiter(map(len, texts), dtype=np.int64))
    return words, owner, len(vocabulary)


def _shared(first: NgramCounts, second: NgramCounts, grams: int) -> tuple[Ints, Ints]:
    """Entries of `first` and of `second` that are the same n-gram of the same pair."""
    a, b = first.text * grams + first.gram, second.text * grams + second.gram
    if len(b) == 0:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    found = np.minimum(np.searchsorted(b, a), len(b) - 1)
    same = b[found] == a
    return np.flatnonzero(same), found[same]
