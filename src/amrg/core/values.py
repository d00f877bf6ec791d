"""Value types: frozen, closed, exact through JSON; and documents taken apart."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError


class Value(BaseModel):
    """Base of every value type: frozen, and unknown fields are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def first_complaint(error: ValidationError) -> str:
    """The first validation error: field and message; `JSON` as the field where the text is no JSON."""
    first = error.errors()[0]
    return f"{'.'.join(map(str, first['loc'])) or 'JSON'}: {first['msg']}"


def flatten(document: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """The values of a nested document, each under its dotted name; an empty mapping is a value."""
    for name, value in document.items():
        if isinstance(value, Mapping) and value:
            yield from flatten(value, f"{before}{name}.")
        else:
            yield before + name, value
