"""Value types: frozen, closed, exact through JSON; and documents taken apart."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from amrg.core.errors import AmrgError


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


Read = TypeVar("Read", bound=Value)


def read_toml(file: Path, kind: type[Read], error: type[AmrgError]) -> Read:
    """A value from a TOML file.

    Raises:
        OSError: the file cannot be read.
        AmrgError: of the class `error`: it is no TOML, or has a field that is unknown or out of range.
    """
    try:
        return kind.model_validate(tomllib.loads(file.read_text(encoding="utf-8")))
    except ValidationError as found:
        raise error(f"{file.name}: {first_complaint(found)}") from found
    except ValueError as found:
        raise error(f"{file.name}: no TOML: {found}") from found
