"""Recipes from files and single changes: typed, closed, and refused in one line that names field and values."""

from __future__ import annotations

from pathlib import Path

import pytest

from amrg.models.backbones.base import Modules
from amrg.training.documents import RecipeError
from amrg.training.overriding import override, read_recipe
from amrg.training.recipe import LrScheduler, OmittableFact, Quantization, Recipe, TargetText


def test_fields_are_set_by_name() -> None:
    made = override(
        Recipe(),
        [
            "lora.rank=8",
            "lora.modules=language+projector",
            "lr_scheduler=linear",
            "learning_rate=1e-3",
            "quantization=nf4",
            "base=7",
            "revision=null",
        ],
    )
    assert (made.lora.rank, made.lora.modules, made.lr_scheduler) == (8, Modules.PROJECTOR, LrScheduler.LINEAR)
    assert (made.learning_rate, made.quantization, made.base, made.revision) == (1e-3, Quantization.NF4, "7", None)
    assert override(made, ["lora.rank=4", "lora.rank=2"]).lora.rank == 2
    assert override(Recipe(), []) == Recipe()
    together = override(Recipe(), ['omit=["sizes"]', "target_text=clinical"])
    assert (together.omit, together.target_text) == ((OmittableFact.SIZES,), TargetText.CLINICAL)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("lora.rnk=8", "lora.rnk=8: a recipe has no field 'lora.rnk'; did you mean lora.rank"),
        ("rate=1e-3", "a recipe has no field 'rate'; did you mean learning_rate?"),
        ("untold=[]", "a recipe has no field 'untold'; the fields are base, revision, target_text,"),
        ("lora.rank", "expected NAME=VALUE"),
        ("lora.rank=0", "lora.rank is 0: it should be greater than or equal to 1"),
        ("lora.rank=many", 'lora.rank is "many": it should be a valid integer'),
        ("lr_scheduler=poly", 'lr_scheduler is "poly": expected one of constant, linear, cosine'),
        ("precision=float16", "expected one of float32, bfloat16"),
        ("lora.modules=head", "expected one of language, language+projector, language+projector+vision, all-linear"),
        ("settings.max_new_tokens=3", "settings is null; set the whole object as JSON"),
        ('omit=["sizes"]', "omit: a published text is used unchanged; set target_text to a report style"),
        ('lora={"rnk": 3}', "a recipe has no field 'lora.rnk'; did you mean lora.rank"),
    ],
)
def test_what_is_not_allowed_is_named(change: str, message: str) -> None:
    with pytest.raises(RecipeError) as raised:
        override(Recipe(), [change])
    assert message in str(raised.value)
    assert str(raised.value).startswith(change)
    assert "\n" not in str(raised.value)


def test_a_recipe_file_may_leave_out_what_is_default(tmp_path: Path) -> None:
    path = tmp_path / "recipe.json"
    path.write_text('{"lora": {"rank": 4}, "steps": 9}', encoding="utf-8")
    assert read_recipe(path) == override(Recipe(), ["lora.rank=4", "steps=9"])
    path.write_text(Recipe(seed=3).model_dump_json(), encoding="utf-8")
    assert read_recipe(path) == Recipe(seed=3)
    path.write_text("seed: 010", encoding="utf-8")
    assert read_recipe(path) == Recipe(seed=10)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot be read"),
        ("{", "is not YAML or JSON"),
        ('{"epochs": 3}', "has no field 'epochs'"),
        ("[]", "found a list; expected fields with values"),
        ("", "found nothing; expected fields with values"),
        ('{"seed": 1, "seed": 2}', "seed is there twice"),
        ("steps: on", "steps is true, as YAML reads yes, no, on and off"),
        ("steps: 12:30", 'steps is "12:30"'),
        ("learning_rate: .inf", "learning_rate is inf; expected a number"),
        ("lora: {rank: yes}", "lora.rank is true"),
    ],
)
def test_a_recipe_file_that_is_none_is_refused(content: str | None, message: str, tmp_path: Path) -> None:
    path = tmp_path / "recipe.json"
    if content is not None:
        path.write_text(content, encoding="utf-8")
    with pytest.raises(RecipeError, match=r"recipe\.json: ") as raised:
        read_recipe(path)
    assert message in str(raised.value)
