"""How many threads a person asked for. Loads no model library."""

from __future__ import annotations

import os

from amrg.models.errors import ModelError

VARIABLE = "AMRG_NUM_THREADS"
"""Environment variable that decides, whatever the model."""
OPENMP = "OMP_NUM_THREADS"


def requested_threads() -> int | None:
    """The threads that `AMRG_NUM_THREADS`, else `OMP_NUM_THREADS` asks for; None where neither does.

    Raises:
        ModelError: `AMRG_NUM_THREADS` is no number of threads.
    """
    requested = os.environ.get(VARIABLE, "").strip()
    if requested:
        if not requested.isdecimal() or int(requested) < 1:
            raise ModelError(f"{VARIABLE} is {requested!r}; expected a number of threads, 1 or more")
        return int(requested)
    openmp = os.environ.get(OPENMP, "").strip()
    return int(openmp) if openmp.isdecimal() and int(openmp) > 0 else None
