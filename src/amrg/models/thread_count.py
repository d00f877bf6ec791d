"""How many threads a person asked for, and which model needs one only. Loads no model library."""

from __future__ import annotations

import os

from amrg.core.threads import AMRG, requested_threads
from amrg.models.errors import ModelError

SMALL = 50_000_000
"""Parameters from which a model is no longer small: the embedded one has about 6 million, SmolVLM2's smallest 256."""


def checked_threads() -> int | None:
    """The threads that the environment asks for, None where it does not.

    Raises:
        ModelError: `AMRG_NUM_THREADS` is no number of threads.
    """
    requested = os.environ.get(AMRG, "").strip()
    if requested and (not requested.isdecimal() or int(requested) < 1):
        raise ModelError(f"{AMRG} is {requested!r}; expected a number of threads, 1 or more")
    return requested_threads()
