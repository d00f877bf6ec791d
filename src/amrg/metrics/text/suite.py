"""Text metrics of a run: every variant under its own name, equal to the packages the field publishes with.

Cases are scored once per distinct pair of texts: a constant report costs no more than its distinct references. A case
whose system failed has no row, never a zero; an empty text scores what the package of the metric gives it, mostly 0.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from amrg.metrics.display import counted
from amrg.metrics.metric import Metric
from amrg.metrics.pairs import Pair
from amrg.metrics.text.bleu import bleu_metric
from amrg.metrics.text.cider import FEWEST, IdfCorpus, cider_metrics
from amrg.metrics.text.meteor import meteor_metric
from amrg.metrics.text.meteorjar import MeteorJar, meteor_jar_metric
from amrg.metrics.text.rouge import rouge_metrics
from amrg.metrics.text.wordnet import missing_wordnet


def text_metrics(pairs: Sequence[Pair], idf: IdfCorpus | None = None, jar: MeteorJar | None = None) -> list[Metric]:
    """All text metrics that are available, rows in the order of the pairs.

    Without `idf`, document frequencies are counted on the references of these pairs, as pycocoevalcap does. METEOR 1.5
    is among them where its running program is given. `text_warnings` names those that are skipped.
    """
    texts = DistinctTexts.of(pairs)
    made = _metrics(texts, idf or corpus_of(pairs), jar)
    return [texts.spread(metric) for metric in made]


def _metrics(texts: DistinctTexts, idf: IdfCorpus, jar: MeteorJar | None) -> Iterator[Metric]:
    """Metrics over the distinct pairs of texts."""
    both = texts.drafts, texts.references
    yield from rouge_metrics(*both)
    yield from cider_metrics(*both, idf)
    yield bleu_metric(*both)
    if (meteor := meteor_metric(*both)) is not None:
        yield meteor
    if jar is not None:
        yield meteor_jar_metric(*both, jar)


def text_warnings(pairs: Sequence[Pair], idf: IdfCorpus | None = None) -> list[str]:
    """What a reader of the text metrics of these pairs must know, a line each: metrics skipped, or without meaning."""
    scored = sum(pair.text is not None for pair in pairs)
    few = f"CIDEr has no meaning for {counted(scored, 'scored case')}: it takes {FEWEST}" if scored < FEWEST else None
    return [line for line in (missing_wordnet(), few, (idf or corpus_of(pairs)).weakness) if line is not None]


def corpus_of(pairs: Sequence[Pair]) -> IdfCorpus:
    """The references of these pairs, failed cases included, so that every system is scored with the same weights."""
    return IdfCorpus.of(f"the {len(pairs)} references scored", [pair.reference_text for pair in pairs])


@dataclass(frozen=True)
class DistinctTexts:
    """Every different pair of draft and reference once, and where each case's pair is [cases] (-1: it has no draft)."""

    drafts: tuple[str, ...]
    references: tuple[str, ...]
    at: npt.NDArray[np.int64]

    @classmethod
    def of(cls, pairs: Sequence[Pair]) -> DistinctTexts:
        """The distinct texts of some pairs."""
        known: dict[tuple[str, str], int] = {}
        at = [
            -1 if pair.text is None else known.setdefault((pair.text, pair.reference_text), len(known))
            for pair in pairs
        ]  # fmt: skip
        return cls(tuple(d for d, _ in known), tuple(r for _, r in known), np.array(at, dtype=np.int64))

    def spread(self, metric: Metric) -> Metric:
        """A metric over the distinct pairs as one over the cases."""
        terms = np.full((len(self.at), metric.terms.shape[1]), np.nan)
        terms[self.at >= 0] = metric.terms[self.at[self.at >= 0]]
        return replace(metric, terms=terms)
