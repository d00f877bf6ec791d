"""What a user can get wrong in a benchmark."""

from __future__ import annotations

from amrg.core.errors import AmrgError


class BenchmarkError(AmrgError):
    """Something that cannot be scored or compared as asked: names the file or field, found, expected, what to do."""
