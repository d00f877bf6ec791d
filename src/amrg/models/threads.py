"""How many threads torch computes with: one where a small model runs on a processor, else one a core of this process.

OpenMP's threads wait for one another in a loop. The layers of a small model last microseconds, so next to other work on
the same cores most of a draft's time goes into that waiting; one thread has nobody to wait for.
"""

from __future__ import annotations

import torch
from torch import nn

from amrg.core.cores import available_cores
from amrg.models.thread_count import SMALL, checked_threads


def set_threads(model: nn.Module) -> None:
    """Set this process's threads for a loaded model: as asked for, else one for a small model on a processor.

    Else as many as there are cores for this process: its affinity and its container's quota.

    Raises:
        ModelError: `AMRG_NUM_THREADS` is no number of threads.
    """
    torch.set_num_threads(checked_threads() or (1 if _is_small(model) else available_cores()))


def _is_small(model: nn.Module) -> bool:
    """Whether a model has few parameters, all of them in the processor's memory."""
    parameters = list(model.parameters())
    return sum(p.numel() for p in parameters) < SMALL and all(p.device.type == "cpu" for p in parameters)
