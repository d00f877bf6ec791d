"""The error of an unreadable file, in one line."""

from __future__ import annotations


class ImagingError(ValueError):
    """A file that cannot be read as a mammogram: one line with file, tag, found, expected, what to do."""
