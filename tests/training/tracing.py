"""Layers that torch traces without writing C++ for them.

Which layers are compiled, with what hooks, in several processes and of every family, is amrg's doing. The kernels are
torch's, as are the graphs of the gradients, which take minutes: `make test-slow` tests them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partialmethod
from unittest import mock

from torch import nn


@contextmanager
def traced(backend: str = "eager") -> Iterator[None]:
    """Layers compiled meanwhile run as graphs of torch's ready kernels; with `aot_eager` their gradients do as well."""
    with mock.patch.object(nn.Module, "compile", partialmethod(nn.Module.compile, backend=backend)):
        yield
