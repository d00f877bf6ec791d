from __future__ import annotations

import pytest
from hypothesis import given, settings

from amrg.birads import WORDINGS, Report, Style, parse, render
from tests.birads.strategies import reports


@pytest.mark.parametrize("wording", range(WORDINGS))
@pytest.mark.parametrize("style", Style)
@settings(derandomize=True, deadline=None, max_examples=300)
@given(report=reports())
def test_reads_back_what_it_writes(style: Style, wording: int, report: Report) -> None:
    text = render(report, style, wording)
    parsed = parse(text)
    assert parsed.report.stated() == report.stated(), text
    assert not parsed.unread, (text, parsed.unread)
