"""Reports as tables, HL7 messages, RTF, HTML and JSON."""

from __future__ import annotations

import pytest

from amrg.birads import parse
from tests.birads.readings import assessed

TABLES = {
    "a row a breast": "| Breast | BI-RADS |\n|---|---|\n| Right | 2 |\n| Left | 4A |",
    "a column a breast": "| | Right | Left |\n|---|---|---|\n| BI-RADS | 2 | 4A |\n| Density | c | c |",
    "spaces": "          Right   Left\nBI-RADS   2       4A",
    "tabs": "Breast\tBI-RADS\nRight\t2\nLeft\t4A",
    "HTML": "<table><tr><th>Side</th><th>BI-RADS</th></tr><tr><td>Right</td><td>2</td></tr>"
    "<tr><td>Left</td><td>4A</td></tr></table>",
    "HTML list": "<ul><li>Right: BI-RADS&nbsp;2</li><li>Left: BI-RADS&nbsp;4A</li></ul>",
    "JSON": '{"right": {"birads": 2}, "left": {"birads": "4A"}}',
    "JSON keys": '{"birads_right": 2, "birads_left": "4A", "density": "C"}',
    "OBX": "OBX|1|TX|24606-6^MG^LN|1|RIGHT: BI-RADS 2||||||F\rOBX|2|TX|24606-6^MG^LN|2|LEFT: BI-RADS 4A||||||F\r",
    "RTF": r"{\rtf1\ansi{\fonttbl{\f0 Arial;}}\pard\b Right:\b0  BI\u8209?RADS\'a02\par Left: BI-RADS 4A\par}",
}


@pytest.mark.parametrize("name", TABLES)
def test_each_breast_has_its_category(name: str) -> None:
    text = TABLES[name]
    assert assessed(text) == ["R 2", "L 4A"]
    for fact in parse(text).facts:
        assert text[fact.span.start : fact.span.end] == fact.span.text


def test_the_columns_of_a_table_are_not_swapped() -> None:
    assert assessed("| | Left | Right |\n|---|---|---|\n| BI-RADS | 2 | 4A |") == ["L 2", "R 4A"]


def test_a_coded_value_of_hl7_is_read_after_its_name() -> None:
    assert assessed("OBX|3|CE|36625-2^BI-RADS^LN||4^Suspicious^BIRADS||||||F") == ["4"]
    assert assessed("OBX|3|ST|BIRADS^BI-RADS Assessment^L||2|||N|||F|||20240102") == ["2"]


def test_spans_are_of_the_document_as_it_came() -> None:
    text = r"{\rtf1\ansi{\fonttbl{\f0 Arial;}}\pard A mass in the right breast,\par 12\'a0mm.\par}"
    spans = {fact.path: fact.span.text for fact in parse(text).facts}
    assert spans["findings[0].size_mm"] == r"12\'a0mm"


DRAFT = """UNVERIFIED DRAFT, written by AI model amrg-embedded. Not for clinical use.
INCOMPLETE STUDY: RMLO, LMLO missing. A breast not seen in full is not cleared.

Study date: 2024-01-05
Comparison: mammogram of 2021-01-05 (not used)
Patient key: f2be7d3e4cd3969b
RCC SOP Instance UID: 1.2.826.0.1.3680043.8.498.92045305648980684128212458345534517315
Suspicion of an abnormal exam: 0.62 (0 to 1, from the images alone; not the risk of cancer)

FINDINGS:
Right breast: round circumscribed mass, 11 mm, on CC view (BI-RADS 3).
IMPRESSION:
Right breast: BI-RADS 3.

NOTES (not part of the report):
Removed, low confidence (0.44, threshold 0.50): spiculated mass, left breast, outer half.
"""


def test_of_a_draft_only_its_report_is_read() -> None:
    parsed = parse(DRAFT)
    assert parsed.unread == ()
    assert [(f.kind, f.laterality) for f in parsed.report.findings] == [("mass", "R")]
    assert parsed.report.comparison is None
    assert parsed.report.narrative == DRAFT
    for fact in parsed.facts:
        assert DRAFT[fact.span.start : fact.span.end] == fact.span.text
