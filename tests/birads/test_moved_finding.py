from __future__ import annotations

import pytest

from amrg.birads import Decision, Finding, FindingDecision, Kind, Laterality, View, ViewBox, decided_findings
from tests.service.reports import REPORT, a_draft


@pytest.mark.parametrize(("side", "kept"), [(Laterality.RIGHT, True), (Laterality.LEFT, False)])
def test_a_finding_that_a_reader_moved_to_the_other_breast_has_no_box_on_the_first(
    side: Laterality, kept: bool
) -> None:
    box = ViewBox(laterality=Laterality.RIGHT, view=View.CC, left=1, top=1, right=5, bottom=5)
    moved = Finding(kind=Kind.MASS, laterality=side, boxes=(box,))
    decision = FindingDecision(decision=Decision.EDITED, finding=1, result=moved)
    drafted = REPORT.model_copy(update={"findings": (REPORT.findings[0].model_copy(update={"boxes": (box,)}),)})
    findings, _ = decided_findings(a_draft(drafted), (decision,))
    assert findings[0].boxes == ((box,) if kept else ())
