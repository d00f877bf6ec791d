"""ROUGE-1, ROUGE-2 and ROUGE-L (F1) as the `rouge-score` package computes them, many pairs at a time.

Words are runs of a-z and 0-9 after lower-casing. Stemmed variants put words of more than three characters through
NLTK's Porter stemmer, as `use_stemmer=True` does there. An empty text scores 0, as there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache

import numpy as np
from nltk.stem.porter import PorterStemmer

from amrg.metrics.families import Family
from amrg.metrics.metric import SHARE, Array, Metric, mean_of, ratio
from amrg.metrics.text.ngrams import Tokens, overlaps

WORD = re.compile(r"[a-z0-9]+")
STEMMER = PorterStemmer()


@lru_cache(maxsize=1 << 16)
def words(text: str) -> tuple[str, ...]:
    """The words of one text, unstemmed."""
    return tuple(WORD.findall(text.lower()))


def stems(text: str) -> tuple[str, ...]:
    """The words of one text, stemmed where they have more than three characters."""
    return tuple(map(_stem, words(text)))


@lru_cache(maxsize=1 << 20)
def _stem(word: str) -> str:
    return str(STEMMER.stem(word)) if len(word) > 3 else word


def rouge_metrics(drafts: Sequence[str], references: Sequence[str]) -> Iterator[Metric]:
    """Six metrics over pairs of texts."""
    for variant, tokens in (("stemmed", stems), ("unstemmed", words)):
        ours, theirs = [tokens(t) for t in drafts], [tokens(t) for t in references]
        how = f"F1 as rouge-score computes it, mean over cases; words a-z0-9 in lower case, {variant}"
        for overlap in overlaps(ours, theirs, max_n=2):
            values = _f1(overlap.matches, *overlap.lengths)
            yield _mean_f1(f"{overlap.n}", variant, how, values)
        common = np.array([lcs_length(a, b) for a, b in zip(ours, theirs, strict=True)], dtype=np.float64)
        values = _f1(common, np.array([len(t) for t in ours], float), np.array([len(t) for t in theirs], float))
        yield _mean_f1("l", variant, how, values)


def _mean_f1(which: str, variant: str, how: str, values: Array) -> Metric:
    name, about = f"rouge_{which}_f1_{variant}", f"ROUGE-{which.upper()} {how}"
    return Metric(name, Family.TEXT, about, mean_of(values), ratio, bounds=SHARE, has_strict=True)


def _f1(matches: Array, drafted: Array, referred: Array) -> Array:
    """F1 of precision matches/drafted and recall matches/referred; 0 where nothing matches."""
    whole = np.maximum(drafted, 1) + np.maximum(referred, 1)
    f1: Array = 2 * matches / whole
    return f1


def lcs_length(first: Tokens, second: Tokens) -> int:
    """Length of the longest common subsequence.

    One row of the usual table is one integer, a bit a word of the shorter text (Crochemore et al. 2001; Hyyrö 2004):
    a step a word of the longer one, so a report against a book of words ends too.
    """
    shorter, longer = sorted((first, second), key=len)
    places: dict[str, int] = {}
    for at, word in enumerate(shorter):
        places[word] = places.get(word, 0) | 1 << at
    every = row = (1 << len(shorter)) - 1
    for word in longer:
        here = row & places.get(word, 0)
        row = (row + here | row - here) & every
    return len(shorter) - row.bit_count()
