"""Recipes from the user: a document, and single fields set by name. Unknown names and values are refused."""

from __future__ import annotations

import difflib
import json
import math
import typing
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from amrg.training.documents import RecipeError, read_document
from amrg.training.recipe import Recipe


def read_recipe(path: Path) -> Recipe:
    """A recipe from YAML or JSON; omitted fields have their defaults.

    Raises:
        RecipeError: it cannot be read, or a field is unknown or has an invalid value.
    """
    return recipe_from(read_document(path), str(path))


def recipe_from(document: Any, where: str) -> Recipe:
    """A recipe from its fields; omitted ones have their defaults. `where` names the file in errors.

    Raises:
        RecipeError: a field is unknown or has an invalid value.
    """
    return _validated(document, where)


def override(recipe: Recipe, changes: Sequence[str]) -> Recipe:
    """A recipe with fields set by `name=value`, such as `lora.rank=8`; a value is JSON, else text.

    The recipe is validated after all are set, so dependent fields may come in any order.

    Raises:
        RecipeError: a change has no `=`, or an unknown field or invalid value.
    """
    document = recipe.model_dump(mode="json")
    for change in changes:
        name, separator, value = change.partition("=")
        if not separator:
            raise RecipeError(f"{change}: expected NAME=VALUE, such as lora.rank=8")
        parent = _parent(document, name.strip(), change)
        parent[name.strip().rpartition(".")[2]] = _value(name.strip(), value)
    return _validated(document, "recipe", changes)


def _parent(document: dict[str, Any], name: str, change: str) -> dict[str, Any]:
    """The object of a document that contains a field."""
    known = dict(_fields(Recipe))
    if name not in known:
        raise RecipeError(f"{change}: {_unknown(name, known)}")
    for part in name.split(".")[:-1]:
        if document[part] is None:
            raise RecipeError(f"{change}: {part} is null; set the whole object as JSON: {part}={{...}}")
        document = document[part]
    return document


def _value(name: str, text: str) -> Any:
    """The value as JSON; as text if it is not JSON or the field is a text."""
    if dict(_fields(Recipe))[name].annotation is str:
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text


def _validated(document: Any, where: str, changes: Sequence[str] = ()) -> Recipe:
    """The recipe of a document, or one line about its first error and the change that caused it."""
    _refuse_odd_numbers(document, ", ".join(changes) or where)
    try:
        return Recipe.model_validate_json(json.dumps(document, default=str))
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        causes = [c for c in changes if f"{name}.".startswith(f"{c.partition('=')[0].strip()}.")]
        raise RecipeError(
            f"{causes[-1] if causes else ', '.join(changes) or where}: {_explain(name, first)}"
        ) from error


def _refuse_odd_numbers(document: Any, where: str) -> None:
    """Refuse what pydantic takes for a number: yes and no (`on`, `true`) as 1 and 0, and infinity."""
    for name, field in _fields(Recipe):
        value = document
        for part in name.split("."):
            value = value.get(part) if isinstance(value, Mapping) else None
        if isinstance(value, bool) and bool not in (field.annotation, *typing.get_args(field.annotation)):
            raise RecipeError(
                f"{where}: {name} is {json.dumps(value)}, as YAML reads yes, no, on and off; expected a value"
            )
        if isinstance(value, float) and not math.isfinite(value):
            raise RecipeError(f"{where}: {name} is {value}; expected a number")


def _explain(name: str, error: Any) -> str:
    """What is wrong with a field, and what is allowed."""
    known = dict(_fields(Recipe))
    if error["type"] == "extra_forbidden":
        return _unknown(name, known)
    if error["type"] == "value_error":  # from a validator over several fields
        return str(error["ctx"]["error"])
    found = json.dumps(error["input"], ensure_ascii=False)
    allowed = _choices(known[name]) if name in known else ""
    return f"{name or 'recipe'} is {found}: {allowed or error['msg'].replace('Input', 'it')}"


def _unknown(name: str, known: Mapping[str, FieldInfo]) -> str:
    near = [field for field in known if name in field] or difflib.get_close_matches(name, known, 3, 0.5)
    hint = f"did you mean {', '.join(near)}?" if near else f"the fields are {', '.join(known)}"
    return f"a recipe has no field {name!r}; {hint}"


def _choices(field: FieldInfo) -> str:
    """The allowed values of an enumeration field."""
    kind = field.annotation
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return "expected one of " + ", ".join(member.value for member in kind)
    return ""


def _fields(model: type[BaseModel], before: str = "") -> Iterator[tuple[str, FieldInfo]]:
    """Every field of a model and of its nested models, by dotted name."""
    for name, field in model.model_fields.items():
        yield before + name, field
        for kind in (field.annotation, *typing.get_args(field.annotation)):
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                yield from _fields(kind, f"{before}{name}.")
