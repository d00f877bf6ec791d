"""The figures that early stopping watches, by hand; and drafts that do not depend on what they are written with."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest

from amrg.birads import parse
from amrg.training.data.prepared import Prepared
from amrg.training.data.samples import Sample
from amrg.training.loop.lora import eval_mode
from amrg.training.loop.validating import DraftWriter, figures, intervals, unscored
from amrg.training.recipe import Metric
from tests.training.small import base, fabricated

MASS = "Findings: a mass in the upper outer quadrant of the right breast."


def samples(*texts: str) -> list[Sample]:
    return [Sample(f"case-{i}", {}, (), text, parse(text).report) for i, text in enumerate(texts)]


def test_figures_by_hand() -> None:
    references = samples(
        f"Breast composition: b. {MASS} BI-RADS 4A.",
        "Breast composition: c. No mass. BI-RADS 1.",
        "No mass. BI-RADS 2.",
        "Breast composition: a. No mass.",
    )
    drafts = [
        f"Breast composition: b. {MASS} BI-RADS 4C.",  # 4A and 4C are both 4
        f"Breast composition: d. {MASS} BI-RADS 2.",
        "Breast composition: c. No mass.",  # names no category: not right, and unscored
        "Breast composition: a. BI-RADS 5.",  # the reference names none: not counted
    ]
    found = figures(drafts, references)
    assert found[Metric.BIRADS] == pytest.approx(1 / 3)
    assert found[Metric.COMPOSITION] == pytest.approx(2 / 3)
    assert found[Metric.FINDING_F1] == pytest.approx(2 * 1 / (2 * 1 + 1 + 0))
    assert found[Metric.CLINICAL] == pytest.approx((1 / 3 + 2 / 3 + 2 / 3) / 3)
    assert unscored(drafts, references) == 1
    assert set(found) == set(Metric)


def test_a_side_or_quadrant_that_is_wrong_is_no_match() -> None:
    found = figures([MASS.replace("right", "left")], samples(MASS))
    assert found[Metric.FINDING_F1] == 0.0


def test_intervals_of_a_share_are_those_of_drawn_cases() -> None:
    references = samples(*["BI-RADS 2."] * 40)
    found = intervals(["BI-RADS 2."] * 30 + ["BI-RADS 1."] * 10, references)
    low, high = found[Metric.BIRADS] or (math.nan, math.nan)
    assert low == pytest.approx(0.75 - 1.96 * math.sqrt(0.75 * 0.25 / 40), abs=0.03)
    assert high == pytest.approx(0.75 + 1.96 * math.sqrt(0.75 * 0.25 / 40), abs=0.03)
    assert found[Metric.CLINICAL] == found[Metric.BIRADS]
    assert found[Metric.COMPOSITION] is None
    mixed = samples("BI-RADS 2.", f"{MASS} BI-RADS 4.")  # a draw of the first alone has no finding to be right about
    assert intervals(["BI-RADS 1.", "BI-RADS 4."], mixed)[Metric.CLINICAL] is None
    assert intervals(["BI-RADS 2."], references[:1])[Metric.BIRADS] is None  # one case has no interval


def test_what_no_reference_has_is_no_number_and_in_no_mean() -> None:
    found = figures(["BI-RADS 2."], samples("No mass. BI-RADS 2."))
    assert math.isnan(found[Metric.COMPOSITION])
    assert math.isnan(found[Metric.FINDING_F1])
    assert found[Metric.CLINICAL] == found[Metric.BIRADS] == 1.0
    assert all(math.isnan(value) for value in figures(["BI-RADS 2."], samples("Nothing.")).values())


def test_drafts_do_not_depend_on_what_they_are_written_with(tmp_path: Path) -> None:
    prepared = fabricated(base(tmp_path))
    cases = [shorter(prepared, 0), *prepared.train[1:4], shorter(prepared, 4)]
    with eval_mode(prepared.loaded.model):
        alone, some, all_of_them = (
            DraftWriter(prepared, 12, at_once).write(prepared.loaded.model, cases) for at_once in (1, 2, 5)
        )
    assert alone == some == all_of_them
    assert len(set(alone)) > 1


def shorter(prepared: Prepared, number: int) -> Sample:
    """A sample whose instruction lacks its last word but one, so that its row is padded among the others."""
    sample = prepared.train[number]
    cut = {name: column[[*range(len(column) - 4), -3, -2, -1]] for name, column in sample.prompt.items()}
    assert len(cut["input_ids"]) == len(sample.prompt["input_ids"]) - 1
    return replace(sample, prompt=cut)
