"""Completion in the shell, by the protocol that each shell's script uses: commands, options, values; nothing heavy."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from amrg.benchmark.exports.files import FORMS
from amrg.benchmark.pages.table import Format
from amrg.benchmark.run.run_config import ScoreText
from amrg.birads import AnswerForm, Facility, Style
from amrg.cli import app, completion
from amrg.datasets.importers.registry import IMPORTERS
from amrg.datasets.splits.rules import RULES
from amrg.datasets.store import PARTS
from amrg.delivery.formats import FORMATS as DELIVERED
from amrg.generation import FORMATS
from amrg.generation.engines.loading import LOCAL, OPENAI, VLLM
from amrg.models.catalog import KNOWN
from amrg.models.checkpoint import NAME
from amrg.phantom import POPULATIONS, Size
from amrg.service.database.tables import JobKind, JobState, StudyState, UserRole
from amrg.training.recipe import TargetText
from amrg.training.tracker_names import NONE, PACKAGES, TENSORBOARD

SHELLS = ("bash", "zsh", "fish")
MAIN = "import sys; sys.argv[0] = 'amrg'; from amrg.cli import main; main()"
MODULES = (
    "import atexit, sys; "
    "atexit.register(lambda: print(*{'.'.join(m.split('.')[:2]) for m in sys.modules}, file=sys.stderr))"
)
HEAVY = {"accelerate", "amrg.birads", "numpy", "pydicom", "sqlalchemy", "torch", "transformers"}


def asked(shell: str, words: str, script: str = MAIN, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    """What a shell gets for the words before the cursor, as its script asks for it."""
    count = str(len(words.split(" ")) - 1)
    environment = {
        **os.environ,
        "_AMRG_COMPLETE": f"complete_{shell}",
        "COMP_WORDS": words,  # bash
        "COMP_CWORD": count,
        "_TYPER_COMPLETE_ARGS": words,  # zsh and fish
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
        "_TYPER_COMPLETE_WORD_TO_COMPLETE": words.rsplit(" ", maxsplit=1)[-1],
    }
    command = [sys.executable, "-c", script]
    return subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("shell", SHELLS)
def test_every_shell_completes_a_value(shell: str) -> None:
    done = asked(shell, "amrg report PATH --style i")
    assert ("impression-first" in done.stdout, "dmid" in done.stdout, done.stderr) == (True, False, "")


@pytest.mark.parametrize("shell", SHELLS)
def test_every_shell_has_a_script_that_asks_by_this_protocol(shell: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION", "1")
    done = CliRunner().invoke(app, ["--show-completion", shell], prog_name="amrg")
    assert f"_AMRG_COMPLETE=complete_{shell}" in done.output


def test_completion_imports_nothing_heavy() -> None:
    done = asked("bash", "amrg train --data D --split ", script=f"{MODULES}; {MAIN}")
    assert done.stdout.split() == sorted(completion.SPLIT_RULES(), key=done.stdout.split().index)
    assert HEAVY & set(done.stderr.split()) == set()


def completed(*words: str) -> list[str]:
    """The completions of the last word, without a process."""
    environment = {"_AMRG_COMPLETE": "complete_bash", "COMP_WORDS": " ".join(words), "COMP_CWORD": str(len(words) - 1)}
    done = CliRunner().invoke(app, [], prog_name="amrg", env=environment)
    return done.stdout.split()


def test_commands_options_and_values_are_completed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert completed("amrg", "ben") == ["benchmark"]
    assert completed("amrg", "benchmark", "c") == ["compare"]
    assert completed("amrg", "benchmark", "run", "--perturbed", "9", "--score-t") == ["--score-text"]
    assert completed("amrg", "report", "PATH", "--format", "text,j") == ["text,json"]
    assert completed("amrg", "data", "import", "cbis") == ["cbis-ddsm"]
    (tmp_path / "data" / "splits").mkdir(parents=True)
    (tmp_path / "data" / "splits" / "ours.json").touch()
    assert completed("amrg", "train", "--data", str(tmp_path / "data"), "--split", "") == ["ours"]
    monkeypatch.chdir(tmp_path)
    assert completed("amrg", "report", "PATH", "--model", "d") == ["data/"]
    assert completed("amrg", "report", "PATH", "--model", "data/") == ["data/splits/"]
    assert completed("amrg", "report", "PATH", "--model", "google/medgemma-4") == ["google/medgemma-4b-it"]


def test_every_value_is_one_that_there_is() -> None:
    given = completion
    assert given.STYLES() == list(Style)
    assert given.ANSWERS() == list(AnswerForm)
    assert given.FACILITIES() == list(Facility)
    assert given.REPORT_FORMATS("") == list(FORMATS)
    assert given.DELIVERED_FORMATS("") == list(DELIVERED)
    assert sorted(given.SIZES()) == sorted(Size)
    assert given.POPULATIONS() == list(POPULATIONS)
    assert given.TARGET_TEXTS() == list(TargetText)
    assert given.TRACKERS("") == [*PACKAGES, TENSORBOARD, NONE]
    assert sorted(given.SCORE_TEXTS()) == sorted(ScoreText)
    assert given.PARTS() == list(PARTS)
    assert given.TABLE_FORMATS() == list(Format)
    assert given.ENGINES() == [LOCAL, VLLM, f"{OPENAI}http://localhost:8000/v1"]
    assert sorted(given.JOB_STATES()) == sorted(JobState)
    assert sorted(given.JOB_KINDS()) == sorted(JobKind)
    assert given.EXPORT_FORMS() == list(FORMS)
    assert sorted(given.ROLES()) == sorted(UserRole)
    assert given.STUDY_STATES() == list(StudyState)
    assert given.DATA_SETS() == sorted(IMPORTERS)
    assert given.SPLIT_RULES() == [rule.name for rule in RULES]
    assert list(given.MODEL_NAMES) == [NAME, *(entry.name for entry in KNOWN)]
