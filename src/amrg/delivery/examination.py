"""What was examined, as orders and reports of every standard code it."""

from __future__ import annotations

from collections.abc import Mapping

from amrg.birads.lexicon import Indication

EXAM: Mapping[Indication | None, tuple[str, str]] = {
    Indication.SCREENING: ("24606-6", "MG Breast Screening"),
    Indication.DIAGNOSTIC: ("24605-8", "MG Breast Diagnostic"),
    None: ("36625-2", "MG Breast Views"),
}
"""What was done, in LOINC, by the report's indication."""
