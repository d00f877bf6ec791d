"""Recipes as users give them: a JSON file, and single fields changed by name. Unknown names and values are refused."""

from __future__ import annotations

import difflib
import json
import typing
from collections.abc import Iterator, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from amrg.training.errors import TuningError
from amrg.training.recipe import Recipe


class RecipeError(TuningError):
    """A recipe that is none: names the field, what was found and what is allowed."""


def read_recipe(path: Path) -> Recipe:
    """A recipe from JSON; what it leaves out has amrg's defaults.

    Raises:
        RecipeError: it cannot be read, or a field is unknown or has a value that is not allowed.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RecipeError(f"{path}: cannot be read ({error.strerror}); expected a recipe in JSON") from error
    except ValueError as error:
        raise RecipeError(f"{path}: is no JSON ({error}); expected a recipe, as `amrg train` prints it") from error
    return _checked(document, str(path))


def override(recipe: Recipe, changes: Sequence[str]) -> Recipe:
    """A recipe with fields set by `name=value`, such as `lora.rank=8`; a value is JSON or, failing that, text.

    The recipe is looked at when all are set, so that fields which go together may come in any order.

    Raises:
        RecipeError: a change has no `=`, names no field, or gives it a value that is not allowed.
    """
    document = recipe.model_dump(mode="json")
    for change in changes:
        name, given, value = change.partition("=")
        if not given:
            raise RecipeError(f"{change}: expected NAME=VALUE, such as lora.rank=8")
        place = _place(document, name.strip(), change)
        place[name.strip().rpartition(".")[2]] = _value(name.strip(), value)
    return _checked(document, "recipe", changes)


def _place(document: dict[str, Any], name: str, change: str) -> dict[str, Any]:
    """The part of a document that a field stands in."""
    known = dict(_fields(Recipe))
    if name not in known:
        near = difflib.get_close_matches(name, known, 3, 0.5) or list(known)
        raise RecipeError(f"{change}: a recipe has no field {name!r}; did you mean {', '.join(near)}?")
    for part in name.split(".")[:-1]:
        if document[part] is None:
            raise RecipeError(f"{change}: {part} is null; give all of it as JSON: {part}={{...}}")
        document = document[part]
    return document


def _value(name: str, text: str) -> Any:
    """JSON or, where it is none or text is wanted, the text."""
    if dict(_fields(Recipe))[name].annotation is str:
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text


def _checked(document: Any, where: str, changes: Sequence[str] = ()) -> Recipe:
    """A recipe of a document, or one line about the first thing that is wrong with it, and the change that did it."""
    try:
        return Recipe.model_validate_json(json.dumps(document))
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        done = [c for c in changes if f"{name}.".startswith(f"{c.partition('=')[0].strip()}.")]
        raise RecipeError(f"{done[-1] if done else ', '.join(changes) or where}: {_wrong(name, first)}") from error


def _wrong(name: str, error: Any) -> str:
    """What is wrong with a field and what is allowed."""
    known = dict(_fields(Recipe))
    if error["type"] == "extra_forbidden":
        near = difflib.get_close_matches(name, known, 3, 0.5) or list(known)
        return f"a recipe has no field {name!r}; did you mean {', '.join(near)}?"
    if error["type"] == "value_error":  # of fields that do not go together
        return str(error["ctx"]["error"])
    found = json.dumps(error["input"], ensure_ascii=False)
    allowed = _choices(known[name]) if name in known else ""
    return f"{name or 'recipe'} is {found}: {allowed or error['msg'].replace('Input', 'it')}"


def _choices(field: FieldInfo) -> str:
    """The values of a field that has a list of them."""
    kind = field.annotation
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return "expected one of " + ", ".join(member.value for member in kind)
    return ""


def _fields(model: type[BaseModel], before: str = "") -> Iterator[tuple[str, FieldInfo]]:
    """Every field of a model and of the models in it, by dotted name."""
    for name, field in model.model_fields.items():
        yield before + name, field
        for kind in (field.annotation, *typing.get_args(field.annotation)):
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                yield from _fields(kind, f"{before}{name}.")
