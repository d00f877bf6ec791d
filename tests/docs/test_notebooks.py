"""The notebook is run on a stand-in for its data set, and is stored without outputs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from dmid_standin import write_standin

from tests.docs.notebooks import NOTEBOOKS, cells, run

pytestmark = pytest.mark.usefixtures("no_page_charts")


def test_from_the_download_to_a_scored_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (notebook,) = NOTEBOOKS
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match="name the folder of the download, or make a stand-in"):
        run(notebook)
    assert write_standin(tmp_path / "DMID", exams=12) == 48
    run(notebook)
    printed = capsys.readouterr().out
    assert "No number that follows from it says anything of DMID" in printed
    assert "UNVERIFIED DRAFT" in printed
    assert (tmp_path / "runs" / "dmid" / "report.html").is_file()
    assert (tmp_path / "runs" / "dmid.parquet").is_file()


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_a_notebook_is_stored_without_outputs_and_links_to_pages(path: Path) -> None:
    code = list(cells(path, "code"))
    assert [cell for cell in code if cell["outputs"] or cell["execution_count"] is not None] == []
    metadata = json.loads(path.read_text(encoding="utf-8"))["metadata"]
    assert set(metadata) == {"kernelspec", "language_info"}  # no path, no version of a machine
