"""Cases and predictions to pairs, and pairs to all metrics."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace

from amrg.birads import Report
from amrg.birads.findings_list import narrative_of
from amrg.datasets.case import Case, ReferenceSource
from amrg.metrics.bulk_parsing import read_reports, why_unread
from amrg.metrics.clinical.suite import clinical_metrics
from amrg.metrics.errors import BenchmarkError
from amrg.metrics.metric import Metric, by_name
from amrg.metrics.pairs import Pair, drafted, labelled_part
from amrg.metrics.prediction import Prediction
from amrg.metrics.refusals import refusal_metrics
from amrg.metrics.scores import Unread
from amrg.metrics.strict import strict_twin, with_empty_drafts
from amrg.metrics.text.cider import IdfCorpus
from amrg.metrics.text.meteorjar import JarError, MeteorJar
from amrg.metrics.text.radeval import radeval_metrics
from amrg.metrics.text.suite import text_metrics, text_warnings

EXAMPLES = 5
"""How many cases are named of those that share a reason."""

NOT_STATED = "not stated"
"""The subgroup of cases whose reference does not name the field."""


def pairs_of(cases: Sequence[Case], predictions: Sequence[Prediction]) -> list[Pair]:
    """Each case with its prediction, in the same order; texts without facts are parsed."""
    read = read_reports([p.text if p.report is None else None for p in predictions])
    # Facts parsed from a text cannot contradict it: without the narrative it is not parsed again to check.
    facts = [None if report is None else report.model_copy(update={"narrative": ""}) for report in read]
    return [_pair(case, p, p.report or report) for case, p, report in zip(cases, predictions, facts, strict=True)]


def _pair(case: Case, prediction: Prediction, report: Report | None) -> Pair:
    return Pair(
        key=case.key,
        group=case.group,
        source=case.source,
        reference_text=case.text,
        reference=case.reference,
        text=None if prediction.text is None else narrative_of(prediction.text),
        report=None if report is None or prediction.text is None else labelled_part(report, case.unlabelled),
        unlabelled=case.unlabelled,
        views=tuple((i.laterality, i.view) for i in case.images if i.laterality is not None and i.view is not None),
        has_prior=case.reference.comparison is not None and case.reference.comparison.available,
        findings_known=_reference_unread(case) is None and case.findings_known,
        refused=prediction.refused,
        subgroups=subgroups_of(case),
    )


def unread_texts(cases: Sequence[Case], pairs: Sequence[Pair]) -> tuple[Unread, ...]:
    """The predictions, then the references, that were not read: counted by reason, with a few of their cases."""
    predictions = {p.key: why_unread(p.text, Report()) for p in pairs if p.text is not None and p.report is None}
    references = {case.key: _reference_unread(case) for case in cases}
    return tuple(
        Unread(what=what, reason=reason, count=len(keys), of=len(cases), examples=tuple(keys[:EXAMPLES]))
        for what, found in (("prediction", predictions), ("reference", references))
        for reason, keys in sorted(_by_reason(found).items())
    )


def _reference_unread(case: Case) -> str | None:
    """Why a reference was not read: as its import noted, or as its text shows."""
    return case.unread or why_unread(case.text, case.reference)


def _by_reason(found: Mapping[str, str | None]) -> dict[str, list[str]]:
    """Keys by the reason why their text was not read."""
    reasons: dict[str, list[str]] = {}
    for key, reason in found.items():
        if reason is not None:
            reasons.setdefault(reason, []).append(key)
    return reasons


def subgroups_of(case: Case) -> dict[str, str]:
    """The subgroups of a case: density, category, views, data set."""
    worst, composition = case.reference.worst, case.reference.composition
    views = sorted({image.view.value for image in case.images if image.view is not None})
    return {
        "density": composition.value.upper() if composition is not None else NOT_STATED,
        "category": worst.value if worst is not None else NOT_STATED,
        "view": " and ".join(views) or NOT_STATED,
        "data set": case.dataset,
    }


@dataclass(frozen=True)
class OptionalMetrics:
    """What is measured only on request: texts rendered from labels, METEOR 1.5 by its jar, RadEval's metrics."""

    label_texts: bool = False
    meteor_jar: bool = False
    radeval: tuple[str, ...] = ()


NO_EXTRAS = OptionalMetrics()
"""No optional metrics."""


@dataclass(frozen=True)
class MetricSuite:
    """All metrics of some pairs, text metrics with one IDF corpus whatever the system.

    Texts rendered from labels were written by nobody: they get no text score unless requested.
    """

    idf: IdfCorpus
    extras: OptionalMetrics = NO_EXTRAS
    jar: MeteorJar | None = None

    def __call__(self, pairs: Sequence[Pair]) -> list[Metric]:
        """Text metrics, then clinical ones, rows in the order of the pairs; each twin after its metric."""
        texts = self.texts(pairs)
        others = radeval_metrics(texts, self.extras.radeval) if self.extras.radeval else []
        measured = self._measure(pairs)
        unread = any(drafted(pair) is None for pair in pairs)
        whole = by_name(self._measure(with_empty_drafts(pairs)) if unread else measured)
        twins = [[m, strict_twin(whole[m.name])] if m.has_strict else [m] for m in measured]
        return [*(m for both in twins for m in both), *others]

    def _measure(self, pairs: Sequence[Pair]) -> list[Metric]:
        """All metrics but RadEval's, without the twins that are measured on empty drafts."""
        return [
            *text_metrics(self.texts(pairs), self.idf, self.jar),
            *clinical_metrics(pairs),
            *refusal_metrics(pairs),
        ]

    def warnings(self, pairs: Sequence[Pair]) -> list[str]:
        """What a reader of the text metrics of some pairs must know."""
        texts = self.texts(pairs)
        written = self.extras.label_texts or any(p.source is not ReferenceSource.LABELS for p in pairs)
        late = f"METEOR's jar timed out on {self.jar.late} pairs: unscored" if self.jar and self.jar.late else ""
        return [*(text_warnings(texts, self.idf) if written else ()), *filter(None, [late])]

    def texts(self, pairs: Sequence[Pair]) -> list[Pair]:
        """The pairs for text metrics."""
        return texts_of(pairs, self.extras)


def texts_of(pairs: Sequence[Pair], extras: OptionalMetrics) -> list[Pair]:
    """The pairs for text metrics: without a text where the reference is rendered from labels, unless requested."""
    return [pair if extras.label_texts else _without_label_text(pair) for pair in pairs]


def _without_label_text(pair: Pair) -> Pair:
    """A pair for text metrics: without a text where the reference is rendered from labels."""
    return replace(pair, text=None) if pair.source is ReferenceSource.LABELS else pair


@contextmanager
def open_metrics(cases: Sequence[Case], extras: OptionalMetrics = NO_EXTRAS) -> Iterator[MetricSuite]:
    """The metrics, with an IDF corpus of all references that are scored as texts, failed cases included.

    Raises:
        BenchmarkError: METEOR's jar was requested and is not available, or fails.
    """
    texts = [c.text for c in cases if extras.label_texts or c.source is not ReferenceSource.LABELS]
    idf = IdfCorpus.of(f"the {len(texts)} references scored", texts)
    try:
        with MeteorJar() if extras.meteor_jar else nullcontext() as jar:
            yield MetricSuite(idf, extras, jar)
    except JarError as error:
        raise BenchmarkError(str(error)) from error
