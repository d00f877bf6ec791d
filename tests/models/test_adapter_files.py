"""Adapters that are broken, or no adapters at all: one line with what to do, the same code, nothing written."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner, Result

from amrg.cli import Exit, app
from amrg.models.adapters.files import CONFIG_FILE, WEIGHTS_FILE
from amrg.training.recipe import Lora
from tests.models.adapted import adapter_for
from tests.models.foreign import configured
from tests.models.tiny import TINY


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(a) for a in arguments])


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A base and its adapter, in folders whose names have spaces and other letters."""
    folder = tmp_path_factory.mktemp("room") / "Übung 1, Ordner"
    folder.mkdir()
    adapter_for(TINY["gemma3"](folder / "the base"), folder / "my adapter")
    return folder


def written(name: str, text: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_text(text, encoding="utf-8")


def fields(**fields: object) -> Callable[[Path], object]:
    return lambda folder: configured(folder, **fields)


def pickled(folder: Path) -> None:
    (folder / WEIGHTS_FILE).rename(folder / "adapter_model.bin")


def of_a_quantised_base(folder: Path) -> None:
    base = shutil.copytree(json.loads((folder / CONFIG_FILE).read_text())["base_model_name_or_path"], folder / "base")
    document = json.loads((base / "config.json").read_text(encoding="utf-8"))
    document["quantization_config"] = {"quant_method": "bitsandbytes", "load_in_4bit": True}
    (base / "config.json").write_text(json.dumps(document), encoding="utf-8")
    configured(folder, base_model_name_or_path=str(base))


def in_a_checkpoint(folder: Path) -> None:
    (folder / "checkpoint-20").mkdir()
    for file in [f for f in folder.iterdir() if f.is_file()]:
        file.rename(folder / "checkpoint-20" / file.name)


def without_magnitudes(folder: Path) -> None:
    configured(folder, use_dora=True)


def with_nan(folder: Path) -> None:
    tensors = load_file(folder / WEIGHTS_FILE)
    save_file({n: t * float("nan") if "lora_B" in n else t for n, t in tensors.items()}, folder / WEIGHTS_FILE)


BROKEN: dict[str, tuple[Callable[[Path], object], str]] = {
    "IA3": (fields(peft_type="IA3"), "of kind IA3; expected LORA"),
    "a kind of tomorrow": (fields(peft_type="HYPERLORA"), "of kind HYPERLORA"),
    "no kind": (fields(peft_type=None), "not PEFT's (no peft_type"),
    "MLX": (written(CONFIG_FILE, '{"fine_tune_type": "lora", "num_layers": 8}'), "no peft_type, written by MLX"),
    "an unknown field": (fields(use_future=True), "sets use_future to true, which amrg does not apply"),
    "trained biases": (fields(bias="all"), "sets bias"),
    "trained tokens": (fields(trainable_token_indices=[1, 2]), "sets trainable_token_indices"),
    "replicated layers": (fields(layer_replication=[[0, 2], [1, 3]]), "sets layer_replication"),
    "PiSSA": (fields(init_lora_weights="pissa_niter_4"), "path_initial_model_for_weight_conversion"),
    "another rank": (fields(r=8), "has rank 4, adapter_config.json says 8"),
    "DoRA without magnitudes": (without_magnitudes, "no magnitude vector"),
    "a damaged configuration": (written(CONFIG_FILE, "{"), "cannot be read"),
    "a list": (written(CONFIG_FILE, "[]"), "is no JSON object"),
    "no base": (fields(base_model_name_or_path=None), "has no base_model_name_or_path"),
    "a base that is gone": (fields(base_model_name_or_path="/nowhere/base"), "its base is not available"),
    "cut short": (lambda folder: os.truncate(folder / WEIGHTS_FILE, 9_000), "cannot be read"),
    "empty": (lambda folder: os.truncate(folder / WEIGHTS_FILE, 0), "cannot be read"),
    "a pointer": (
        written(WEIGHTS_FILE, "version https://git-lfs.github.com/spec/v1\noid sha256:0\n"),
        "git lfs pull",
    ),
    "a pickle": (pickled, "a pickle, which can run code"),
    "no weights": (lambda folder: (folder / WEIGHTS_FILE).unlink(), "there is no adapter_model.safetensors"),
    "a quantised base": (of_a_quantised_base, "is stored quantised (bitsandbytes)"),
    "in a checkpoint": (in_a_checkpoint, "checkpoint-20 have; name one of them"),
    "no numbers": (with_nan, "not finite"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_adapter_is_one_line(case: str, made: Path, tmp_path: Path) -> None:
    damage, message = BROKEN[case]
    folder = shutil.copytree(made / "my adapter", tmp_path / "tuned")
    damage(folder)
    done = run("export", folder, "--merge", "--out", tmp_path / "out")
    assert done.exit_code == Exit.NO_MODEL, done.output
    (line,) = (line for line in done.stderr.splitlines() if line.startswith("amrg: "))
    assert message in line
    assert "Traceback" not in done.output
    assert {p.name for p in tmp_path.iterdir()} == {"tuned"}


@pytest.mark.parametrize(
    ("given", "message"), [("the base", "not an adapter but a full model"), (".", "my adapter have; name one of them")]
)
def test_what_is_no_adapter_is_named(given: str, message: str, made: Path, tmp_path: Path) -> None:
    done = run("export", made / given, "--adapter", "--out", tmp_path / "out")
    assert done.exit_code == Exit.NO_MODEL
    assert message in done.stderr


def test_exports_in_any_folder_are_readable_by_all(made: Path, tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        for kind in ("--merge", "--adapter"):
            done = run("export", made / "my adapter", kind, "--out", tmp_path / f"an export {kind}")
            assert done.exit_code == Exit.OK, done.output
    finally:
        os.umask(before)
    modes = {file.name: oct(file.stat().st_mode & 0o777) for file in tmp_path.glob("*/*")}
    assert {"model.safetensors", WEIGHTS_FILE} <= modes.keys()
    assert set(modes.values()) == {"0o644"}


def test_what_vllm_cannot_serve_has_no_command_of_vllm(made: Path, tmp_path: Path) -> None:

    folder = adapter_for(made / "the base", tmp_path / "tuned", Lora(rank=4, use_dora=True))
    done = run("export", folder, "--adapter", "--out", tmp_path / "out")
    assert done.exit_code == Exit.OK, done.output
    assert "vLLM does not support DoRA; export with --merge" in done.stderr
    assert "--enable-lora" not in done.stderr + (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
