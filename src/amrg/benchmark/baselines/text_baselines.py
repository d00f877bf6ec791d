"""Baselines: reports written blind, with two labels known, and the references themselves.

All are fitted on training cases only. Reports are sampled by seed and case key, so that a case gets the same report
whatever other cases are predicted with it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from itertools import combinations
from typing import TypeVar

import numpy as np

from amrg.benchmark.sampling import choose, sample
from amrg.birads import Category, Composition
from amrg.datasets.case import Case
from amrg.metrics.errors import BenchmarkError
from amrg.metrics.prediction import Prediction
from amrg.metrics.text.ngrams import Tokens
from amrg.metrics.text.rouge import lcs_length, stems

MEDOID_CASES = 300
"""How many training cases, sampled by seed, among which the constant report is chosen."""

ORACLE_RULES = (
    "category and density",
    "category without its letter, and density",
    "category",
    "density",
    "none: any report",
)
"""What the oracle's report shares with the reference; a later rule applies only where no training case shares more."""

Label = TypeVar("Label", bound=Hashable)


def blind_baselines(training: Sequence[Case], keys: Sequence[str], seed: int) -> dict[str, list[Prediction]]:
    """Reports written without any image, for each key: `constant`, `sampled`, `prior`.

    `constant` is the training report with the best mean ROUGE-L against training reports; `sampled` a training report
    sampled for each case; `prior` the report of the most frequent labels: the best constant among the training
    reports that have both the most frequent category and the most frequent density.

    Raises:
        BenchmarkError: no training case.
    """
    _refuse_none(training)
    constant, prior = medoid(training, seed), medoid(_of_usual_labels(training), seed)
    return {
        "constant": [Prediction(key=key, text=constant) for key in keys],
        "sampled": [Prediction(key=key, text=choose(training, f"sampled {seed} {key}").text) for key in keys],
        "prior": [Prediction(key=key, text=prior) for key in keys],
    }


def oracle_baseline(training: Sequence[Case], cases: Sequence[Case], seed: int) -> list[Prediction]:
    """Knows only category and density of a case's reference: a training report that shares them.

    Raises:
        BenchmarkError: no training case.
    """
    _refuse_none(training)
    by_rule = _group_by_rule(training)
    return [
        Prediction(key=c.key, text=choose(_similar_cases(by_rule, c)[1], f"oracle {seed} {c.key}").text) for c in cases
    ]


def oracle_rules(training: Sequence[Case], cases: Sequence[Case]) -> Counter[str]:
    """For how many cases the oracle went by which of `ORACLE_RULES`."""
    by_rule = _group_by_rule(training)
    return Counter(ORACLE_RULES[_similar_cases(by_rule, case)[0]] for case in cases)


def perfect_baseline(cases: Sequence[Case]) -> list[Prediction]:
    """The references as predictions: the best possible value of any metric."""
    # Without the narrative, the text is not parsed again to check whether it contradicts its own facts.
    facts = [case.reference.model_copy(update={"narrative": ""}) for case in cases]
    return [Prediction(key=case.key, text=case.text, report=own) for case, own in zip(cases, facts, strict=True)]


def medoid(training: Sequence[Case], seed: int) -> str:
    """The text that, written for each of the others, has the best mean ROUGE-L: the earliest of equals.

    Candidates and references are the same `MEDOID_CASES` training cases at most, sampled by seed.
    """
    texts = Counter(case.text for case in sample(training, MEDOID_CASES, f"constant {seed}"))
    tokens = [stems(text) for text in texts]
    similarity = np.eye(len(tokens))
    for i, j in combinations(range(len(tokens)), 2):
        similarity[i, j] = similarity[j, i] = _rouge_l(tokens[i], tokens[j])
    return list(texts)[int((similarity @ np.array(list(texts.values()))).argmax())]


def _rouge_l(first: Tokens, second: Tokens) -> float:
    """ROUGE-L F1 of two texts in tokens."""
    return 2 * lcs_length(first, second) / max(1, len(first) + len(second))


def _of_usual_labels(training: Sequence[Case]) -> list[Case]:
    """The cases with the most frequent category and density; with the category alone where none has both."""
    category = _most_frequent(c.reference.worst for c in training)
    density = _most_frequent(c.reference.composition for c in training)
    usual = [c for c in training if c.reference.worst == category]
    return [c for c in usual if c.reference.composition == density] or usual


def _most_frequent(values: Iterable[Label | None]) -> Label | None:
    """The most frequent value, unset ones ignored; of equals the first."""
    counts = Counter(v for v in values if v is not None)
    return counts.most_common(1)[0][0] if counts else None


def _labels(case: Case) -> tuple[Hashable, ...]:
    """What each oracle rule looks at, in their order; unset labels match nothing."""
    category: Category | None = case.reference.worst
    density: Composition | None = case.reference.composition
    major = category.major if category is not None else None
    both = category is not None and density is not None
    return (
        (category, density) if both else None,
        (major, density) if both else None,
        category,
        density,
        "any",
    )


def _group_by_rule(training: Sequence[Case]) -> list[dict[Hashable, list[Case]]]:
    """Training cases by what each oracle rule looks at."""
    by_rule: list[dict[Hashable, list[Case]]] = [{} for _ in ORACLE_RULES]
    for case in training:
        for group, label in zip(by_rule, _labels(case), strict=True):
            if label is not None:
                group.setdefault(label, []).append(case)
    return by_rule


def _similar_cases(by_rule: Sequence[dict[Hashable, list[Case]]], case: Case) -> tuple[int, list[Case]]:
    """The first rule that finds training cases like a case, and those cases."""
    labels = _labels(case)
    rule = next(i for i, group in enumerate(by_rule) if labels[i] in group)
    return rule, by_rule[rule][labels[rule]]


def _refuse_none(training: Sequence[Case]) -> None:
    if not training:
        raise BenchmarkError(
            "baselines: no training cases; the split has no train part: name a data set to fit them on"
        )
