"""`amrg model list`: every model with its commit and terms, for people and as JSON."""

from __future__ import annotations

import json

from typer.testing import CliRunner

from amrg.cli import app
from amrg.models.catalog import KNOWN


def test_the_list_as_json_has_every_model_with_its_commit() -> None:
    done = CliRunner().invoke(app, ["model", "list", "--json"])
    assert done.exit_code == 0
    listed = {m["name"]: m["revision"] for m in json.loads(done.stdout)}
    assert listed == {"amrg-embedded": None, **{k.name: k.revision for k in KNOWN}}


def test_the_table_names_every_model() -> None:
    done = CliRunner().invoke(app, ["model", "list"], env={"COLUMNS": "200"})
    assert done.exit_code == 0
    assert all(k.name in done.stdout for k in KNOWN)
