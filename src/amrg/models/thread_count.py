"""How many threads a person asked for, where a model is loaded. Loads no model library."""

from __future__ import annotations

import os

from amrg.core.threads import AMRG, requested_threads
from amrg.models.errors import ModelError


def checked_threads() -> int | None:
    """The threads that the environment asks for, None where it does not.

    Raises:
        ModelError: `AMRG_NUM_THREADS` is no number of threads.
    """
    requested = os.environ.get(AMRG, "").strip()
    if requested and (not requested.isdecimal() or int(requested) < 1):
        raise ModelError(f"{AMRG} is {requested!r}; expected a number of threads, 1 or more")
    return requested_threads()
