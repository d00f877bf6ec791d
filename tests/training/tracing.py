"""Layers that torch traces and differentiates without writing C++ for them.

Several processes test which layers are compiled, with what hooks: that is amrg's doing. The kernels are torch's, and
are tested in one process.
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
