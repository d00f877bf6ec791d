"""View and modifier codes against the SRT to SNOMED CT table that PS3.16 gives and pydicom carries."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from pydicom.sr._snomed_dict import mapping

from amrg.imaging.identity import VIEW_CODES
from amrg.imaging.screening import _MODIFIERS


@pytest.mark.parametrize("table", [VIEW_CODES, _MODIFIERS], ids=["views", "modifiers"])
def test_both_codes_of_a_concept_say_the_same(table: Mapping[str, str]) -> None:
    retired = {code for code in table if code.startswith("R-")}
    assert {mapping["SRT"][code] for code in retired} == set(table) - retired
    for code in retired:
        assert table[mapping["SRT"][code]] == table[code]
