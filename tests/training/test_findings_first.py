"""Findings first, with every family: prompts request the list, target texts begin with it, drafts are scored by it."""

from __future__ import annotations

from pathlib import Path

import pytest

from amrg.birads import AnswerForm, Report, parse, read_answer, read_findings, render
from amrg.datasets import open_dataset
from amrg.datasets.case import NO_FINDINGS
from amrg.metrics.validation import WatchedMetric
from amrg.models import ModelSettings
from amrg.models.load import load_base, load_model
from amrg.training.callbacks import NoCallback
from amrg.training.data.examples import build_examples, findings_list
from amrg.training.data.prepared import DataSource
from amrg.training.loop import tuning
from amrg.training.loop.tuning import tune
from amrg.training.loop.validating import validation_values
from amrg.training.outputs.artifacts import read_training
from amrg.training.recipe import Lora, OmittableFact, Recipe, TargetText, Validation
from tests.datasets.fixtures import dataset_of
from tests.models.tiny import WHOLE_RUNS
from tests.training.exams import TRAIN, VALIDATION, drawn, prepared, split_as, tiny_recipe

LISTED = {"answer": AnswerForm.FINDINGS_FIRST}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> DataSource:
    return drawn(tmp_path_factory.mktemp("exams"))


@pytest.mark.parametrize("family", WHOLE_RUNS)
def test_every_family_is_tuned_to_either_form(
    family: str, source: DataSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tuning, "write_summary", lambda *_: None)
    few = {"steps": 1, "batch_size": 2, "micro_batch_size": 2, "lora": Lora(rank=2), "validation": Validation(cases=1)}
    plain = tiny_recipe(tmp_path, family).model_copy(update=few)
    assert load_base(plain.base).settings.answer is AnswerForm.NARRATIVE
    for form in AnswerForm:
        recipe = plain.model_copy(update={"answer": form})
        made = prepared(recipe, source, tmp_path / "cache")
        decode = made.loaded.processor.tokenizer.decode
        sample = made.train[0]
        assert ("FINDINGS LIST" in decode(sample.prompt["input_ids"].tolist())) == (form is AnswerForm.FINDINGS_FIRST)
        assert (read_findings(decode(sample.answer)) is not None) == (form is AnswerForm.FINDINGS_FIRST)
        tune(made, recipe, tmp_path / form, NoCallback())
        assert ModelSettings.of_checkpoint(tmp_path / form, 1).answer is form
        assert load_model(str(tmp_path / form)).settings.full_instruction == made.loaded.settings.full_instruction
        record = read_training(tmp_path / form)
        assert (record.answer, record.without_list) == (form, 0)
    assert len(list((tmp_path / "cache").glob("image-tokens-*"))) == 1


def test_both_forms_of_a_text_score_the_same(source: DataSource, tmp_path: Path) -> None:
    recipe = tiny_recipe(tmp_path)
    both = prepared(recipe.model_copy(update=LISTED), source, tmp_path / "cache")
    alone = prepared(recipe, source, tmp_path / "cache")
    assert [read_answer(s.text).narrative for s in both.train] == [s.text for s in alone.train]
    found = [validation_values([s.text for s in made.train], made.train) for made in (both, alone)]
    assert found[0] == found[1] == dict.fromkeys(WatchedMetric, 1.0)


def test_the_list_has_what_the_reference_states(source: DataSource) -> None:
    dataset = open_dataset(source.data)
    keys = dataset.keys()
    (example, *_), skipped = build_examples(dataset, keys, Recipe(), AnswerForm.FINDINGS_FIRST)
    assert skipped == []
    case = dataset.case(keys[0])
    assert read_answer(example.text).report.stated() == case.reference.stated()
    short = Recipe(target_text=TargetText.CLINICAL, omit=(OmittableFact.SIZES,))
    sized = case.model_copy(update={"reference": parse("Left breast: mass, 9 mm. BI-RADS 4.").report})
    assert "9 mm" in findings_list(sized, Recipe())
    assert "9 mm" not in findings_list(sized, short)
    unlisted = case.model_copy(update={"reference": parse("BI-RADS 2.").report, "notes": (NO_FINDINGS,)})
    assert findings_list(unlisted, Recipe()) == "FINDINGS LIST\nBI-RADS 2\nREPORT\n"


def test_a_target_text_without_facts_stays_plain_and_is_counted(source: DataSource, tmp_path: Path) -> None:
    drawn_set = open_dataset(source.data)
    cases = list(drawn_set.cases())
    empty = Report(narrative="See the report of the other hospital.")
    cases[1] = cases[1].model_copy(update={"text": empty.narrative, "reference": empty})
    dataset = dataset_of(drawn_set.root, cases)
    keys = dataset.keys()
    split_as(dataset, "some", (keys[:TRAIN], keys[TRAIN:VALIDATION], keys[VALIDATION:]))
    recipe = tiny_recipe(tmp_path).model_copy(update=LISTED)
    made = prepared(recipe, DataSource(dataset.folder, "some"), tmp_path / "cache")
    assert [sample.listed for sample in made.train] == [True, False, True, True]
    assert made.train[1].text == empty.narrative
    assert made.without_list == 1
    assert render(cases[0].reference) == read_answer(made.train[0].text).narrative
