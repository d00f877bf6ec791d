"""`amrg benchmark run` with the embedded model, from phantoms on disk to scores and page."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from amrg.benchmark.run.run_config import RunConfig
from amrg.benchmark.run.running import run
from amrg.cli import Exit, app
from amrg.generation.engines.local import load_engine

pytestmark = pytest.mark.usefixtures("no_page_charts")


def amrg(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(a) for a in arguments])


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("phantoms")
    for name, seed, count in (("test", 1_000_003, 2), ("train", 11, 3)):
        drawn = amrg("phantom", folder / f"{name}-drawn", "--count", count, "--seed", seed, "--size", "small")
        assert drawn.exit_code == Exit.OK, drawn.output
        assert amrg("data", "import", "phantom", folder / f"{name}-drawn", "--out", folder / name).exit_code == Exit.OK
    assert amrg("data", "split", folder / "test", "all-test").exit_code == Exit.OK
    return folder


def test_a_run_is_drafted_scored_and_written_and_resumes_where_it_was_interrupted(data: Path, tmp_path: Path) -> None:
    done = amrg(
        *("benchmark", "run", "--data", data / "test", "--split", "all-test"),
        *("--train-data", data / "train", "--out", tmp_path, "--json"),
    )
    assert done.exit_code == Exit.OK, done.output
    assert json.loads(done.stdout)["n"] == 2
    scores = json.loads((tmp_path / "scores.json").read_text(encoding="utf-8"))
    assert set(scores["systems"]) == {
        *("amrg-embedded", "constant", "sampled", "prior", "retrieval", "oracle", "perfect")
    }
    assert set(scores["perturbed"]) == {"blanked", "shuffled", "mirrored"}
    mirrored = scores["perturbed"]["mirrored"]["metrics"]  # a draft follows the images to the other side, or nearly
    assert mirrored["sides_unchanged_share"]["value"] == 0.0 < mirrored["sides_swapped_share"]["value"]
    assert (tmp_path / "report.html").is_file()

    before = (tmp_path / "predictions.jsonl").read_bytes()
    (tmp_path / "predictions.jsonl").write_bytes(before[:-40])
    config = RunConfig(data / "test", "all-test", tmp_path, training=data / "train")
    run(config, load_engine(), lambda what, count, of: None)
    assert (tmp_path / "predictions.jsonl").read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("--split", "all-test", "--score-text", "poem"), Exit.USAGE, "--score-text is 'poem'"),
        (("--split", "all-test", "--model", "no-such-model"), Exit.NO_MODEL, "no such folder"),
        (("--split", "clean"), Exit.UNREADABLE, "no split 'clean'"),
        (("--split", "all-test", "--part", "train"), Exit.UNREADABLE, "part train is empty"),
        (("--split", "all-test", "--part", "all"), Exit.UNREADABLE, "no part 'all'"),
    ],
)
def test_a_user_error_is_one_line_and_a_code(
    arguments: tuple[str, ...], code: Exit, message: str, data: Path, tmp_path: Path
) -> None:
    done = amrg("benchmark", "run", "--data", data / "test", "--out", tmp_path / "run", *arguments)
    assert done.exit_code == code
    assert message in done.stderr
    assert not (tmp_path / "run").exists()
    assert sum(line.startswith("amrg: ") for line in done.stderr.splitlines()) == 1
