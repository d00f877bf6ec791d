"""BI-RADS category and breast composition: accuracy under named rules, quadratic kappa, work-up, confusions.

A case whose draft names no category, or no composition, or that has no draft that was read, is unscored; in the metrics
named `_strict` it is wrong. Cases whose reference names none are unscored in both.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from amrg.birads import Category, Composition, Laterality, Report
from amrg.metrics.families import Family
from amrg.metrics.metric import SHARE, Array, Metric, ratio
from amrg.metrics.pairs import Pair, Terms, drafted, of_all, of_drafts
from amrg.metrics.scores import Confusion
from amrg.metrics.strict import STRICT

Reading = Callable[[Report], Hashable | None]
"""What a rule reads off a report; None where the report names nothing."""

WORKUP = frozenset({0, 4, 5, 6})
"""Categories that ask for work-up: the positives of a screening audit, and known cancer."""

ABNORMAL = WORKUP | {3}
"""Work-up, or a follow-up sooner than routine."""

_RANKS_7: dict[Hashable, int] = {1: 0, 2: 1, 3: 2, 0: 3, 4: 4, 5: 5, 6: 6}
_RANKS_4ABC: dict[Hashable, int] = {"1": 0, "2": 1, "3": 2, "0": 3, "4A": 4, "4": 5, "4B": 5, "4C": 6, "5": 7, "6": 8}
"""Ranks by suspicion: 0 asks for more images, so it is between 3 and 4; plain 4 counts as 4B."""


def _major(category: Category) -> int:
    return category.major


def _lettered(category: Category) -> str:
    """The category as written: plain 4 is a label of its own."""
    return category.value


@dataclass(frozen=True)
class _Scale:
    """How finely categories are distinguished: what a category counts as, and its rank by suspicion."""

    name: str
    about: str
    label: Callable[[Category], Hashable]
    ranks: dict[Hashable, int]


_SCALES = (
    _Scale("7", "categories 0 to 6, letters of 4 dropped", _major, _RANKS_7),
    _Scale("4abc", "4A, 4B, 4C separate, plain 4 a label of its own", _lettered, _RANKS_4ABC),
)


def _worst(label: Callable[[Category], Hashable], report: Report) -> Hashable | None:
    return None if report.worst is None else label(report.worst)


def _first(label: Callable[[Category], Hashable], report: Report) -> Hashable | None:
    return label(report.assessments[0].category) if report.assessments else None


def _set(label: Callable[[Category], Hashable], report: Report) -> Hashable | None:
    return frozenset(label(a.category) for a in report.assessments) or None


_RULES: dict[str, tuple[Callable[[Callable[[Category], Hashable], Report], Hashable | None], str]] = {
    "worst": (_worst, "the most suspicious category named counts"),
    "set": (_set, "the same set of categories must be named"),
    "first": (_first, "the category named first counts"),
}


@dataclass(frozen=True)
class _Accuracy:
    """What is compared: the name of its accuracy, how it is computed, what is read off a report."""

    name: str
    about: str
    read: Reading

    def unscored(self, pairs: Sequence[Pair]) -> Metric:
        """Share right of the cases where reference and draft name something."""
        about = f"{self.about}; a draft that names none is unscored"
        return _share(self.name, about, of_drafts(pairs, partial(_right, self.read), 2))

    def strict(self, pairs: Sequence[Pair]) -> Metric:
        """Share right of the cases where the reference names something."""
        terms = of_all(pairs, partial(_right_strict, self.read), 2)
        return _share(f"{self.name}{STRICT}", f"{self.about}; {_WRONG}", terms)


_WRONG = "a case without a draft that was read, or whose draft names none, is wrong"


def _share(name: str, about: str, terms: Array) -> Metric:
    """A share of cases."""
    return Metric(name, Family.BIRADS, about, terms, ratio, bounds=SHARE)


def _birads(scale: _Scale, rule: str) -> _Accuracy:
    read, about = _RULES[rule]
    return _Accuracy(f"birads_accuracy_{scale.name}_{rule}", f"{scale.about}; {about}", partial(read, scale.label))


def _composition(report: Report) -> Composition | None:
    return report.composition


_BIRADS_7_WORST = _birads(_SCALES[0], "worst")
_DENSITY = _Accuracy("density_accuracy", "breast composition a to d", _composition)


def birads_accuracy_7_worst_strict(pairs: Sequence[Pair]) -> Metric:
    """Accuracy of the worst category, 0 to 6; a draft that names none is wrong."""
    return _BIRADS_7_WORST.strict(pairs)


def density_accuracy_strict(pairs: Sequence[Pair]) -> Metric:
    """Accuracy of the composition; a draft that names none is wrong."""
    return _DENSITY.strict(pairs)


def category_metrics(pairs: Sequence[Pair]) -> list[Metric]:
    """BI-RADS and composition metrics: accuracies, kappa, work-up, shares of the most frequent class."""
    accuracies = [_birads(scale, rule) for scale in _SCALES for rule in _RULES]
    density = (_DENSITY.unscored(pairs), _DENSITY.strict(pairs))
    return [
        *(metric for accuracy in accuracies for metric in (accuracy.unscored(pairs), accuracy.strict(pairs))),
        *_each_breast(pairs),
        *(kappa for scale in _SCALES for kappa in _kappa_of_scale(pairs, scale)),
        *_two_sided(pairs, "workup", WORKUP),
        *_two_sided(pairs, "abnormal", ABNORMAL),
        *density,
        *_kappas(pairs, "density_kappa_quadratic", "composition a to d in equal steps", _density_rank, 3),
        _majority(pairs, "birads_majority_share_7_worst", _BIRADS_7_WORST),
        _majority(pairs, "density_majority_share", _DENSITY),
    ]


def _majority(pairs: Sequence[Pair], name: str, of: _Accuracy) -> Metric:
    """What always naming the most frequent class of these references would score; no draft changes it."""
    labels = list(dict.fromkeys(of.read(p.reference) for p in pairs))

    def terms(pair: Pair, _: Report) -> Terms:
        reference = of.read(pair.reference)
        return None if reference is None else [float(label == reference) for label in labels]

    about = f"share of the most frequent class of the references: {of.about}; says nothing of the system"
    counts = of_all(pairs, terms, len(labels))
    return Metric(name, Family.BIRADS, about, counts, _largest_share, fewest=2, bounds=SHARE)


def _largest_share(sums: Array) -> Array:
    return ratio(np.stack([sums.max(axis=-1), sums.sum(axis=-1)], axis=-1))


def _density_rank(report: Report) -> int | None:
    return None if report.composition is None else "abcd".index(report.composition)


def _right(read: Reading, pair: Pair, draft: Report) -> Terms:
    return None if read(draft) is None else _right_strict(read, pair, draft)


def _right_strict(read: Reading, pair: Pair, draft: Report) -> Terms:
    reference = read(pair.reference)
    return None if reference is None else (float(reference == read(draft)), 1.0)


def _each_breast(pairs: Sequence[Pair]) -> list[Metric]:
    """Accuracy with a breast, not a study, as the unit."""
    name, about = "birads_accuracy_7_each_breast", "the worst of it; study-wide ones do not count"
    both, every = (f"7 categories of each breast that {which} one, {about}" for which in _BREASTS)
    return [
        _share(name, both, of_drafts(pairs, _right_by_breast, 2)),
        _share(f"{name}{STRICT}", every, of_all(pairs, _right_by_breast_strict, 2)),
    ]


_BREASTS = ("both reports give", "the reference gives")


def _right_by_breast(pair: Pair, draft: Report) -> Terms:
    reference, predicted = by_breast(pair.reference), by_breast(draft)
    both = reference.keys() & predicted.keys()
    return (float(sum(reference[s].major == predicted[s].major for s in both)), float(len(both))) if both else None


def _right_by_breast_strict(pair: Pair, draft: Report) -> Terms:
    """Of all breasts that the reference gives a category: without one in the draft it is wrong."""
    reference, predicted = by_breast(pair.reference), by_breast(draft)
    right = sum(s in predicted and reference[s].major == predicted[s].major for s in reference)
    return (float(right), float(len(reference))) if reference else None


def by_breast(report: Report) -> dict[Laterality, Category]:
    """The worst category that a report gives to each breast by name."""
    worst: dict[Laterality, Category] = {}
    for assessment in report.assessments:
        side, category = assessment.laterality, assessment.category
        if side is not None and (side not in worst or category.suspicion > worst[side].suspicion):
            worst[side] = category
    return worst


def _kappa_of_scale(pairs: Sequence[Pair], scale: _Scale) -> list[Metric]:
    order = " ".join(str(label) for label in scale.ranks)
    about = f"{scale.about}; worst category; ranks by suspicion {order}" + " (4 as 4B)" * ("4B" in scale.ranks)

    def rank(report: Report) -> int | None:
        return None if report.worst is None else scale.ranks[scale.label(report.worst)]

    return _kappas(pairs, f"birads_kappa_quadratic_{scale.name}_worst", about, rank, max(scale.ranks.values()))


Rank = Callable[[Report], int | None]
"""The rank that a report states, from 0; None where it states none."""


def _kappas(pairs: Sequence[Pair], name: str, about: str, rank: Rank, highest: int) -> list[Metric]:
    """Cohen's kappa with quadratic weights over the ranks of reference and draft, and over all cases."""
    plain = of_drafts(pairs, partial(_kappa_terms, rank, None), 5)
    strict = of_all(pairs, partial(_kappa_terms, rank, highest), 5)
    farthest = "a case without a draft that was read, or whose draft names none, counts as the rank farthest away"
    return [
        Metric(name, Family.BIRADS, about, plain, quadratic_kappa, fewest=2),
        Metric(f"{name}{STRICT}", Family.BIRADS, f"{about}; {farthest}", strict, quadratic_kappa, fewest=2),
    ]


def _kappa_terms(rank: Rank, highest: int | None, pair: Pair, draft: Report) -> Terms:
    """Terms of `quadratic_kappa`; with `highest`, a draft without a rank is as far away as ranks allow."""
    x, y = rank(pair.reference), rank(draft)
    if x is not None and y is None and highest is not None:
        y = 0 if 2 * x > highest else highest
    if x is None or y is None:
        return None
    return float((x - y) ** 2), float(x**2 + y**2), float(x), float(y), 1.0


def quadratic_kappa(sums: Array) -> Array:
    """Kappa with quadratic weights from sums of (x - y)^2, x^2 + y^2, x, y, 1; not a number where all agree by chance.

    Quadratic weights need no confusion matrix: observed disagreement is the sum of (x - y)^2, expected disagreement
    that of x^2 + y^2 less 2 (sum x) (sum y) / n (Cohen 1968; equal to the table's form, and tested against it).
    """
    observed, squares, x, y, n = np.moveaxis(sums, -1, 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        expected = squares - 2 * x * y / n
        kappa: Array = 1 - observed / expected
    return np.where(expected > 1e-9, kappa, np.nan)


def _two_sided(pairs: Sequence[Pair], what: str, positive: frozenset[int]) -> list[Metric]:
    """Sensitivity and specificity of a two-way reading of the worst category."""
    digits = "_".join(str(c) for c in sorted(positive))
    needs = [p.reference.worst.major in positive for p in pairs if p.reference.worst is not None]
    rule = f"positive: worst category in {digits.replace('_', ' ')}"
    made = []
    for name, wanted, count in (
        ("sensitivity", True, sum(needs)),
        ("specificity", False, len(needs) - sum(needs)),
    ):
        side = "positive" if wanted else "negative"
        about = f"{rule}; {count} references are {side}"
        full = f"{what}_{name}_{digits}"
        named, every = (partial(hit, positive, wanted) for hit in (_hit, _hit_strict))
        made += [
            _share(full, f"{about}; a draft that names none is unscored", of_drafts(pairs, named, 2)),
            _share(f"{full}{STRICT}", f"{about}; {_WRONG}", of_all(pairs, every, 2)),
        ]
    return made


def _hit(positive: frozenset[int], wanted: bool, pair: Pair, draft: Report) -> Terms:
    """Whether a case of the wanted side is called so; a case of the other side is not scored."""
    return None if draft.worst is None else _hit_strict(positive, wanted, pair, draft)


def _hit_strict(positive: frozenset[int], wanted: bool, pair: Pair, draft: Report) -> Terms:
    """As `_hit`; a draft that names no category calls the case neither."""
    reference, predicted = pair.reference.worst, draft.worst
    if reference is None or (reference.major in positive) is not wanted:
        return None
    called = predicted is not None and (predicted.major in positive) is wanted
    return float(called), 1.0


def confusions(pairs: Sequence[Pair]) -> dict[str, Confusion]:
    """Counts [reference, draft] of worst category (7, and with letters) and composition.

    A row has one count a label and last those of cases whose draft names none, and of cases without a draft that was
    read. References that name none are skipped.
    """
    tables: dict[str, tuple[list[Hashable], Reading]] = {
        "birads": (list(range(7)), partial(_worst, _major)),
        "birads_4abc": ([c.value for c in Category], partial(_worst, _lettered)),
        "density": (list(Composition), _composition),
    }
    return {name: _confusion(pairs, labels, read) for name, (labels, read) in tables.items()}


def _confusion(pairs: Sequence[Pair], labels: list[Hashable], read: Reading) -> Confusion:
    counts = np.zeros((len(labels), len(labels) + 1), np.int64)
    for pair in pairs:
        reference, predicted = read(pair.reference), read(drafted(pair) or Report())
        if reference is not None:
            counts[labels.index(reference), len(labels) if predicted is None else labels.index(predicted)] += 1
    return Confusion(labels=tuple(str(label) for label in labels), counts=tuple(tuple(row) for row in counts.tolist()))
