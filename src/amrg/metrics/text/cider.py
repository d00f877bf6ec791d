"""CIDEr and CIDEr-D on PTB tokens, with an IDF corpus that has a name and a hash.

CIDEr-D is what the public COCO code computes under the name CIDEr: clipped counts and a Gaussian penalty on the
difference in length (sigma 6, length counted in bigrams as there). Plain CIDEr (Vedantam et al. 2015, equations 2 and
3) has neither. Both are means over n = 1 to 4 of cosines between TF-IDF vectors, times ten. The IDF is
log(documents) - log(max(1, documents with the n-gram)), fixed by the corpus: a case's value does not depend on which
other cases are scored with it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from amrg.core.hashing import sha256_of_lines
from amrg.metrics.display import counted
from amrg.metrics.families import Family
from amrg.metrics.metric import Array, Metric, mean_of, ratio
from amrg.metrics.text.ngrams import NgramCounts, Overlap, overlaps
from amrg.metrics.text.ptb import ptb_tokens

MAX_N = 4
SIGMA = 6.0
FEWEST = 2
"""One case makes every IDF zero where its own reference is the corpus: the number means nothing."""


@dataclass(frozen=True)
class IdfCorpus:
    """Reference texts that document frequencies are counted on: PTB tokens of a document, and how often it occurs."""

    name: str
    documents: tuple[tuple[tuple[str, ...], int], ...]

    @classmethod
    def of(cls, name: str, texts: Iterable[str]) -> IdfCorpus:
        """A corpus of texts, one document each: the references scored (as pycocoevalcap does), or a training part."""
        return cls(name, tuple(sorted(Counter(map(ptb_tokens, texts)).items())))

    @cached_property
    def n(self) -> int:
        """Number of documents."""
        return sum(times for _, times in self.documents)

    @cached_property
    def sha256(self) -> str:
        """Hash of the tokenized documents, whatever their order."""
        lines = (f"{times} {' '.join(tokens)}" for tokens, times in self.documents)
        return sha256_of_lines(lines)

    @property
    def weakness(self) -> str | None:
        """Why CIDEr means nothing with this corpus, or None."""
        if len(self.documents) >= FEWEST:
            return None
        found = f"{self.n} documents that are all the same" if self.n > 1 else counted(self.n, "document")
        return f"CIDEr is not scored: its IDF corpus ({self.name}) has {found}, so every weight is zero; name another"

    @property
    def about(self) -> str:
        """Name, size and hash in one line."""
        return f"IDF on {self.n} documents, {self.name}, sha256 {self.sha256[:16]}"


def cider_metrics(drafts: Sequence[str], references: Sequence[str], idf: IdfCorpus) -> Iterator[Metric]:
    """CIDEr-D and plain CIDEr over pairs of texts; unscored where the corpus cannot carry them."""
    how = f"PTB tokens as the COCO pipeline makes them; mean over cases, times 10; {idf.about}"
    weights = f"{how}; needs {FEWEST} cases, means nothing for one"
    if idf.weakness is not None:
        weights = f"{weights}; {idf.weakness}"
    clipped, plain = _values(drafts, references, idf)
    for name, computed, values in (
        ("cider_d_ptb", "CIDEr-D as pycocoevalcap computes it (clipped, sigma 6)", clipped),
        ("cider_ptb", "CIDEr of Vedantam et al. 2015 (not clipped, no length penalty)", plain),
    ):
        yield Metric(
            name, Family.TEXT, f"{computed}; {weights}", mean_of(values), ratio, fewest=FEWEST, has_strict=True
        )


def _values(drafts: Sequence[str], references: Sequence[str], idf: IdfCorpus) -> tuple[Array, Array]:
    """CIDEr-D and CIDEr of each pair [pairs]."""
    clipped, plain = np.zeros(len(drafts)), np.zeros(len(drafts))
    if idf.weakness is not None:
        return np.full(len(drafts), np.nan), np.full(len(drafts), np.nan)
    ours, theirs = [ptb_tokens(t) for t in drafts], [ptb_tokens(t) for t in references]
    # Where the corpus is the references themselves, they are not counted a second time.
    others = () if Counter(theirs) == dict(idf.documents) else idf.documents
    times = np.array([t for _, t in others] or [1] * len(theirs), dtype=np.float64)
    penalty = np.ones(len(drafts))
    for overlap in overlaps(ours, theirs, MAX_N, others=[tokens for tokens, _ in others]):
        if overlap.n == 2:  # the public code counts bigrams where it means words
            drafted, referred = overlap.lengths
            penalty = np.exp(-((drafted - referred) ** 2) / (2 * SIGMA**2))
        documents = overlap.others if others else overlap.references
        both = _cosines(overlap, _weights(documents, times, overlap.grams))
        clipped += both[0]
        plain += both[1]
    return 10 * penalty * clipped / MAX_N, 10 * plain / MAX_N


def _weights(documents: NgramCounts, times: Array, grams: int) -> Array:
    """IDF of each n-gram [grams] over documents, each of which occurs so many `times`."""
    having = np.bincount(documents.gram, weights=times[documents.text], minlength=grams)
    weights: Array = np.log(times.sum()) - np.log(np.maximum(having, 1))
    return weights


def _cosines(overlap: Overlap, idf: Array) -> tuple[Array, Array]:
    """Cosines between TF-IDF vectors of draft and reference [pairs], with the draft clipped and without."""
    drafted, referred = _weighted(overlap.drafts, idf), _weighted(overlap.references, idf)
    norms = np.sqrt(
        overlap.drafts.sums(drafted**2, overlap.pairs) * overlap.references.sums(referred**2, overlap.pairs)
    )
    a, b = drafted[overlap.draft_entry], referred[overlap.reference_entry]
    divisor = np.where(norms > 0, norms, 1)
    return overlap.shared_sums(np.minimum(a, b) * b) / divisor, overlap.shared_sums(a * b) / divisor


def _weighted(counts: NgramCounts, idf: Array) -> Array:
    """TF-IDF of each entry."""
    weighted: Array = counts.count * idf[counts.gram]
    return weighted
