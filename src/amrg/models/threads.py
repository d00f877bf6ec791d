"""How many threads torch computes with: one where a small model runs on a processor, else as torch itself decides.

OpenMP's threads wait for one another in a loop. The layers of a small model last microseconds, so next to other work on
the same cores most of a draft's time goes into that waiting; one thread has nobody to wait for.
"""

from __future__ import annotations

import os

import torch
from torch import nn

from amrg.models.errors import ModelError

VARIABLE = "AMRG_NUM_THREADS"
"""Environment variable that decides, whatever the model."""
SMALL = 50_000_000
"""Parameters from which a model is no longer small: the embedded one has about 9 million, SmolVLM2's smallest 256."""

_lowered: list[int] = []  # the threads that torch had before a small model took all but one


def set_threads(model: nn.Module) -> None:
    """Set this process's threads for a loaded model: `AMRG_NUM_THREADS`, else one for a small model on a processor.

    `OMP_NUM_THREADS`, where it is set, stands. A large model loaded after a small one gets torch's threads back.

    Raises:
        ModelError: `AMRG_NUM_THREADS` is no number of threads.
    """
    requested = os.environ.get(VARIABLE, "").strip()
    if requested:
        torch.set_num_threads(_number(requested))
    elif "OMP_NUM_THREADS" not in os.environ:
        if _is_small(model):
            _lowered.append(torch.get_num_threads())
            torch.set_num_threads(1)
        elif _lowered:
            torch.set_num_threads(_lowered[0])
            _lowered.clear()


def _number(requested: str) -> int:
    """The requested number of threads."""
    if not requested.isdecimal() or int(requested) < 1:
        raise ModelError(f"{VARIABLE} is {requested!r}; expected a number of threads, 1 or more")
    return int(requested)


def _is_small(model: nn.Module) -> bool:
    """Whether a model has few parameters, all of them in the processor's memory."""
    parameters = list(model.parameters())
    return sum(p.numel() for p in parameters) < SMALL and all(p.device.type == "cpu" for p in parameters)
