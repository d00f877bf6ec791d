from __future__ import annotations

import pytest
from dmid_data import DMID, dmid_reports
from parser_figures import NAMED_ACR, WRONG_LABELS, agreements, f1, named_categories, shares

from amrg.birads import parse

pytestmark = pytest.mark.skipif(not DMID.is_dir(), reason="the DMID reports are not here")

LEAST = {"mass": 0.98, "calcification": 0.97, "normal": 0.99}


def test_every_letter_and_every_category_named_is_found() -> None:
    for image, text in dmid_reports().items():
        report = parse(text).report
        letters = {found.lower() for found in NAMED_ACR.findall(text)}
        assert letters == {str(report.composition)}, (image, text)
        found = {str(a.category) for a in report.assessments}
        found |= {str(f.category) for f in report.findings if f.category is not None}
        assert found == named_categories(text), (image, text)


def test_findings_are_those_that_were_marked() -> None:
    for share in shares():
        assert share.n > 50
        assert share.value >= LEAST[share.name], share
        assert set(share.wrong) <= WRONG_LABELS.keys(), share


def test_agrees_with_eighty_reports_read_by_hand() -> None:
    counted = agreements()
    assert len(counted) == 80
    assert sum(a.findings.n for a in counted) > 100
    for part in ("findings", "places", "descriptors", "denials"):
        assert f1(counted, part) >= 0.95, part
