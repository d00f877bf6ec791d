"""Layers that torch traces and differentiates without writing C++ for them.

Which layers are compiled, with what hooks, in several processes and of every family, is amrg's doing. The kernels are
torch's, and are tested in one process and one family.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partialmethod
from unittest import mock

from torch import nn


@contextmanager
def traced() -> Iterator[None]:
    """Layers compiled meanwhile run as graphs of torch's ready kernels."""
    with mock.patch.object(nn.Module, "compile", partialmethod(nn.Module.compile, backend="aot_eager")):
        yield
