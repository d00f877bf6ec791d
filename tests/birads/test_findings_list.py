"""Findings first: the list that a model writes before its report."""

from __future__ import annotations

import pytest
from hypothesis import given

from amrg.birads import Composition, Kind, Report
from amrg.birads.findings_list import read_findings, write_findings
from tests.birads.strategies import reports


@given(reports())
def test_a_list_reads_back_exactly(report: Report) -> None:
    found = read_findings(write_findings(report) + "\nNo significant abnormality.\nBI-RADS 1.")
    assert found is not None
    assert not found.unread
    assert found.narrative == "No significant abnormality.\nBI-RADS 1."
    assert found.report.findings == report.stated().findings
    assert found.report.composition == report.composition
    assert found.report.assessments == report.assessments


@pytest.mark.parametrize(
    "line",
    ["mass; side R; shape starry", "mass; side X", "blob; side R", "mass; size big", "mass; round", "COMPOSITION q"],
)
def test_a_line_with_an_unknown_word_gives_no_fact(line: str) -> None:
    found = read_findings(f"FINDINGS\ncalcifications; side L\n{line}\nCOMPOSITION b\nREPORT\nText.")
    assert found is not None
    assert found.unread == (line,)
    assert [f.kind for f in found.report.findings] == [Kind.CALCIFICATIONS]
    assert found.report.composition is Composition.B


def test_a_text_without_a_list_has_none() -> None:
    assert read_findings("FINDINGS: A mass in the right breast.") is None
    assert read_findings("") is None


def test_a_list_that_was_cut_off_has_no_narrative() -> None:
    found = read_findings("FINDINGS\nmass; side R\nCOMPOSITION b")
    assert found is not None
    assert found.narrative == ""
    assert len(found.report.findings) == 1
