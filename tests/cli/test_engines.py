"""`--engine` and `amrg model check`: a server drafts after its agreement with the local engine was measured."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import MagicMock

import pytest
from typer.testing import CliRunner, Result

from amrg.cli import Exit, app
from amrg.generation.engines import vllm_engine
from amrg.generation.engines.fixed import FixedEngine
from amrg.generation.engines.loading import connect
from amrg.generation.engines.probes import Proof
from amrg.models import ModelError
from amrg.phantom import Size, draw_exam, write_exam
from tests.generation.serving import TEXT, Rules, known_answers, serving
from tests.models.tiny import TINY

MASS = "Right breast, upper outer quadrant: irregular spiculated mass (BI-RADS 5). Impression: right breast BI-RADS 5."


@pytest.fixture(scope="module")
def exams(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exams")
    for number in range(2):
        write_exam(draw_exam(7_000_000 + number, Size.SMALL), folder / str(number))
    return folder


@pytest.fixture
def export(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of an export as far as a client reads it, and a state folder of this test's own."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    folder = tmp_path / "export"
    folder.mkdir()
    known_answers().save(folder)
    return folder


@pytest.fixture
def served() -> Iterator[tuple[Rules, str]]:
    given = Rules(known_answers(), text=MASS)
    with serving(given) as url:
        yield given, f"openai:{url}"


@pytest.fixture
def local(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The texts that the local engine writes, in turn."""
    texts = [MASS]
    monkeypatch.setattr(
        "amrg.generation.engines.local.load_engine", lambda *_, **__: FixedEngine(tuple(texts), max_batch=2)
    )
    return texts


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(a) for a in arguments])


def test_a_server_drafts_once_it_was_measured(
    export: Path, served: tuple[Rules, str], local: list[str], exams: Path, tmp_path: Path
) -> None:
    given, engine = served
    report = ("report", exams, "--out", tmp_path / "out", "--model", export, "--engine", engine, "--json")
    refused = run(*report, "--workers", 0)
    assert refused.exit_code == Exit.NO_MODEL
    assert "was never measured; run `amrg model check FOLDER --engine openai:http://127.0.0.1" in refused.stderr
    assert given.studies == []

    checked = run("model", "check", export, exams, "--engine", engine, "--json")
    assert checked.exit_code == 0, checked.stderr
    found = json.loads(checked.stdout)
    assert (found["studies"], found["findings"], found["matched"], found["texts"]) == (2, 4, 4, 2)
    assert (found["of_findings"], found["of_categories"], found["distrust"]) == (1.0, 1.0, None)

    done = run(*report)
    assert done.exit_code == 0, done.stderr
    drafts = [entry["draft"] for entry in json.loads(done.stdout)["reports"]]
    assert [draft["model_text"] for draft in drafts] == [MASS, MASS]
    assert drafts[0]["suspicion"] is None
    assert drafts[0]["report"]["provenance"]["model"] == given.known.name


def test_a_model_as_published_is_asked_for_proof_and_measured(
    served: tuple[Rules, str], local: list[str], exams: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its weights are not beside its known answers, but where these say."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    given, engine = served
    here = FixedEngine(tuple(local)).identity.weights
    given.known.model_copy(update={"source": "someone/model", "weights": here}).save(tmp_path)
    checked = run("model", "check", tmp_path, exams, "--engine", engine)
    assert checked.exit_code == 0, checked.stderr
    done = run("report", exams, "--out", tmp_path / "out", "--model", tmp_path, "--engine", engine)
    assert done.exit_code == 0, done.stderr
    given.known.model_copy(update={"source": "someone/model"}).save(tmp_path)
    other = run("model", "check", tmp_path, exams, "--engine", engine)
    assert other.exit_code == Exit.NO_MODEL
    assert "its weights" in other.stderr
    assert "are not those of the known answers (abababababab)" in other.stderr


def test_a_server_that_disagrees_is_not_trusted(
    export: Path, served: tuple[Rules, str], local: list[str], exams: Path, tmp_path: Path
) -> None:
    local[:] = [MASS, TEXT]  # the server finds a mass in both
    checked = run("model", "check", export, exams, "--engine", served[1])
    assert checked.exit_code == Exit.NO_MODEL
    assert "agreement of findings 0.667, of categories 0.500" in " ".join(checked.stdout.split())
    assert "agreement 0.500, expected at least 0.95" in checked.stderr
    done = run("report", exams, "--out", tmp_path / "out", "--model", export, "--engine", served[1])
    assert done.exit_code == Exit.NO_MODEL
    assert "not trusted with amrg-abababababab: agreement 0.500" in done.stderr
    assert run("model", "check", export, exams, "--engine", served[1], "--at-least", "0.5").exit_code == 0


def test_a_measure_of_other_weights_is_none(
    export: Path, served: tuple[Rules, str], local: list[str], exams: Path, tmp_path: Path
) -> None:
    given, engine = served
    assert run("model", "check", export, exams, "--engine", engine).exit_code == 0
    given.known.model_copy(update={"weights": given.known.weights[:12] + "0" * 52}).save(export)
    report = ("report", exams, "--out", tmp_path / "out", "--model", export, "--engine", engine)
    done = run(*report, "--workers", 0)
    assert done.exit_code == Exit.NO_MODEL
    assert "its agreement was measured with another weights" in done.stderr


def test_a_record_that_cannot_be_written_is_one_line_before_anything_is_drafted(
    export: Path, served: tuple[Rules, str], exams: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "state").write_text("in the way", encoding="utf-8")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr("amrg.generation.engines.agreement.measure", lambda *_: pytest.fail("studies are drafted"))
    checked = run("model", "check", export, exams, "--engine", served[1])
    assert (checked.exit_code, len(checked.stderr.splitlines())) == (Exit.UNWRITABLE, 1)
    assert f"{tmp_path / 'state'}: not a folder" in checked.stderr


def test_nothing_found_in_any_study_measures_nothing(
    export: Path, served: tuple[Rules, str], local: list[str], exams: Path
) -> None:
    served[0].text, local[:] = TEXT, [TEXT + " Thank you."]
    checked = run("model", "check", export, exams, "--engine", served[1])
    assert "no finding in 2 studies: nothing was measured" in checked.stderr


def test_vllm_starts_processes_of_its_own_so_it_is_loaded_in_this_one(
    export: Path, exams: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded: list[tuple[str, int | None]] = []

    def load(model: str, *, engine: str, max_batch: int | None, **_: object) -> FixedEngine:
        loaded.append((engine, max_batch))
        return FixedEngine((MASS,), max_batch=max_batch or 64)

    monkeypatch.setattr("amrg.generation.engines.loading.load_engine", load)
    command = ("report", exams, "--out", tmp_path / "out", "--model", export, "--engine", "vllm")
    for batch in ((), ("--batch-size", 3, "--style", "dmid")):
        done = run(*command, *batch)
        assert done.exit_code == 0, done.stderr
    assert loaded == [("vllm", None), ("vllm", 3)]
    records = (tmp_path / "out").glob(".records/??/*.json")
    assert {json.loads(path.read_bytes())["batch_size"] for path in records} == {3}


@pytest.mark.parametrize(
    ("engine", "model", "code", "message"),
    [
        ("cloud", "x", Exit.USAGE, "engine is 'cloud'; expected local, vllm or openai:URL"),
        ("openai:http://localhost:1/v1", None, Exit.USAGE, "engine openai needs a model"),
        ("vllm", None, Exit.USAGE, "engine vllm needs a model"),
        ("openai:http://localhost:1/v1", "nowhere", Exit.NO_MODEL, "no known-answers.json"),
    ],
)
def test_a_name_of_no_engine_or_without_a_model_is_one_line(
    exams: Path, engine: str, model: str | None, code: Exit, message: str
) -> None:
    done = run("report", exams, "--workers", 0, "--engine", engine, *([] if model is None else ["--model", model]))
    assert (done.exit_code, message in done.stderr, "Traceback" in done.stderr) == (code, True, False)


@pytest.mark.parametrize("source", ["someone/model", None], ids=["hub", "folder"])
def test_vllm_loads_a_hub_model_at_the_commit_that_is_known(
    source: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = known_answers().model_copy(update={"source": source, "weights": "c0ffee"})
    known.save(tmp_path)
    loaded: list[tuple[str, object]] = []

    def noting(source: object, revision: str | None = None, *_: object, **__: object) -> MagicMock:
        loaded.append((str(source), revision))
        return MagicMock(chat_template="")

    monkeypatch.setattr("amrg.generation.engines.vllm_engine.AutoConfig.from_pretrained", noting)
    monkeypatch.setattr(vllm_engine, "backbone_of", lambda _: MagicMock(load_processor=noting))
    library = MagicMock(LLM=lambda model, revision, **_: noting(model, revision))
    monkeypatch.setattr(vllm_engine, "_library", lambda: library)
    monkeypatch.setattr(vllm_engine, "prove", lambda *_: Proof(("a note",)))
    engine = connect("vllm", str(tmp_path))
    assert loaded == [(source or str(tmp_path), "c0ffee" if source else None)] * 3
    assert engine.notes == ("a note",)


def test_vllm_in_this_process_refuses_what_it_cannot_prompt_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = TINY["phi3_v"](tmp_path)
    known_answers().save(folder)
    monkeypatch.setattr(vllm_engine, "_library", lambda: pytest.fail("vLLM is loaded"))
    with pytest.raises(ModelError, match=r"class 'phi3_v': .*; serve it, and name the server with --engine openai:URL"):
        connect("vllm", str(folder))
    (folder / "config.json").unlink()
    with pytest.raises(ModelError, match=r"cannot be loaded .*; expected its weights and processor there"):
        connect("vllm", str(folder))


def test_vllm_that_is_not_installed_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VLLM_LOGGING_STREAM", "ext://sys.stderr")
    monkeypatch.setenv("VLLM_LOGGING_LEVEL", "WARNING")
    monkeypatch.setitem(sys.modules, "vllm", None)
    with pytest.raises(ModelError, match="--engine vllm needs vLLM, which is not installed"):
        vllm_engine._library()
