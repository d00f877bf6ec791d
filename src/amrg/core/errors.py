"""The base of every error that is a user's or a file's, never a bug."""

from __future__ import annotations


class AmrgError(ValueError):
    """One line that a person can act on: the file or field, what was found, what was expected, what to do."""


def first_line(error: BaseException) -> str:
    """The first line of an error without its full stop; its type where it says nothing."""
    text = str(error).strip().splitlines()
    return text[0].rstrip(".") if text else type(error).__name__
