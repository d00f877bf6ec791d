"""The templates of all pages: their environment and filters."""

from __future__ import annotations

import json
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from amrg.benchmark.pages.report_diff import finding_text
from amrg.metrics import display

_FILTERS = (
    display.number,
    display.interval,
    display.with_interval,
    display.p_value,
    display.counted,
    finding_text,
)


def jinja_environment() -> Environment:
    """Templates that escape every value, and raise on a variable that is not given."""
    environment = Environment(
        loader=PackageLoader("amrg.benchmark.pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update({function.__name__: function for function in _FILTERS})
    environment.filters["breakable"] = _breakable
    return environment


def as_text(value: Any) -> str:
    """A value of a manifest as text."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _breakable(name: str) -> Markup:
    """A metric's name that may be broken after each underscore."""
    return Markup("_<wbr>").join(name.split("_"))
