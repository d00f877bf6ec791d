"""One meaning a name: every metric is made at one place in the code, and lists of names hold only what there is."""

from __future__ import annotations

import ast
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from amrg.benchmark.model_card import BLANKED_METRICS, METRICS
from amrg.benchmark.scoring.blind import TABLE_METRICS
from amrg.benchmark.scoring.image_dependence import sides_moved
from amrg.benchmark.scoring.measure import open_metrics, pairs_of
from amrg.birads import Finding, Kind, Laterality, Report, View, ViewBox, render
from amrg.datasets import Case, ReferenceSource
from amrg.experiments.sweep.table import COLUMNS
from amrg.metrics.families import MAIN_METRICS
from amrg.metrics.metric import Metric
from amrg.metrics.prediction import Prediction
from amrg.metrics.strict import strict_twin
from amrg.metrics.validation import WatchedMetric, watched_metrics
from amrg.training.data.samples import Sample
from amrg.training.loop.validating import validation_metrics
from tests.syntax import tree_of

SOURCE = Path(__file__).parents[2] / "src" / "amrg"
NOT_HERE = {"meteor_nltk", "meteor_1_5_jar"}
"""Metrics whose data or program need not be installed."""


def facts(probability: float) -> Report:
    """A finding of every kind, each with a box."""
    box = ViewBox(laterality=Laterality.LEFT, view=View.CC, left=0, top=0, right=9, bottom=9)
    return Report(
        findings=tuple(
            Finding(kind=kind, laterality=Laterality.LEFT, boxes=(box,), probability=probability) for kind in Kind
        )
    )


def cases() -> list[Case]:
    return [
        Case(
            key=key,
            dataset="made-up",
            group=key,
            source=ReferenceSource.RADIOLOGIST,
            licence="CC0",
            images=(),
            reference=facts(1.0),
            text=render(facts(1.0)),
        )
        for key in "ab"
    ]


def everything() -> list[Metric]:
    """What the benchmark computes of drafts with boxes, probabilities and refusals, and on mirrored images."""
    predictions = [Prediction(key=c.key, text=c.text, report=facts(0.5), refused=False) for c in cases()]
    pairs = pairs_of(cases(), predictions)
    with open_metrics(cases()) as measure:
        return [*measure(pairs), *sides_moved(pairs, pairs)]


@pytest.fixture
def places(monkeypatch: pytest.MonkeyPatch) -> dict[str, set[str]]:
    """File and function of every metric made from now on, by its name."""
    found: dict[str, set[str]] = defaultdict(set)
    make = Metric.__init__

    def recording(self: Metric, *given: object, **named: object) -> None:
        make(self, *given, **named)  # type: ignore[arg-type]
        code = sys._getframe(1).f_code
        if "amrg" in Path(code.co_filename).parts:  # a copy by `dataclasses.replace` is no definition
            found[self.name].add(f"{Path(code.co_filename).name}: {code.co_qualname}")

    monkeypatch.setattr(Metric, "__init__", recording)
    return found


def test_a_name_is_made_at_one_place_whoever_asks(places: dict[str, set[str]]) -> None:
    metrics = everything()
    samples = [Sample(c.key, {}, (), c.text, c.reference) for c in cases()]
    validation_metrics([sample.text for sample in samples], samples)
    watched_metrics(pairs_of(cases(), [Prediction(key=c.key, text=c.text) for c in cases()]))
    assert len(metrics) > 80
    twins = {strict_twin(metric).name for metric in metrics if metric.has_strict}  # measured, not defined again
    assert places.keys() == {metric.name for metric in metrics} - twins
    assert {name: sorted(found) for name, found in places.items() if len(found) > 1} == {}


def parsed() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(SOURCE.rglob("*.py")):
        yield str(path.relative_to(SOURCE)), tree_of(path)


def calls(tree: ast.Module, name: str) -> Iterator[ast.Call]:
    """The calls of a function or class by its bare name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name:
            yield node


def literal(name: ast.expr) -> str | None:
    """The name itself; None of one that is put together or handed on."""
    return name.value if isinstance(name, ast.Constant) and isinstance(name.value, str) else None


def test_no_two_calls_make_the_same_name() -> None:
    """In all of the code, that which needs a program or package that is not installed here included."""
    made = Counter(name for _, tree in parsed() for call in calls(tree, "Metric") if (name := literal(call.args[0])))
    assert made >= Counter(NOT_HERE)
    assert {name: times for name, times in made.items() if times > 1} == {}


def test_no_other_code_computes_a_number_under_a_metric_name() -> None:
    """No dictionary pairs a metric's name with a value that is computed there, and a card names none of its own."""
    names = {metric.name for metric in everything()} | NOT_HERE
    paired = [
        f"{file}:{key.lineno} {key.value}"
        for file, tree in parsed()
        for node in ast.walk(tree)
        if isinstance(node, ast.Dict)
        for key, value in zip(node.keys, node.values, strict=True)
        if isinstance(key, ast.Constant) and key.value in names and not isinstance(value, ast.Constant)
    ]
    assert paired == []
    named_by_the_card = [
        f"{file}:{call.lineno}"
        for file, tree in parsed()
        for call in calls(tree, "CardMetric")
        if str(file) != "experiments/film_figures.py"  # its figures are of single views, and named after its functions
        and any(k.arg == "name" and not isinstance(k.value, ast.Name) for k in call.keywords)
    ]
    assert named_by_the_card == []


def test_lists_of_names_hold_only_what_there_is() -> None:
    names = {metric.name for metric in everything()} | NOT_HERE
    listed = {
        *MAIN_METRICS,
        *TABLE_METRICS,
        *COLUMNS,
        *METRICS,
        *BLANKED_METRICS,
        *(metric.value for metric in WatchedMetric),
    }
    assert listed - names == set()
