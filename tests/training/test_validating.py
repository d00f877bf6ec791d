"""Intervals of the validation metrics; and drafts that do not depend on which others are in their batch."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest

from amrg.birads import parse
from amrg.metrics.validation import WatchedMetric
from amrg.training.data.prepared import PreparedData
from amrg.training.data.samples import Sample
from amrg.training.loop.lora import eval_mode
from amrg.training.loop.validating import DraftWriter, unscored, validation_scores, validation_values
from tests.training.small import base, fabricated


def samples(*texts: str) -> list[Sample]:
    return [Sample(f"case-{i}", {}, (), text, parse(text).report) for i, text in enumerate(texts)]


def test_intervals_are_those_of_resampled_groups() -> None:
    references = samples(*["BI-RADS 2."] * 40)
    found = validation_scores(["BI-RADS 2."] * 30 + ["BI-RADS 1."] * 10, references)
    birads, density = found[WatchedMetric.BIRADS], found[WatchedMetric.DENSITY]
    assert (birads.value, birads.n, birads.unscored) == (0.75, 40, 0)
    low, high = birads.between or (math.nan, math.nan)
    assert low == pytest.approx(0.75 - 1.96 * math.sqrt(0.75 * 0.25 / 40), abs=0.03)
    assert high == pytest.approx(0.75 + 1.96 * math.sqrt(0.75 * 0.25 / 40), abs=0.03)
    assert found[WatchedMetric.CLINICAL].between == birads.between
    assert (density.value, density.between, density.n) == (None, None, 0)
    one_patient = [replace(sample, group="the same") for sample in references]
    assert validation_scores(["BI-RADS 2."] * 40, one_patient)[WatchedMetric.BIRADS].between is None
    assert validation_scores(["BI-RADS 2."], references[:1])[WatchedMetric.BIRADS].between is None


def test_drafts_without_a_category_are_counted() -> None:
    references = samples("BI-RADS 2.", "BI-RADS 1.", "No mass.")
    drafts = ["No mass.", "BI-RADS 1.", "No mass."]  # the last reference names none either
    assert unscored(drafts, references) == 1
    assert validation_values(drafts, references)[WatchedMetric.BIRADS] == 1 / 2


def test_drafts_do_not_depend_on_the_others_of_their_batch(tmp_path: Path) -> None:
    prepared = fabricated(base(tmp_path))
    cases = [shorter(prepared, 0), *prepared.train[1:4], shorter(prepared, 4)]
    with eval_mode(prepared.loaded.model):
        alone, some, all_of_them = (
            DraftWriter(prepared, 12, batch_size).write(prepared.loaded.model, cases) for batch_size in (1, 2, 5)
        )
    assert alone == some == all_of_them
    assert len(set(alone)) > 1


def shorter(prepared: PreparedData, number: int) -> Sample:
    """A sample whose instruction lacks its last word but one, so that its row is padded among the others."""
    sample = prepared.train[number]
    cut = {name: column[[*range(len(column) - 4), -3, -2, -1]] for name, column in sample.prompt.items()}
    assert len(cut["input_ids"]) == len(sample.prompt["input_ids"]) - 1
    return replace(sample, prompt=cut)
