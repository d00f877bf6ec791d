"""METEOR as NLTK computes it, many pairs at a time. Not METEOR 1.5: the two differ by 0.2 to 0.3 on the same pair.

Words are matched exactly, then by Porter stem, then by WordNet synonym of the stem, each word to the last free place,
as NLTK does it; a pair costs its words, and a word's stem and synonyms are looked up once. NLTK leaves the choice of
words to the caller: these are the words of ROUGE, so that no data for a sentence splitter is needed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np
from nltk.stem.porter import PorterStemmer

from amrg.metrics.families import Family
from amrg.metrics.metric import SHARE, Metric, mean_of, ratio
from amrg.metrics.text.rouge import words
from amrg.metrics.text.wordnet import load_wordnet

ALPHA, BETA, GAMMA = 0.9, 3.0, 0.5
Place = tuple[int, str]
Match = tuple[int, int]  # place in the draft, place in the reference


def meteor_metric(drafts: Sequence[str], references: Sequence[str]) -> Metric | None:
    """METEOR (NLTK) over pairs of texts, or None where there is no WordNet."""
    found = load_wordnet()
    if found is None:
        return None
    reader, data = found
    scorer = _Scorer(reader)
    values = np.array([scorer.score(a, b) for a, b in zip(drafts, references, strict=True)], dtype=np.float64)
    about = (
        "METEOR as NLTK's meteor_score computes it (alpha 0.9, beta 3, gamma 0.5), not METEOR 1.5; words a-z0-9 in "
        f"lower case; Porter stems; {data}; mean over cases"
    )
    return Metric("meteor_nltk", Family.TEXT, about, mean_of(values), ratio, bounds=SHARE, has_strict=True)


class _Scorer:
    """METEOR of two texts, with each word's stem and synonyms kept."""

    def __init__(self, reader: Any) -> None:
        self._stem: Callable[[str], str] = lru_cache(maxsize=1 << 20)(PorterStemmer().stem)
        self._reader = reader
        self._known: dict[str, frozenset[str]] = {}

    def score(self, draft: str, reference: str) -> float:
        """0 to 1; 0 where no word matches, as in NLTK."""
        ours, theirs = words(draft), words(reference)
        matches = self._align(list(enumerate(ours)), list(enumerate(theirs)))
        if not matches:
            return 0.0
        precision, recall = len(matches) / len(ours), len(matches) / len(theirs)
        mean = precision * recall / (ALPHA * precision + (1 - ALPHA) * recall)
        breaks = sum(b != (a[0] + 1, a[1] + 1) for a, b in pairwise(sorted(matches)))
        return float((1 - GAMMA * ((breaks + 1) / len(matches)) ** BETA) * mean)

    def _align(self, draft: list[Place], reference: list[Place]) -> list[Match]:
        exact, draft, reference = _matched(draft, reference, _itself)
        draft = [(i, self._stem(w)) for i, w in draft]
        reference = [(i, self._stem(w)) for i, w in reference]
        stemmed, draft, reference = _matched(draft, reference, _itself)
        alike, _, _ = _matched(draft, reference, self._synonyms)
        return exact + stemmed + alike

    def _synonyms(self, word: str) -> frozenset[str]:
        """The word and every lemma of one word that shares a synset with it."""
        if word not in self._known:
            names = (name for synset in self._reader.synsets(word) for name in synset.lemma_names())
            self._known[word] = frozenset((word, *(name for name in names if "_" not in name)))
        return self._known[word]


def _last(places: list[int]) -> int:
    return places[-1]


def _itself(word: str) -> tuple[str]:
    return (word,)


def _matched(
    draft: list[Place], reference: list[Place], alternatives: Callable[[str], Iterable[str]]
) -> tuple[list[Match], list[Place], list[Place]]:
    """Matches from the last word of the draft to the first, each with the last free place; then what is left over."""
    if not draft or not reference:
        return [], draft, reference
    free: dict[str, list[int]] = {}
    for at, (_, word) in enumerate(reference):
        free.setdefault(word, []).append(at)
    matches: list[Match] = []
    left, taken = [], set()
    for place in reversed(draft):
        waiting = [places for word in alternatives(place[1]) if (places := free.get(word))]
        if not waiting:
            left.append(place)
            continue
        at = max(waiting, key=_last).pop() if len(waiting) > 1 else waiting[0].pop()
        taken.add(at)
        matches.append((place[0], reference[at][0]))
    return matches, left[::-1], [place for at, place in enumerate(reference) if at not in taken]
