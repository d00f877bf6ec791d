"""Real reports as drafts and references: every report against another one, two of them empty."""

from __future__ import annotations

import random

import pytest
from dmid_data import DMID, dmid_reports

needs_dmid = pytest.mark.skipif(not DMID.exists(), reason="the DMID reports are not here")


def real_pairs() -> tuple[list[str], list[str]]:
    """Drafts and references."""
    references = list(dmid_reports().values())
    drafts = references[:]
    random.Random(0).shuffle(drafts)
    drafts[0], drafts[1], references[2] = "", " \r\n", ""
    return drafts, references
