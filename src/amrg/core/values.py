"""Value types: frozen, closed, exact through JSON; and documents taken apart."""

from __future__ import annotations

import difflib
import re
import reprlib
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from amrg.core.errors import AmrgError

_EXPECTED = re.compile(r"^\w+ should (be|have|match) | after validation\b|, (unable|got|not) .*")
"""What pydantic's messages say besides what is expected."""


class Value(BaseModel):
    """Base of every value type: frozen, and unknown fields are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def first_complaint(error: ValidationError) -> str:
    """The first validation error: field and message; `JSON` as the field where the text is no JSON."""
    first = error.errors()[0]
    return f"{'.'.join(map(str, first['loc'])) or 'JSON'}: {first['msg'].removeprefix('Value error, ')}"


def found_and_expected(error: ValidationError) -> str:
    """The first validation error: field, what was found, what is expected. A validator's own message says all that."""
    first = error.errors()[0]
    if first["type"] in ("value_error", "json_invalid"):
        message = first["msg"].removeprefix("Value error, ")
        return ": ".join([*[".".join(map(str, first["loc"]))] * bool(first["loc"]), message])
    found, expected = reprlib.repr(first["input"]), _EXPECTED.sub("", first["msg"])
    if first["type"] == "missing":
        found, expected = "nothing", "a value"
    elif first["type"] == "extra_forbidden":
        expected = "no field of this name"
    return f"{'.'.join(map(str, first['loc']))}: found {found}, expected {expected}"


def flatten(document: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """The values of a nested document, each under its dotted name; an empty mapping is a value."""
    for name, value in document.items():
        if isinstance(value, Mapping) and value:
            yield from flatten(value, f"{before}{name}.")
        else:
            yield before + name, value


def differing(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """The names, sorted, under which two flattened documents differ; a missing value is as null."""
    return [name for name in sorted(before.keys() | now.keys()) if before.get(name) != now.get(name)]


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
        raise error(f"{file.name}: {_unknown_setting(found, kind) or first_complaint(found)}") from found
    except ValueError as found:
        raise error(f"{file.name}: no TOML: {found}") from found


def _unknown_setting(error: ValidationError, kind: type[BaseModel]) -> str:
    """The first name that is none of the settings, with the nearest that is; empty where all are known."""
    unknown = next((one["loc"] for one in error.errors() if one["type"] == "extra_forbidden"), None)
    if unknown is None:
        return ""
    schema = kind.model_json_schema()
    path, node = "", schema
    for part in unknown[:-1]:
        node = _resolved(node, schema)
        if isinstance(part, int):
            path, node = f"{path}[{part + 1}]", node["items"]
        elif part in node.get("properties", {}):
            path, node = f"{path}.{part}", node["properties"][part]
        else:  # the kind of a table, which the file does not name as a part of the path
            node = {"$ref": node["discriminator"]["mapping"][part]}
    known = _resolved(node, schema).get("properties", {})
    near = difflib.get_close_matches(str(unknown[-1]), known, n=1)
    named = f"{path}.{unknown[-1]}".removeprefix(".")
    return f"unknown setting {named}; " + (f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}")


def _resolved(node: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """A part of a JSON schema, with references followed; of what may be null, what it is otherwise."""
    while "$ref" in node or "anyOf" in node:
        if "$ref" in node:
            node = schema["$defs"][node["$ref"].rpartition("/")[2]]
        else:
            node = next(one for one in node["anyOf"] if one.get("type") != "null")
    return node
