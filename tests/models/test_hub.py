"""A hub that cannot be reached is tried once; what its cache holds is used, and what it lacks is one line."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from huggingface_hub import constants
from typer.testing import CliRunner

from amrg.cli import Exit, app
from amrg.models import ModelError
from amrg.models.availability import why_unavailable
from amrg.models.load import load_base
from tests.models.adapted import as_cached
from tests.models.tiny import TINY

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class DeadHub:
    """A hub whose server is down: it says so to everyone, and counts those who want a model."""

    def __init__(self) -> None:
        self.tries = 0
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        threading.Thread(target=self._refuse, daemon=True).start()

    def _refuse(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            request = connection.recv(65_536)
            self.tries += b"someone/" in request or b"google/" in request  # not the client's own once a day
            connection.sendall(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            connection.close()

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[DeadHub]:
    dead = DeadHub()
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "ENDPOINT", dead.address)
    yield dead
    dead.close()


def test_a_hub_that_is_down_is_tried_once_and_never_again(hub: DeadHub) -> None:
    for name in ("someone/tiny", "google/medgemma-4b-it", "someone/other"):
        with pytest.raises(ModelError, match=r"not in this machine's cache and the hub cannot be reached") as refused:
            load_base(name)
        assert "\n" not in str(refused.value)
    assert "cannot be reached" in str(why_unavailable("someone/tiny"))
    assert hub.tries == 1


def test_a_closed_port_is_one_line_of_the_command(hub: DeadHub, tmp_path: Path) -> None:
    hub.close()
    exam = tmp_path / "exam"
    assert CliRunner().invoke(app, ["phantom", str(exam), "--count", "1", "--size", "small"]).exit_code == Exit.OK
    done = CliRunner().invoke(app, ["report", str(exam), "--model", "someone/tiny", "--out", str(tmp_path / "out")])
    assert done.exit_code == Exit.NO_MODEL, done.output
    assert sum("cannot be reached" in line for line in done.stderr.splitlines()) == 1
    assert "Traceback" not in done.output


def test_what_is_cached_is_loaded_where_the_hub_is_not_reached(
    hub: DeadHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    TINY["smolvlm"](as_cached(tmp_path / "cache", "someone/tiny", COMMIT, monkeypatch))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)  # which `as_cached` set
    for revision in (None, "main", COMMIT):
        assert load_base("someone/tiny", revision).revision == COMMIT
    assert hub.tries == 1


def test_offline_by_choice_is_not_tried(hub: DeadHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(ModelError, match="HF_HUB_OFFLINE is set: unset it"):
        load_base("someone/tiny")
    assert hub.tries == 0


@pytest.mark.parametrize("command", ["train", "benchmark"])
def test_a_data_set_that_is_not_there_is_said_before_a_model_is_looked_for(
    command: str, hub: DeadHub, tmp_path: Path
) -> None:
    nowhere, out = str(tmp_path / "nowhere"), str(tmp_path / "out")
    options = ["--data", nowhere, "--split", "clean", "--out", out]
    arguments = {
        "train": ["train", *options, "--base", "someone/tiny"],
        "benchmark": ["benchmark", "run", *options, "--model", "someone/tiny"],
    }[command]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code != Exit.OK
    assert "nowhere" in done.stderr
    assert hub.tries == 0
