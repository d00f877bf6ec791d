"""Corpus BLEU-4 by sacrebleu's own tokenizer and formula, from counts that add up over cases."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.tokenizers.tokenizer_13a import Tokenizer13a

from amrg.metrics.families import Family
from amrg.metrics.metric import Array, Metric
from amrg.metrics.text.ngrams import overlaps

MAX_N = 4
TOKENIZER = Tokenizer13a()


def bleu_metric(drafts: Sequence[str], references: Sequence[str]) -> Metric:
    """BLEU over pairs of texts, 0 to 100; terms are both lengths, then matches and n-grams for n = 1 to 4."""
    ours, theirs = [_tokens(t) for t in drafts], [_tokens(t) for t in references]
    matches, totals, lengths = [], [], []
    for overlap in overlaps(ours, theirs, MAX_N):
        matches.append(overlap.matches)
        totals.append(overlap.lengths[0])
        lengths.append(overlap.lengths)
    terms = np.stack([*lengths[0], *matches, *totals], axis=1)
    scorer = BLEU()
    scorer.num_refs = 1
    about = f"corpus BLEU, 0 to 100, {scorer.get_signature()}"
    return Metric("bleu_4_sacrebleu_13a", Family.TEXT, about, terms, _bleu, has_strict=True)


@lru_cache(maxsize=1 << 16)
def _tokens(text: str) -> tuple[str, ...]:
    return tuple(TOKENIZER(text.rstrip()).split())


def _bleu(sums: Array) -> Array:
    """sacrebleu's formula with its default smoothing (exp), 0 to 100; not a number where there are no words at all."""
    drafted, referred = sums[..., 0], sums[..., 1]
    matches, totals = np.round(sums[..., 2 : 2 + MAX_N]), np.round(sums[..., 2 + MAX_N :])
    unmatched = (matches == 0) & (totals > 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        # The k-th order without a match counts as one match among 2^k times its n-grams.
        parts = np.where(unmatched, 0.5 ** np.cumsum(unmatched, axis=-1), matches) / totals
        brevity = np.exp(np.minimum(0.0, 1.0 - referred / drafted))
        score = 100.0 * brevity * np.exp(np.log(parts).mean(axis=-1))
    possible = matches.any(axis=-1) & (totals > 0).all(axis=-1)
    return np.where(drafted + referred > 0, np.where(possible, score, 0.0), np.nan)
