"""What an export leaves to know it by: its odds and those of its base, prompts of known length, a name of its own."""

from __future__ import annotations

import shlex
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from amrg.birads import Laterality, View
from amrg.models import ModelError
from amrg.models.adapters.files import WEIGHTS_FILE
from amrg.models.checkpoint import folder_hash
from amrg.models.export.exporting import ExportRequest, export_adapter, export_merged
from amrg.models.export.knowing import known_answers_of
from amrg.models.export.original import write_original_answers
from amrg.models.export.vllm import serve_adapter_command, serve_command, serve_original_command
from amrg.models.guard.distance import FILE_NAME as GUARD_FILE
from amrg.models.known_answers import (
    FILE_NAME,
    PROBES,
    KnownAnswers,
    ServedAnswer,
    distance,
    read_known_answers,
    served_name,
    total_variation,
)
from amrg.models.load import load_model
from tests.models.adapted import adapter_for
from tests.models.tiny import TINY

IMAGES = """{"image": {"count": 8, "width": 56, "height": 56}, "video": 0}"""
OPTIONS = f"--generation-config vllm --limit-mm-per-prompt '{IMAGES}'"


@pytest.fixture(scope="module")
def exports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    base = TINY["gemma3"](tmp_path_factory.mktemp("base"))
    folder = tmp_path_factory.mktemp("exports")
    adapter = adapter_for(base, folder / "tuned")
    merged = export_merged(ExportRequest(adapter, folder / "merged"))
    alone = export_adapter(ExportRequest(adapter, folder / "adapter"))
    assert merged.serve == f"vllm serve {folder / 'merged'} --served-model-name {merged.name} {OPTIONS}"
    options = f"--enable-lora --max-lora-rank 8 --lora-modules {alone.name}={folder / 'adapter'}"
    assert alone.serve == f"vllm serve {base} {options} {OPTIONS}"
    return {"base": base, "merged": folder / "merged", "adapter": folder / "adapter"}


@pytest.mark.parametrize("kind", ["merged", "adapter"])
def test_an_export_s_known_answers_are_its_own(kind: str, exports: dict[str, Path]) -> None:
    loaded = load_model(str(exports[kind]))
    known = read_known_answers(exports[kind])
    again = known_answers_of(loaded, folder_hash(exports[kind]))
    assert known.name == again.name == served_name(folder_hash(exports[kind]))
    assert (known.begin, known.image, known.length) == (again.begin, again.image, again.length)
    assert known.settings == loaded.settings
    for stored, now, views in zip(known.answers, again.answers, PROBES, strict=True):
        assert stored.views == views
        assert (stored.prompt_tokens, stored.prompt_ids, stored.text) == (now.prompt_tokens, now.prompt_ids, now.text)
        for one, other in zip(stored.positions, now.positions, strict=True):
            assert total_variation(one.model, other.model) < 1e-4
            assert one.base
            assert bool(one.swapped) == (len(views) > 1)


def served(known: KnownAnswers, number: int, who: str) -> ServedAnswer:
    """A known study as answered by the model, by its base, or by the model on swapped images."""
    positions = known.answers[number].positions
    return ServedAnswer("", tuple(p.token for p in positions), tuple(getattr(p, who) for p in positions))


def test_the_model_its_base_and_swapped_images_are_told_apart(exports: dict[str, Path]) -> None:
    known = read_known_answers(exports["merged"])
    for who, zero in (("model", "model"), ("base", "base"), ("swapped", "swapped")):
        far = distance(known.answers[0], served(known, 0, who))
        assert {name: getattr(far, name) for name in ("model", "base", "swapped")}[zero] == 0
        assert min(value for name, value in vars(far).items() if name != zero and value is not None) > 1e-5
    assert distance(known.answers[1], served(known, 1, "model")).swapped is None


def test_odds_are_compared_up_to_the_first_token_that_differs(exports: dict[str, Path]) -> None:
    known = read_known_answers(exports["merged"]).answers[0]
    odds: list[dict[str, float]] = [dict(p.model) for p in known.positions]
    odds[2:] = [{"x": 1.0}] * len(odds[2:])
    tokens = ["y" if i == 1 else p.token for i, p in enumerate(known.positions)]
    assert distance(known, ServedAnswer("", tuple(tokens), tuple(odds))).model == 0


@pytest.mark.parametrize("family", ["gemma3", "qwen2_5_vl"])
def test_the_length_of_any_prompt_follows_from_its_views(family: str, tmp_path: Path) -> None:
    loaded = load_model(str(TINY[family](tmp_path)))
    known = known_answers_of(loaded, "0" * 64)
    assert known.length is not None
    views = ((Laterality.LEFT, View.CC), (Laterality.RIGHT, View.MLO), (Laterality.LEFT, View.CC))
    images = [torch.zeros(known.settings.encoding.size, known.settings.encoding.size, 3).byte().numpy()] * 3
    prompt = loaded.backbone.build_prompt(loaded.processor, loaded.settings, views, images)
    assert known.length.of(views) == len(prompt.tokens["input_ids"])
    assert known.length.of([(Laterality.LEFT, View.XCCL)]) is None


def test_the_name_changes_with_a_bit_of_the_weights(exports: dict[str, Path], tmp_path: Path) -> None:
    other = shutil.copytree(exports["adapter"], tmp_path / "other")
    tensors = load_file(other / WEIGHTS_FILE)
    name = sorted(tensors)[0]
    tensors[name].view(torch.int32).view(-1)[0] ^= 1
    save_file(tensors, other / WEIGHTS_FILE, {"format": "pt"})
    assert served_name(folder_hash(other)) != served_name(folder_hash(exports["adapter"]))


@pytest.mark.parametrize("kind", ["base", "merged", "adapter"])
def test_the_weights_are_the_same_without_the_guard_s_file(exports: dict[str, Path], kind: str, tmp_path: Path) -> None:
    copied = shutil.copytree(exports[kind], tmp_path / "copied")
    before = folder_hash(copied)
    (copied / GUARD_FILE).unlink(missing_ok=True)
    assert folder_hash(copied) == before
    (copied / GUARD_FILE).write_bytes(b"another")
    assert folder_hash(copied) == before


def test_missing_damaged_and_undrawable_known_answers_are_one_line(exports: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"no known-answers\.json"):
        read_known_answers(exports["base"])
    text = (exports["merged"] / FILE_NAME).read_text(encoding="utf-8")
    (tmp_path / FILE_NAME).write_text(text[:200], encoding="utf-8")
    with pytest.raises(ModelError, match="is damaged"):
        read_known_answers(tmp_path)
    known = KnownAnswers.model_validate_json(text)
    known.model_copy(update={"images": "0" * 64}).save(tmp_path)
    with pytest.raises(ModelError, match="drawn differently by NumPy"):
        read_known_answers(tmp_path)


def test_known_answers_of_a_model_as_published_are_written_without_its_weights(
    exports: dict[str, Path], tmp_path: Path
) -> None:
    made = write_original_answers(str(exports["base"]), tmp_path)
    known = read_known_answers(tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["known-answers.json"]
    assert known == made.known
    weights = folder_hash(exports["base"])
    assert (known.name, known.weights, known.base) == (served_name(weights), weights, None)
    assert known.source == str(exports["base"].resolve())
    assert made.serve == f"vllm serve {known.source} --served-model-name {known.name} {OPTIONS}"
    assert serve_original_command(known.model_copy(update={"source": "someone/model", "weights": "c0ffee"})).startswith(
        f"vllm serve someone/model --revision c0ffee --served-model-name {known.name} "
    )
    in_a_folder = known.model_copy(update={"source": "/of the ward/model"})
    for command in (
        serve_original_command(in_a_folder),
        serve_command(Path("/of the ward/model"), known),
        serve_adapter_command(Path("/of the ward/tuned"), known, "/of the ward/model", ()),
    ):
        words = shlex.split(command)
        assert (words[2], known.name in " ".join(words[3:])) == ("/of the ward/model", True)
        assert words[-1] == IMAGES
    # The answers are the model's own: those that an export of it compares with.
    merged = read_known_answers(exports["merged"])
    assert [answer.text for answer in known.answers] == [answer.base_text for answer in merged.answers]
    with pytest.raises(ModelError, match="those of another model"):
        write_original_answers(str(exports["merged"]), tmp_path)
    with pytest.raises(ModelError, match="an adapter; `amrg export` leaves its known answers"):
        write_original_answers(str(exports["adapter"]), tmp_path / "other")
