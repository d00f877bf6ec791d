"""`make model` at a tiny size: from phantoms to a checkpoint that drafts, and started again it changes nothing."""

from __future__ import annotations

from pathlib import Path

from amrg.generation.drafting import draft_report
from amrg.generation.engines.local import load_engine
from amrg.imaging import read_studies
from amrg.models.embedded.guard import Guard
from amrg.phantom import Size, draw_exam, write_exam
from amrg.training.embedded.build import EmbeddedRecipe, build_model
from amrg.training.embedded.loop import Schedule

TINY = Schedule(steps=2, batch_size=2, peak_learning_rate=1e-3, warmup_steps=1)
RECIPE = EmbeddedRecipe(
    rich_exams=3,
    screening_exams=3,
    fresh_rich_exams=2,
    fresh_screening_exams=2,
    language_rich_exams=2,
    language_screening_exams=2,
    held_out_exams=2,
    tower=TINY,
    tower_ends=2,
    tower_again=TINY,
    tower_whole=TINY,
    language=TINY,
    few_views=1,
)


def test_a_tiny_model_is_built_drafts_and_is_built_again_alike(tmp_path: Path) -> None:
    for out in ("first", "second"):
        build_model(RECIPE, tmp_path / "run", tmp_path / out)
    for name in ("model.safetensors", "heads.safetensors", "guard.safetensors", "recipe.json", "tokenizer.json"):
        assert (tmp_path / "first" / name).read_bytes() == (tmp_path / "second" / name).read_bytes(), name
    assert EmbeddedRecipe.model_validate_json((tmp_path / "first" / "recipe.json").read_text()) == RECIPE
    assert Guard.load(tmp_path / "first") is not None
    write_exam(draw_exam(1_000_001, Size.SMALL), tmp_path / "study")
    (study,) = read_studies(tmp_path / "study").studies
    draft = draft_report(study, load_engine(str(tmp_path / "first")), force=True)
    assert draft.domain_distance is not None
    assert draft.report.provenance is not None
    assert draft.report.provenance.model == "first"
