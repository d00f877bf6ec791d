"""An exported folder opened by transformers alone: the same image tokens, prompt, pixels and answer as in training."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from amrg.models import ViewEncoding
from amrg.models.backbones.base import Prompt, chat_of
from amrg.models.decoding.batched import batch_prompts, decode_rows
from amrg.models.export.exporting import ExportRequest, export_merged
from amrg.models.load import LoadedModel, load_model
from tests.models.adapted import adapter_for
from tests.models.families import FAMILIES
from tests.models.studies import VIEWS, Subject
from tests.models.tiny import TINY

SCRIPT = Path(__file__).with_name("by_transformers.py")
TOKENS = 12
# Sizes of a view in pixels: the base's own, and others that a recipe may set, which change the number of image tokens.
CASES = [("gemma3", 56), ("qwen2_5_vl", 112), ("qwen2_5_vl", 56), ("qwen3_vl", 64), ("qwen3_vl", 128), ("smolvlm", 32)]
CASES += [("smolvlm", 64)]


class Exported:
    """One case: the adapter as it was trained, its export, and what transformers alone makes of that."""

    def __init__(self, folder: Path, family: str, size: int) -> None:
        self.folder = folder
        base = TINY[family](_made(folder / "base"))
        adapter = adapter_for(base, folder / "adapter")
        settings = load_model(str(adapter)).settings
        settings.model_copy(update={"encoding": ViewEncoding(size=size)}).save(adapter)
        export_merged(ExportRequest(adapter, folder / "export"))
        self.loaded: LoadedModel = load_model(str(adapter))
        subject = Subject(FAMILIES[family], self.loaded)
        drawn = np.random.default_rng(3)
        images = [drawn.integers(0, 256, (size, size, 3), dtype=np.uint8) for _ in range(2)]
        self.prompt: Prompt = subject.prompt(images)
        tokens, image_tokens = batch_prompts(self.loaded, [self.prompt]), subject.image_tokens([self.prompt])
        (self.answer,) = decode_rows(self.loaded, tokens, image_tokens, TOKENS)
        np.save(folder / "images.npy", np.stack(images))
        chat = chat_of(self.loaded.settings, VIEWS[:2], images)
        for item in chat[0]["content"]:
            item.pop("image", None)
        (folder / "chat.json").write_text(json.dumps(chat), encoding="utf-8")

    @property
    def found(self) -> dict[str, Any]:
        """What transformers found."""
        document: dict[str, Any] = json.loads((self.folder / "found.json").read_text(encoding="utf-8"))
        return document

    @property
    def image_tokens(self) -> int:
        """Placeholders in the prompt that training makes."""
        return self.loaded.backbone.placeholders(self.loaded.model.config, self.prompt.tokens)


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


@pytest.fixture(scope="module")
def exports(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, int], Exported]:
    cases = {case: Exported(tmp_path_factory.mktemp(case[0]), *case) for case in CASES}
    folders = [str(case.folder) for case in cases.values()]
    # In isolated mode nothing of this project is on the path.
    done = subprocess.run([sys.executable, "-I", str(SCRIPT), *folders], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return cases


@pytest.mark.parametrize("case", CASES)
def test_pixels_and_image_tokens_are_those_of_training(
    case: tuple[str, int], exports: dict[tuple[str, int], Exported]
) -> None:
    export = exports[case]
    pixels, expected = torch.load(export.folder / "found.pt", weights_only=True), export.prompt.pixels["pixel_values"]
    pixels = pixels.reshape(expected.shape)
    if case == ("smolvlm", 64) and not export.found["by_pillow"]:
        # The whole image follows its four crops, scaled down; torchvision, where it is installed, has no Lanczos.
        pixels, expected = (p.unflatten(0, (-1, 5))[:, :4] for p in (pixels, expected))
    assert torch.allclose(pixels, expected, atol=1e-6)
    grid = export.found["grid"]
    if grid is not None:
        merge = export.loaded.processor.image_processor.merge_size**2
        assert sum(int(np.prod(image)) // merge for image in grid) == export.image_tokens


@pytest.mark.parametrize("case", CASES)
def test_auto_processor_and_auto_model_prompt_and_answer_as_amrg(
    case: tuple[str, int], exports: dict[tuple[str, int], Exported]
) -> None:
    export, found = exports[case], exports[case].found
    if "lacks" in found:
        pytest.skip(f"transformers: {found['lacks']}")
    assert found["image_tokens"] == export.image_tokens
    assert found["ids"] == export.prompt.tokens["input_ids"].tolist()
    end = export.loaded.backbone.eos_token_id(export.loaded.processor)
    assert found["answer"][: len(export.answer)] == export.answer
    assert len(export.answer) == TOKENS or found["answer"][len(export.answer)] == end


def test_the_number_of_image_tokens_follows_the_size_that_was_set(
    exports: dict[tuple[str, int], Exported],
) -> None:
    for family in ("qwen2_5_vl", "qwen3_vl", "smolvlm"):
        few, many = (e.image_tokens for (f, _), e in sorted(exports.items()) if f == family)
        assert few < many
