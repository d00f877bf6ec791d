"""Documents that people write: YAML, and JSON, which is YAML."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from amrg.training.errors import TuningError


class RecipeError(TuningError):
    """An invalid recipe or run: names the field, what was found and what is allowed."""


def read_document(path: Path) -> dict[str, Any]:
    """The object in a YAML or JSON file.

    Raises:
        RecipeError: it cannot be read, is no YAML, has a key twice, or is no object.
    """
    try:
        document = yaml.load(path.read_text(encoding="utf-8-sig"), Loader=_Loader)  # a SafeLoader
    except OSError as error:
        raise RecipeError(f"{path}: cannot be read ({error.strerror}); expected YAML or JSON") from error
    except (yaml.YAMLError, UnicodeDecodeError, ValueError) as error:
        raise RecipeError(f"{path}: is not YAML or JSON ({' '.join(str(error).split())})") from error
    if not isinstance(document, dict):
        found = "nothing" if document is None else "a list" if isinstance(document, list) else "a single value"
        raise RecipeError(f"{path}: found {found}; expected fields with values, such as steps: 500")
    return {str(name): value for name, value in document.items()}


class _Loader(yaml.SafeLoader):  # type: ignore[misc]  # PyYAML has no types
    """YAML without its surprises: a key twice is refused, 2e-4 is a number, 010 is ten, a date or time is a text."""


def _object_without_repeats(loader: _Loader, node: yaml.MappingNode) -> dict[Any, Any]:
    keys = [loader.construct_object(key) for key, _ in node.value]
    if doubled := [key for key in keys if keys.count(key) > 1]:
        raise ValueError(f"{doubled[0]} is there twice, the second time on line {node.end_mark.line + 1} or before")
    made: dict[Any, Any] = loader.construct_mapping(node, deep=True)
    return made


_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _object_without_repeats)
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith((":timestamp", ":int"))]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(r"[-+]?(?:0|[1-9][0-9]*)$"), list("-+0123456789"))
