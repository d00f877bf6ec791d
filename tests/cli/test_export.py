"""`amrg export` as a user types it, and drafts with what it takes and gives."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from amrg.cli import Exit, app
from amrg.models.export.gguf import SCRIPT
from tests.models.adapted import adapter_for
from tests.models.tiny import TINY


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(a) for a in arguments])


@pytest.fixture(scope="module")
def adapter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = TINY["gemma3"](tmp_path_factory.mktemp("base"))
    return adapter_for(base, tmp_path_factory.mktemp("adapter") / "tuned")


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("set")
    assert run("phantom", folder, "--count", 1, "--seed", 1_000_001, "--size", "small").exit_code == Exit.OK
    return folder


def converter(folder: Path, writes: str) -> Path:
    """A stand-in for llama.cpp's converter: it writes `writes` where it is told to."""
    folder.mkdir()
    (folder / SCRIPT).write_text(
        f"import sys\nout = sys.argv[sys.argv.index('--outfile') + 1]\nopen(out, 'wb').write({writes})\n",
        encoding="utf-8",
    )
    return folder


def test_a_merged_export_says_how_it_compares_and_drafts_as_the_adapter(
    adapter: Path, drawn: Path, tmp_path: Path
) -> None:
    llama = converter(tmp_path / "llama.cpp", "b'GGUF' + bytes([3, 0, 0, 0]) + (7).to_bytes(8, 'little') + bytes(8)")
    done = run("export", adapter, "--merge", "--out", tmp_path / "out", "--gguf", llama, "--json")
    assert done.exit_code == Exit.OK, done.output
    document = json.loads(done.stdout)
    assert document["comparison"]["export_from_adapter"]["same_text"] is True
    assert document["gguf"] == [{"file": "model.gguf", "tensors": 7}, {"file": "mmproj.gguf", "tensors": 7}]
    texts = []
    for name in (tmp_path / "out", adapter):
        drafted = run("report", drawn, "--model", name, "--out", tmp_path / name.name, "--force", "--format", "json")
        assert drafted.exit_code == Exit.OK, drafted.output
        (report,) = (tmp_path / name.name).glob("*/report.json")
        texts.append(json.loads(report.read_text(encoding="utf-8"))["report"]["narrative"])
    assert texts[0] == texts[1]


def test_an_adapter_export_says_what_serving_it_takes(adapter: Path, tmp_path: Path) -> None:
    done = run("export", adapter, "--adapter", "--out", tmp_path / "out")
    assert done.exit_code == Exit.OK, done.output
    assert "--enable-lora --max-lora-rank 8" in done.stderr
    assert "export from adapter" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("{adapter}", "--out", "{out}"), Exit.USAGE, "--merge"),
        (("{adapter}", "--out", "{out}", "--adapter", "--dtype", "bfloat16"), Exit.USAGE, "require --merge"),
        (("{out}", "--out", "{out}", "--merge"), Exit.NO_MODEL, "no such folder"),
        (("{base}", "--out", "{out}", "--merge"), Exit.NO_MODEL, "not an adapter"),
        (("{adapter}", "--out", "{adapter}", "--merge"), Exit.USAGE, "is not empty"),
        (("{adapter}", "--out", "{adapter}/recipe.json", "--merge"), Exit.UNWRITABLE, "not a folder"),
        (("{adapter}", "--out", "{out}", "--merge", "--gguf", "{adapter}"), Exit.NO_MODEL, "llama.cpp"),
        (
            ("{adapter}", "--out", "{out}", "--merge", "--gguf", "{bad}"),
            Exit.NO_MODEL,
            "only its GGUF files are missing",
        ),
    ],
)
def test_a_user_error_is_one_line_and_a_code(
    arguments: tuple[str, ...], code: Exit, said: str, adapter: Path, tmp_path: Path
) -> None:
    bad = converter(tmp_path / "bad", "b'no such format at all, no'")
    base = tmp_path / "base"
    base.mkdir()
    places = {"adapter": adapter, "base": base, "out": tmp_path / "out", "bad": bad}
    done = run("export", *(a.format(**places) for a in arguments))
    assert done.exit_code == code, done.output
    assert said in done.stderr
    assert sum(line.startswith("amrg: ") for line in done.stderr.splitlines()) == 1
    assert "Traceback" not in done.output
