from __future__ import annotations

from collections.abc import Iterator

import pytest


@pytest.fixture(scope="module", autouse=True)
def short_answers() -> Iterator[None]:
    """Exports are compared by answers of a few tokens: those of tiny models differ in the first one already."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("amrg.models.export.verifying.MAX_TOKENS", 4)
        yield
