"""Layers that torch traces and differentiates without writing C++ for them.

Which layers are compiled, with what shapes, masks and hooks, is amrg's doing and is tested of every family and in
several processes; the kernels are torch's, take a minute of g++ a family, and are tested of one.
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
