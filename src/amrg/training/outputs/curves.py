"""Curves over the steps of a run, as inline SVG. Same values, same bytes; no display, no global figure."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import matplotlib as mpl
from markupsafe import Markup
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#E69F00")
"""Okabe and Ito's palette, distinct for all kinds of colour vision."""

_STYLE = {
    "svg.fonttype": "none",
    "font.size": 9,
    "text.parse_math": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
}
_NO_METADATA = dict.fromkeys(("Date", "Creator", "Format", "Type"))


@dataclass(frozen=True)
class Curve:
    """Values by step; with `marked` each value has a marker."""

    label: str
    steps: Sequence[int]
    values: Sequence[float]
    marked: bool = False


def chart(name: str, description: str, curves: Sequence[Curve]) -> Markup:
    """Curves in one chart with a legend; `description` is for screen readers. `name` makes its ids unique."""
    with mpl.rc_context({**_STYLE, "svg.hashsalt": name}):
        figure = Figure(figsize=(4.8, 2.5), layout="constrained")
        axes = figure.add_subplot()
        for curve, colour in zip(curves, COLOURS, strict=False):
            axes.plot(curve.steps, curve.values, color=colour, label=curve.label, **_style(curve))
        axes.set_xlabel("step")
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        if len(curves) > 1:
            figure.legend(frameon=False, fontsize=7, loc="outside upper center", ncols=len(curves), columnspacing=1.0)
        written = io.StringIO()
        figure.savefig(written, format="svg", transparent=True, metadata=_NO_METADATA)
    return _inline(written.getvalue(), name, description)


def _style(curve: Curve) -> dict[str, Any]:
    return {"marker": "o", "markersize": 3.5, "linewidth": 1.4} if curve.marked else {"linewidth": 1.2}


def smooth(values: Sequence[float], weight: float = 0.9) -> list[float]:
    """An exponential moving average with bias correction."""
    mean, total, found = 0.0, 0.0, []
    for value in values:
        mean, total = weight * mean + (1 - weight) * value, weight * total + (1 - weight)
        found.append(mean / total)
    return found


def drop_undefined(steps: Sequence[int], values: Sequence[float]) -> tuple[list[int], list[float]]:
    """Steps and values without NaN."""
    pairs = [(s, v) for s, v in zip(steps, values, strict=True) if not math.isnan(v)]
    return [s for s, _ in pairs], [v for _, v in pairs]


def _inline(svg: str, name: str, description: str) -> Markup:
    """An SVG document as an element of a page: without prologue and metadata, with unique ids."""
    element = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->", "", svg[svg.index("<svg") :], flags=re.DOTALL)
    element = re.sub(r'(id="|href="#|url\(#)', rf"\g<1>{name}-", element).replace("xlink:href=", "href=")
    return Markup(element.replace("<svg", f'<svg role="img" aria-label="{escape(description)}"', 1))
