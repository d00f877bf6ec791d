"""Adapters of other releases and tools: every tensor lands on its one module, or the line says whose they are."""

from __future__ import annotations

import shutil
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from peft import LoraConfig
from safetensors.torch import load_file, save_file

from amrg.models import ModelError
from amrg.models.adapters.files import WEIGHTS_FILE
from amrg.models.adapters.layouts import layouts_of
from amrg.models.backbones.base import Modules
from amrg.models.export.exporting import ExportRequest, export_adapter, export_merged
from amrg.models.export.verifying import answers_of
from amrg.models.load import LoadedModel, load_base, load_model
from amrg.training.recipe import Lora
from tests.models.adapted import adapter_for
from tests.models.foreign import RELEASES, START, TEXT_ALONE, WRITERS, Rename, by_peft, configured, renamed
from tests.models.tiny import TINY

LINEAR = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
WHOLE = Lora(rank=4, alpha=8, modules=Modules.TOWER)


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return {family: build(tmp_path_factory.mktemp(family)) for family, build in TINY.items()}


@pytest.fixture(scope="module")
def adapters(bases: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """On all parts of each family."""
    folder = tmp_path_factory.mktemp("adapters")
    return {family: adapter_for(base, folder / family, WHOLE) for family, base in bases.items()}


def logits(given: Path | LoadedModel, rows: tuple[tuple[int, ...], ...] | None = None) -> torch.Tensor:
    loaded = load_model(str(given)) if isinstance(given, Path) else given
    return answers_of(loaded, rows or ((90, 91, 92), (93, 94))).logits


@pytest.fixture(scope="module")
def expected(adapters: dict[str, Path]) -> dict[str, torch.Tensor]:
    """Logits of the adapters."""
    return {family: logits(adapters[family]) for family in RELEASES}


@pytest.mark.parametrize(("family", "release"), [(f, r) for f, releases in RELEASES.items() for r in releases])
def test_an_adapter_named_by_another_release_gives_the_same_logits(
    family: str, release: str, adapters: dict[str, Path], expected: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    folder = adapters[family]
    other = renamed(folder, tmp_path / "other", RELEASES[family][release])
    assert not load_file(other / WEIGHTS_FILE).keys() & load_file(folder / WEIGHTS_FILE).keys() or family == "gemma3"
    loaded = load_model(str(other))
    assert torch.equal(logits(loaded), expected[family])
    assert any("all" in note and "have a place" in note for note in loaded.notes)
    exported = export_adapter(ExportRequest(other, tmp_path / "out"))
    ours, theirs = (load_file(place / WEIGHTS_FILE) for place in (exported.folder, folder))
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    assert load_model(str(exported.folder)).notes == ()


@pytest.mark.parametrize(("family", "model"), [(f, m) for f, models in TEXT_ALONE.items() for m in models])
def test_an_adapter_of_the_text_model_alone_is_placed_in_the_whole(
    family: str, model: str, bases: dict[str, Path], tmp_path: Path
) -> None:
    folder = adapter_for(bases[family], tmp_path / "ours")
    other = renamed(folder, tmp_path / "other", TEXT_ALONE[family][model], target_modules=LINEAR)
    assert torch.equal(logits(other), logits(folder))


@pytest.mark.parametrize("writer", WRITERS)
def test_names_of_a_state_dict_of_one_s_own_are_read(
    writer: str, adapters: dict[str, Path], expected: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    other = renamed(adapters["gemma3"], tmp_path / "other", WRITERS[writer])
    assert load_file(other / WEIGHTS_FILE).keys() != load_file(adapters["gemma3"] / WEIGHTS_FILE).keys()
    assert torch.equal(logits(other), expected["gemma3"])


PEFT_CONFIGS: dict[str, Callable[[], LoraConfig]] = {
    # Google's notebook for MedGemma: both ends trained whole, which Gemma 3 ties.
    "google": lambda: LoraConfig(
        r=4, target_modules="all-linear", modules_to_save=["lm_head", "embed_tokens"], task_type="CAUSAL_LM"
    ),
    "unsloth": lambda: LoraConfig(r=4, target_modules=r".*language_model\..*(?:self_attn|mlp)\.\w+_proj"),
    "llama-factory": lambda: LoraConfig(r=4, target_modules=LINEAR, exclude_modules=".*vision_tower.*"),
    "ms-swift": lambda: LoraConfig(r=4, target_modules=r"^(model\.language_model(?=\.).*\.(?:[qkvo]|up)_proj)$"),
    "embeddings": lambda: LoraConfig(r=4, target_modules=["q_proj", "embed_tokens"]),
    "head": lambda: LoraConfig(r=4, target_modules=["q_proj", "lm_head"]),
    "ranks": lambda: LoraConfig(
        r=4, target_modules=LINEAR, rank_pattern={"down_proj": 2}, alpha_pattern={"layers.0.mlp.up_proj": 32}
    ),
    "some layers": lambda: LoraConfig(r=4, target_modules=LINEAR, layers_to_transform=[1], layers_pattern="layers"),
    "dora": lambda: LoraConfig(r=4, target_modules=["q_proj", "v_proj"], use_dora=True, use_rslora=True),
}


TOOLS = [*(("gemma3", tool) for tool in PEFT_CONFIGS), ("smolvlm", "google"), ("smolvlm", "embeddings")]
EXPORTED = {("gemma3", "google"), ("gemma3", "ranks"), ("gemma3", "dora"), ("smolvlm", "embeddings")}
"""Where exports differ: modules trained whole, ranks of their own, DoRA, embeddings. The others are slow tests."""


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("family", "tool"), TOOLS)
def test_what_peft_saves_drafts_as_peft_has_it(family: str, tool: str, bases: dict[str, Path], tmp_path: Path) -> None:
    folder, rows, expected = by_peft(bases[family], tmp_path / "tuned", PEFT_CONFIGS[tool]())
    assert torch.allclose(logits(folder, rows), expected, atol=1e-4)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("family", "tool"), [pytest.param(*t, marks=[] if t in EXPORTED else pytest.mark.slow) for t in TOOLS]
)
def test_what_peft_saves_is_exported_as_peft_has_it(
    family: str, tool: str, bases: dict[str, Path], tmp_path: Path
) -> None:
    folder, rows, expected = by_peft(bases[family], tmp_path / "tuned", PEFT_CONFIGS[tool]())
    merged = export_merged(ExportRequest(folder, tmp_path / "merged"))
    assert torch.allclose(logits(merged.folder, rows), expected, atol=1e-4)
    assert merged.comparison.export_from_adapter.relative < 1e-4
    again = export_adapter(ExportRequest(folder, tmp_path / "alone"))
    assert torch.allclose(logits(again.folder, rows), expected, atol=1e-4)


@pytest.mark.parametrize("family", sorted(TINY))
def test_no_name_means_two_modules(family: str, bases: dict[str, Path]) -> None:
    model = load_base(str(bases[family])).model
    meanings = defaultdict(set)
    for layout in layouts_of(family):
        for name, module in layout.names(name for name, _ in model.named_modules()).items():
            meanings[name].add(module)
    weights = {name: found for name, found in meanings.items() if name.rsplit(".", 1)[-1].endswith("proj")}
    assert weights
    assert {name: found for name, found in weights.items() if len(found) > 1} == {}


def test_a_base_in_less_precision_than_the_adapter_takes_it(
    adapters: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on an accelerator: bfloat16, while an adapter is stored in float32."""
    monkeypatch.setattr("amrg.models.load._dtype", lambda *_: (torch.bfloat16, ()))
    for family in ("gemma3", "qwen2_5_vl"):
        assert load_model(str(adapters[family])).model.dtype == torch.bfloat16


def swapped(old: str, new: str) -> Rename:
    return lambda name: name.replace(old, new)


REFUSED: dict[str, tuple[Callable[[dict[str, torch.Tensor]], dict[str, torch.Tensor]], str]] = {
    "a layer lost": (
        lambda t: {n: v for n, v in t.items() if ".layers.2." not in n or "vision" in n},
        r"lacks the LoRA of model\.language_model\.layers\.2\.",
    ),
    "a half lost": (lambda t: {n: v for n, v in t.items() if not n.endswith("0.mlp.fc1.lora_B.weight")}, "other half"),
    "a deeper model": (
        lambda t: t | {n.replace(".layers.2.", ".layers.33."): v.clone() for n, v in t.items() if ".layers.2." in n},
        "trained on a model of 34 layers or more, and this one has 3",
    ),
    "a wider model": (
        lambda t: {n: torch.cat([v, v], 1) if "language_model" in n and "lora_A" in n else v for n, v in t.items()},
        r"\[4, \d+\], and .* needs \[4, \d+\].*another size",
    ),
    "unsharded": (lambda t: {n: torch.empty(0) if "lora_A" in n else v for n, v in t.items()}, "without gathering"),
    "two adapters": (
        lambda t: t | {n.replace(".lora_A.", ".lora_A.second."): v + 1 for n, v in t.items() if "lora_A" in n},
        "holds two adapters",
    ),
    "fused": (lambda t: {n.replace(".q_proj.", ".qkv_proj."): v for n, v in t.items()}, "Phi-3.5-vision"),
    "qwen": (lambda t: {n.replace("vision_tower.encoder.layers", "visual.blocks"): v for n, v in t.items()}, "Qwen2.5"),
    "mlx": (lambda t: {n.replace("lora_A.weight", "lora_a"): v for n, v in t.items()}, "MLX"),
    "kohya": (lambda t: {n.replace("lora_A", "lora_down"): v for n, v in t.items()}, "diffusion"),
    "megatron": (lambda t: {n.replace(".o_proj.", ".linear_proj."): v for n, v in t.items()}, "Megatron"),
    "untrained": (lambda t: {n: v * 0 if "lora_B" in n else v for n, v in t.items()}, "changes nothing"),
    "nothing": (lambda t: {}, "holds no tensor"),
    "other modules": (lambda t: {n.replace("q_proj", "attention_query"): v for n, v in t.items()}, "layout is unknown"),
}


@pytest.fixture(scope="module")
def linear(bases: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """On all linear layers of Gemma."""
    lora = Lora(rank=4, modules=Modules.ALL_LINEAR)
    return adapter_for(bases["gemma3"], tmp_path_factory.mktemp("linear") / "tuned", lora)


@pytest.mark.parametrize("case", REFUSED)
def test_a_foreign_adapter_is_refused_by_name(case: str, linear: Path, tmp_path: Path) -> None:
    change, message = REFUSED[case]
    folder = shutil.copytree(linear, tmp_path / "tuned")
    save_file(change(load_file(folder / WEIGHTS_FILE)), folder / WEIGHTS_FILE)
    with pytest.raises(ModelError, match=message) as refused:
        load_model(str(folder))
    assert str(refused.value).startswith("adapter tuned")
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(("family", "other"), [(a, b) for a in sorted(TINY) for b in sorted(TINY) if a != b])
def test_an_adapter_of_another_family_is_refused(
    family: str, other: str, bases: dict[str, Path], adapters: dict[str, Path], tmp_path: Path
) -> None:
    folder = shutil.copytree(adapters[other], tmp_path / "tuned")
    configured(folder, base_model_name_or_path=str(bases[family]))
    with pytest.raises(ModelError, match=r"adapter tuned does not fit its base"):
        load_model(str(folder))


def test_the_tool_that_wrote_a_refused_adapter_is_named(bases: dict[str, Path], tmp_path: Path) -> None:
    folder = adapter_for(bases["gemma3"], tmp_path / "tuned")
    (folder / "amrg.json").unlink()
    rename = swapped("q_proj", "query")
    for name, tool in (("additional_config.json", "ms-swift"), ("trainer_log.jsonl", "LLaMA-Factory")):
        other = renamed(folder, tmp_path / tool, rename)
        (other / name).write_text("{}", encoding="utf-8")
        with pytest.raises(ModelError, match=f"written by {tool}"):
            load_model(str(other))
    unsloth = renamed(folder, tmp_path / "u", rename, auto_mapping={"unsloth_fixed": True})
    with pytest.raises(ModelError, match="written by Unsloth"):
        load_model(str(unsloth))


def test_untrained_lora_in_one_part_is_noted_and_not_exported(adapters: dict[str, Path], tmp_path: Path) -> None:
    folder = shutil.copytree(adapters["qwen2_5_vl"], tmp_path / "tuned")
    tensors = load_file(folder / WEIGHTS_FILE)
    save_file(
        {n: t * 0 if "visual.blocks" in n and "lora_B" in n else t for n, t in tensors.items()}, folder / WEIGHTS_FILE
    )
    assert any("vision tower changes nothing" in note for note in load_model(str(folder)).notes)
    for export in (export_merged, export_adapter):
        with pytest.raises(ModelError, match=r"changes none of the .* in the vision tower"):
            export(ExportRequest(folder, tmp_path / "out"))


def test_prefix_is_that_of_peft(adapters: dict[str, Path]) -> None:
    assert all(name.startswith(START) for name in load_file(adapters["gemma3"] / WEIGHTS_FILE))
