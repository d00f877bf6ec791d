"""Exports answer as what was trained, under the names that the hub and vLLM have; what does not is refused."""

from __future__ import annotations

import json
import math
import re
import shutil
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file, save_file
from transformers import AutoModelForImageTextToText, AutoProcessor

from amrg.models import ModelError, model_card
from amrg.models.adapters.files import WEIGHTS_FILE
from amrg.models.backbones.base import Modules
from amrg.models.export.exporting import Exported, ExportRequest, export_adapter, export_merged
from amrg.models.export.notices import terms_of
from amrg.models.export.verifying import Answers, answers_of, compare_answers, refuse_unlike
from amrg.models.export.vllm import adapter_notes, adapter_obstacles
from amrg.models.guard.distance import fit_distance
from amrg.models.hubnames import hub_name
from amrg.models.load import load_base, load_model, load_unmerged
from amrg.training.recipe import Lora
from tests.models.adapted import adapter_for, as_cached
from tests.models.published import published_names, read_published
from tests.models.tiny import TINY, WHOLE_RUNS, tiny_embedded

# What vLLM's Gemma 3 has, module by module, once its own prefixes are taken off: written from its classes' layout.
GEMMA3_IN_VLLM = re.compile(
    r"vision_tower\.vision_model\.(embeddings\.(patch|position)_embedding|post_layernorm"
    r"|encoder\.layers\.\d+\.(layer_norm[12]|mlp\.fc[12]|self_attn\.(q_proj|k_proj|v_proj|out_proj)))\.(weight|bias)"
    r"|multi_modal_projector\.(mm_input_projection_weight|mm_soft_emb_norm\.weight)"
    r"|language_model\.model\.(embed_tokens|norm)\.weight"
    r"|language_model\.model\.layers\.\d+\.(mlp\.(gate|up|down)_proj|self_attn\.([qkvo]_proj|[qk]_norm)"
    r"|(input|post_attention|pre_feedforward|post_feedforward)_layernorm)\.weight"
)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return TINY["gemma3"](tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="module")
def adapter(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return adapter_for(base, tmp_path_factory.mktemp("adapter") / "tuned")


@pytest.fixture(scope="module")
def merged(adapter: Path, tmp_path_factory: pytest.TempPathFactory) -> Exported:
    return export_merged(ExportRequest(adapter, tmp_path_factory.mktemp("merged") / "out"))


def stored(folder: Path) -> dict[str, torch.Tensor]:
    return {name: t for file in folder.glob("model*.safetensors") for name, t in load_file(file).items()}


@pytest.mark.parametrize("family", WHOLE_RUNS)
def test_every_family_is_exported_merged_and_by_itself(family: str, tmp_path: Path) -> None:
    (tmp_path / "base").mkdir()
    folder = adapter_for(TINY[family](tmp_path / "base"), tmp_path / "tuned")
    for export in (export_merged, export_adapter):
        done = export(ExportRequest(folder, tmp_path / export.__name__)).comparison
        assert done.export_from_adapter.relative < 1e-5 < done.adapter_from_base.relative
        assert done.export_from_adapter.same_text
        assert not done.export_from_base.same_text


def test_an_adapter_on_a_model_of_the_hub_is_exported_and_has_a_hash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    TINY["gemma3"](as_cached(tmp_path / "cache", "someone/tiny", "0" * 40, monkeypatch))
    monkeypatch.chdir(tmp_path)  # where a folder of the adapter's name is found
    folders = [adapter_for("someone/tiny", tmp_path / f"tuned-{scale}", scale=scale) for scale in (0.2, 0.3)]
    for export in (export_merged, export_adapter):
        done = export(ExportRequest(folders[0], tmp_path / export.__name__)).comparison
        assert done.export_from_adapter.relative < 1e-5 < done.adapter_from_base.relative
    hashes = {load_model(str(folder)).weights_hash for folder in folders}
    assert len(hashes) == 2
    assert None not in hashes


def test_an_adapter_on_other_weights_of_the_same_shape_is_refused(base: Path, tmp_path: Path) -> None:
    folder = adapter_for(base, tmp_path / "tuned")
    document = json.loads((folder / "training.json").read_text(encoding="utf-8"))
    trained = document | {"weights_hash": load_base(str(base)).weights_hash}
    (folder / "training.json").write_text(json.dumps(trained), encoding="utf-8")
    load_model(str(folder))
    (folder / "training.json").write_text(json.dumps(trained | {"weights_hash": "0" * 64}), encoding="utf-8")
    with pytest.raises(ModelError, match=r"tuned: it was trained on a base whose weights_hash is 000000000000"):
        load_model(str(folder))


def test_an_adapter_of_an_unfinished_run_is_held_to_its_base_too(base: Path, tmp_path: Path) -> None:
    folder = adapter_for(base, tmp_path / "tuned")
    (folder / "training.json").unlink()
    for weights in (load_base(str(base)).weights_hash, "0" * 40):  # a commit of the hub says nothing of a folder
        (folder / "run.json").write_text(json.dumps({"weights": weights}), encoding="utf-8")
        load_model(str(folder))
    (folder / "run.json").write_text(json.dumps({"weights": "0" * 64}), encoding="utf-8")
    with pytest.raises(ModelError, match=r"tuned: it was trained on a base whose weights_hash is 000000000000"):
        load_model(str(folder))


def test_what_training_told_of_an_adapter_is_one_line_where_it_is_damaged(base: Path, tmp_path: Path) -> None:
    folder = adapter_for(base, tmp_path / "tuned")
    (folder / "training.json").write_text('{"weights_hash": ', encoding="utf-8")
    with pytest.raises(ModelError, match=r"adapter tuned: training\.json is damaged .*copy it again") as raised:
        load_model(str(folder))
    assert "\n" not in str(raised.value)


def test_an_adapter_of_numbers_that_are_none_is_one_line(base: Path, tmp_path: Path) -> None:
    folder = adapter_for(base, tmp_path / "tuned", scale=math.inf)
    with pytest.raises(ModelError, match="tuned: it holds numbers that are not finite") as raised:
        load_model(str(folder))
    assert "\n" not in str(raised.value)


def test_what_smolvlm_s_connector_learned_is_to_be_served_too(tmp_path: Path) -> None:
    (tmp_path / "base").mkdir()
    lora = Lora(rank=4, modules=Modules.PROJECTOR)
    folder = adapter_for(TINY["smolvlm"](tmp_path / "base"), tmp_path / "tuned", lora)
    notes = adapter_notes(load_unmerged(folder))
    assert any("--enable-tower-connector-lora" in note for note in notes)
    assert "SGLang: skips the adapter's weights in tower and connector; export with --merge" in notes


def test_an_adapter_is_compared_in_full_precision_where_drafts_are_written_in_less(
    adapter: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("amrg.models.load._dtype", lambda *_: (torch.bfloat16, ()))
    assert export_adapter(ExportRequest(adapter, tmp_path / "out")).comparison.export_from_adapter.relative < 1e-5


@pytest.mark.parametrize(
    "lora",
    [
        Lora(rank=4, modules=Modules.TOWER),
        Lora(rank=4, modules=Modules.PROJECTOR, use_dora=True),
        Lora(rank=8, use_rslora=True),
    ],
    ids=["tower", "dora and projector", "rank-stabilised"],
)
def test_every_kind_of_adapter_is_merged(lora: Lora, base: Path, tmp_path: Path) -> None:
    done = export_merged(ExportRequest(adapter_for(base, tmp_path / "tuned", lora), tmp_path / "out")).comparison
    assert done.export_from_adapter.relative < 1e-5 < done.adapter_from_base.relative


def test_merged_weights_have_the_names_that_vllm_has(merged: Exported) -> None:
    names = list(stored(merged.folder))
    assert len(names) == 80
    assert [n for n in names if not GEMMA3_IN_VLLM.fullmatch(n)] == []


@pytest.mark.parametrize(
    ("model_type", "name", "hub"),
    [
        ("gemma3", "model.language_model.norm.weight", "language_model.model.norm.weight"),
        ("gemma3", "model.vision_tower.vision_model.encoder.x", "vision_tower.vision_model.encoder.x"),
        ("gemma3", "vision_tower.encoder.x", "vision_tower.vision_model.encoder.x"),
        ("gemma3", "vision_tower.stages.0.weight", "vision_tower.stages.0.weight"),
        ("gemma3", "lm_head.weight", "language_model.lm_head.weight"),
        ("qwen2_5_vl", "model.visual.patch_embed.x", "visual.patch_embed.x"),
        ("qwen2_5_vl", "model.language_model.layers.0.x", "model.layers.0.x"),
        ("qwen3_vl", "model.language_model.layers.0.x", "model.language_model.layers.0.x"),
    ],
)
def test_names_on_the_hub(model_type: str, name: str, hub: str) -> None:
    assert hub_name(model_type, name) == hub
    assert hub_name(model_type, hub) == hub


@pytest.mark.parametrize("name", published_names())
def test_published_names_are_the_hub_s_own(name: str) -> None:
    published = read_published(name)
    assert published.tensors
    assert [n for n in published.tensors if hub_name(published.config["model_type"], n) != n] == []


def test_plain_transformers_load_what_amrg_loads(merged: Exported) -> None:
    ours = load_model(str(merged.folder))
    plain, info = AutoModelForImageTextToText.from_pretrained(merged.folder, output_loading_info=True)
    assert not info["missing_keys"] and not info["unexpected_keys"]  # noqa: PT018
    assert all(torch.equal(t, plain.state_dict()[n]) for n, t in ours.model.state_dict().items())
    processor = AutoProcessor.from_pretrained(merged.folder)
    assert processor.tokenizer.get_vocab() == ours.processor.tokenizer.get_vocab()
    assert processor.chat_template == ours.processor.chat_template


def test_answers_are_greedy_and_end_where_the_family_ends(merged: Exported) -> None:
    generation = json.loads((merged.folder / "generation_config.json").read_text(encoding="utf-8"))
    loaded = load_model(str(merged.folder))
    assert generation["do_sample"] is False
    assert generation["eos_token_id"] == loaded.backbone.eos_token_id(loaded.processor)
    assert json.loads((merged.folder / "config.json").read_text(encoding="utf-8"))["architectures"] == [
        "Gemma3ForConditionalGeneration"
    ]


def test_shards_hold_what_one_file_holds(adapter: Path, merged: Exported, tmp_path: Path) -> None:
    sharded = export_merged(ExportRequest(adapter, tmp_path / "out", shard="60KB"))
    assert len(list(sharded.folder.glob("model-*.safetensors"))) > 1
    one, many = stored(merged.folder), stored(sharded.folder)
    assert one.keys() == many.keys()
    assert all(torch.equal(one[n], many[n]) for n in one)


def test_the_base_s_type_is_kept_and_what_rounding_takes_is_refused(base: Path, tmp_path: Path) -> None:
    half = shutil.copytree(base, tmp_path / "half")
    save_file({n: t.bfloat16() for n, t in stored(base).items()}, half / "model.safetensors", {"format": "pt"})
    done = export_merged(ExportRequest(adapter_for(half, tmp_path / "tuned"), tmp_path / "out"))
    assert {t.dtype for t in stored(done.folder).values()} == {torch.bfloat16}
    faint = adapter_for(half, tmp_path / "faint", scale=1e-5)
    with pytest.raises(ModelError, match="lost in rounding"):
        export_merged(ExportRequest(faint, tmp_path / "no"))
    assert export_merged(ExportRequest(faint, tmp_path / "yes", dtype=torch.float32)).stored == "float32"


def test_an_adapter_that_learned_nothing_is_refused(base: Path, tmp_path: Path) -> None:
    nothing = adapter_for(base, tmp_path / "tuned", scale=0.0)
    for export in (export_merged, export_adapter):
        with pytest.raises(ModelError, match="changes nothing"):
            export(ExportRequest(nothing, tmp_path / "out"))
    assert [p.name for p in tmp_path.iterdir()] == ["tuned"]  # no export, and nothing half written


def test_base_weights_in_place_of_merged_ones_are_refused(
    adapter: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As unsloth issue 1352 had it."""
    monkeypatch.setattr(PeftModel, "merge_and_unload", lambda model, **_: model.unload(), raising=False)
    with pytest.raises(ModelError, match="no nearer to the adapter than to its base"):
        export_merged(ExportRequest(adapter, tmp_path / "out"))
    assert list(tmp_path.iterdir()) == []


def test_a_lost_vision_layer_is_refused(adapter: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As unsloth-zoo PR 149 had it."""

    def losing(folder: Path, model_type: str) -> None:
        saved = {hub_name(model_type, n): t for n, t in stored(folder).items() if "encoder.layers.1" not in n}
        save_file(saved, folder / "model.safetensors", {"format": "pt"})

    monkeypatch.setattr("amrg.models.export.exporting.rename_to_hub", losing)
    with pytest.raises(ModelError, match=r"vision_tower\.vision_model\.encoder\.layers\.1\S+ as None") as refused:
        export_merged(ExportRequest(adapter, tmp_path / "out"))
    assert "\n" not in str(refused.value)
    assert list(tmp_path.iterdir()) == []


def test_modules_trained_whole_that_were_lost_are_refused(base: Path, tmp_path: Path) -> None:
    folder = adapter_for(base, tmp_path / "tuned", Lora(rank=4, modules=Modules.PROJECTOR))
    tensors = load_file(folder / WEIGHTS_FILE)
    save_file({n: t for n, t in tensors.items() if "multi_modal_projector" not in n}, folder / WEIGHTS_FILE)
    with pytest.raises(ModelError, match=r"lacks model\.multi_modal_projector"):
        load_model(str(folder))


def test_an_adapter_drafts_as_peft_has_it(base: Path, adapter: Path) -> None:
    ours, bare = load_model(str(adapter)), load_base(str(base))
    message = answers_of(bare).rows
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # of transformers, about a name that PEFT still uses
        plain = PeftModel.from_pretrained(load_base(str(base)).model, str(adapter)).merge_and_unload()
    assert all(torch.equal(t, plain.state_dict()[n]) for n, t in ours.model.state_dict().items())
    assert not torch.allclose(answers_of(ours, message).logits, answers_of(bare, message).logits)
    assert ours.weights_hash not in (None, bare.weights_hash)
    assert (ours.name, ours.folder, ours.adapter) == ("tuned", base, adapter)


def test_a_missing_base_and_another_base_are_each_one_line(base: Path, adapter: Path, tmp_path: Path) -> None:
    lost = shutil.copytree(adapter, tmp_path / "lost")
    config = json.loads((lost / "adapter_config.json").read_text(encoding="utf-8"))
    for name, message in (
        (tmp_path / "gone", "its base is not available"),
        (TINY["smolvlm"](tmp_path), "does not fit"),
    ):
        config["base_model_name_or_path"] = str(name)
        (lost / "adapter_config.json").write_text(json.dumps(config), encoding="utf-8")
        with pytest.raises(ModelError, match=f"adapter lost.*{message}") as refused:
            load_model(str(lost))
        assert "\n" not in str(refused.value)


def test_the_embedded_model_locates_findings_and_has_its_guard_where_its_tower_is_its_own(tmp_path: Path) -> None:
    (tmp_path / "base").mkdir()
    base = tiny_embedded(tmp_path / "base")
    fit_distance(np.random.default_rng(0).standard_normal((9, 2, 5)).tolist()).save(base)
    (base / "card.json").write_text(model_card().model_dump_json(), encoding="utf-8")
    plain = adapter_for(base, tmp_path / "plain")
    done = export_merged(ExportRequest(plain, tmp_path / "out"))
    assert "guard.safetensors" in done.files
    card = model_card(done.folder)
    assert [of.name for of in card.trained_on][-3:] == ["phantom", "cbis-ddsm", "cdd-cesm"]
    assert card.attribution == model_card().attribution
    for page in ("NOTICE", "README.md"):
        text = (done.folder / page).read_text(encoding="utf-8")
        assert all(source in text for source in card.attribution)
    for name in (base, plain, done.folder):
        loaded = load_model(str(name))
        assert loaded.finding_tower is not None
        assert loaded.guard_folder == (done.folder if name == done.folder else base)
        assert loaded.notes == ()
    tuned = load_model(str(adapter_for(base, tmp_path / "tuned", Lora(rank=4, modules=Modules.TOWER))))
    assert tuned.finding_tower is not None
    assert tuned.guard_folder is None
    assert "it changes the vision tower, which locates findings" in " ".join(tuned.notes)
    other = export_merged(ExportRequest(tmp_path / "tuned", tmp_path / "other"))
    assert "guard.safetensors" not in other.files


def test_an_adapter_leaves_what_the_tower_states_of_places_as_it_was_taught(tmp_path: Path) -> None:
    (tmp_path / "base").mkdir()
    folder = adapter_for(tiny_embedded(tmp_path / "base"), tmp_path / "tuned", Lora(rank=4, modules=Modules.TOWER))
    changed = {key.removeprefix("base_model.model.") for key in load_file(folder / WEIGHTS_FILE)}
    parts = {name.split(".")[2] for name in changed if name.startswith("model.vision_tower.")}
    assert parts == {"backbone", "pyramid", "detail", "summary"}


def test_a_tower_of_an_earlier_amrg_is_one_line(base: Path, tmp_path: Path) -> None:
    old = shutil.copytree(base, tmp_path / "old")
    config = json.loads((old / "config.json").read_text(encoding="utf-8"))
    config["vision_config"] = {"model_type": "amrg_conv_tower", "widths": [24, 48, 96, 160, 192]}
    (old / "config.json").write_text(json.dumps(config), encoding="utf-8")
    with pytest.raises(ModelError, match="model 'old' has the vision tower of an earlier amrg") as refused:
        load_model(str(old))
    assert "\n" not in str(refused.value)


def test_vllm_is_told_what_it_cannot_serve(base: Path, tmp_path: Path) -> None:
    refused = {
        "whole": (Lora(rank=4, modules=Modules.PROJECTOR), "fully trained modules"),
        "dora": (Lora(rank=4, use_dora=True), "not support DoRA"),
        "tower": (Lora(rank=4, modules=Modules.ALL_LINEAR), "silently skip"),
    }
    for name, (lora, message) in refused.items():
        folder = adapter_for(base, tmp_path / name, lora)
        (found,) = adapter_obstacles(load_unmerged(folder))
        assert message in found
        with pytest.raises(ModelError, match=message):
            export_adapter(ExportRequest(folder, tmp_path / "no", for_vllm=True))
    assert export_merged(ExportRequest(folder, tmp_path / "merged", for_vllm=True)).warnings == ()
    assert any(message in line for line in export_adapter(ExportRequest(folder, tmp_path / "reported")).warnings)


def test_line_ends_that_vllm_looks_up_must_be_tokens(base: Path, tmp_path: Path) -> None:
    lacking = shutil.copytree(base, tmp_path / "base")
    path = lacking / "tokenizer.json"
    tokenizer = json.loads(path.read_text(encoding="utf-8"))
    tokenizer["added_tokens"] = [t for t in tokenizer["added_tokens"] if t["content"] != "\n\n\n"]
    path.write_text(json.dumps(tokenizer), encoding="utf-8")
    folder = adapter_for(lacking, tmp_path / "tuned")
    with pytest.raises(ModelError, match=r"'\\n\\n\\n' as single tokens"):
        export_merged(ExportRequest(folder, tmp_path / "out", for_vllm=True))
    assert any("single tokens" in line for line in export_merged(ExportRequest(folder, tmp_path / "out")).warnings)


def test_the_card_says_where_it_comes_from_and_whose_terms_it_is_under(base: Path, tmp_path: Path) -> None:
    known = shutil.copytree(base, tmp_path / "medgemma-4b-it")
    for name in ("LICENSE", "tokenizer.model"):
        (known / name).write_text(name, encoding="utf-8")
    done = export_merged(ExportRequest(adapter_for(known, tmp_path / "tuned"), tmp_path / "out"))
    assert {"LICENSE", "tokenizer.model", "recipe.json", "training.json", "amrg.json"} <= set(done.files)
    page = (done.folder / "README.md").read_text(encoding="utf-8")
    notice = (done.folder / "NOTICE").read_text(encoding="utf-8")
    terms = "https://developers.google.com/health-ai-developer-foundations/terms"
    assert f"Health AI Developer Foundations Terms of Use found at {terms}" in notice
    assert "license_name: health-ai-developer-foundations" in page
    for message in (
        "Not for clinical use",
        "use restrictions of section 3.2",
        "| data name | drawn |",
        "export from adapter",
    ):
        assert message in page
    card = model_card(done.folder)
    assert card.training["validation birads_accuracy_7_worst_strict"] == "0.500 [0.400, 0.600]"
    assert card.training["validation cases"] == 96
    assert card.training["lora rank"] == 4
    assert str(tmp_path) not in page


@pytest.mark.parametrize(
    ("base", "front", "tag"),
    [
        ("google/gemma-3-4b-it", "", "gemma"),
        ("runs/tuned-elsewhere", "license: gemma", "gemma"),
        (
            "runs/medical",
            "license: other\nlicense_name: health-ai-developer-foundations",
            "health-ai-developer-foundations",
        ),
        ("runs/own", "license: cc-by-4.0", "other"),
        ("runs/none", "", "other"),
    ],
)
def test_terms_are_known_by_name_or_by_the_card_beside_the_weights(
    base: str, front: str, tag: str, tmp_path: Path
) -> None:
    if front:
        (tmp_path / "README.md").write_text(
            f"---\nlibrary_name: transformers\n{front}\n---\n# Card\n", encoding="utf-8"
        )
    assert terms_of(base, tmp_path).tag == tag


def test_what_a_base_stores_beside_what_it_is_tied_to_is_not_asked_of_an_export(base: Path, tmp_path: Path) -> None:
    reported = shutil.copytree(base, tmp_path / "reported")
    (file,) = reported.glob("*.safetensors")
    tensors = load_file(file)
    (embeddings,) = (t for name, t in tensors.items() if "embed_tokens" in name)
    save_file(tensors | {"language_model.lm_head.weight": embeddings.clone()}, file, {"format": "pt"})
    done = export_merged(ExportRequest(adapter_for(reported, tmp_path / "tuned"), tmp_path / "out"))
    assert not any("lm_head" in name for name in stored(done.folder))


def test_damaged_settings_beside_weights_are_one_line(base: Path, tmp_path: Path) -> None:
    folder = adapter_for(base, tmp_path / "tuned")
    (folder / "amrg.json").write_bytes(b'{"encoding": ')
    with pytest.raises(ModelError, match=r"tuned: amrg\.json is damaged \(.*copy it again") as raised:
        load_model(str(folder))
    assert "\n" not in str(raised.value)


VLLM_PREFIXES = {  # what vLLM's mappers of these families put in place of transformers' prefixes
    "model.language_model.": "language_model.model.",
    "model.visual.": "visual.",
    "model.vision_tower.": "vision_tower.",
    "model.multi_modal_projector.": "multi_modal_projector.",
}
LINEAR_IN_VLLM = re.compile(r"language_model\.model\.layers\.\d+\.(mlp\.(gate|up|down)_proj|self_attn\.[qkvo]_proj)")


@pytest.mark.parametrize("family", ["gemma3", "qwen2_5_vl", "qwen3_vl"])
def test_adapters_have_the_names_that_vllm_has(family: str, tmp_path: Path) -> None:
    (tmp_path / "base").mkdir()
    folder = adapter_for(TINY[family](tmp_path / "base"), tmp_path / "tuned")
    found = set()
    for name in load_file(folder / WEIGHTS_FILE):
        inner = re.fullmatch(r"base_model\.model\.(.+)\.lora_[AB]\.weight", name)
        assert inner is not None, name
        module = inner[1]
        for ours, theirs in VLLM_PREFIXES.items():
            module = theirs + module.removeprefix(ours) if module.startswith(ours) else module
        assert LINEAR_IN_VLLM.fullmatch(module), name
        found.add(module.rsplit(".", 1)[1])
    assert found == {*(f"{x}_proj" for x in "qkvo"), "gate_proj", "up_proj", "down_proj"}


def test_what_is_no_number_and_what_is_off_by_more_than_rounding_are_refused() -> None:
    message = answers(torch.eye(4))
    moved, off = answers(torch.eye(4).roll(1, 1)), answers(torch.eye(4).roll(1, 1) + 0.01 * torch.randn(4, 4))
    refuse_unlike(compare_answers(message, moved, moved, torch.float32), "tuned")
    refuse_unlike(compare_answers(message, moved, off, torch.bfloat16), "tuned")
    with pytest.raises(ModelError, match=r"differs from the adapter .*at most 1e-03 as float32.*--dtype float32"):
        refuse_unlike(compare_answers(message, moved, off, torch.float32), "tuned")
    with pytest.raises(ModelError, match="NaN"):
        refuse_unlike(compare_answers(message, moved, answers(torch.full((4, 4), torch.nan)), torch.float32), "tuned")


def answers(logits: torch.Tensor) -> Answers:
    return Answers(((1,),), logits)


def test_a_taken_folder_and_no_adapter_are_refused(base: Path, adapter: Path, merged: Exported, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="is not empty"):
        export_merged(ExportRequest(adapter, merged.folder))
    with pytest.raises(ModelError, match="not an adapter"):
        export_merged(ExportRequest(base, tmp_path / "out"))
