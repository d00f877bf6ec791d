"""The page's charts: matplotlib figures as inline SVG. Same numbers, same bytes; no display, no global figure."""

from __future__ import annotations

import functools
import io
import re
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, ParamSpec

import matplotlib as mpl
import numpy as np
from markupsafe import Markup
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from amrg.metrics.display import interval, number, shortened
from amrg.metrics.scores import Confusion, Number

BLUE, VERMILLION, GREEN, ORANGE, BLACK, GREY = "#0072B2", "#D55E00", "#009E73", "#E69F00", "#222222", "#767676"
"""Okabe and Ito's colours, distinguishable with any colour vision."""

_STYLE = {
    "svg.fonttype": "none",
    "text.parse_math": False,
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.edgecolor": GREY,
    "axes.unicode_minus": True,
    "xtick.color": "#444444",
    "text.color": BLACK,
}
_NO_METADATA = dict.fromkeys(("Date", "Creator", "Format", "Type"))
_PER_INCH = 96  # CSS pixels
_UNWANTED = re.compile(r"<!--.*?-->|<metadata>.*?</metadata>|<style.*?</style>|font-family: [^;\"]*; ", re.DOTALL)
_Given = ParamSpec("_Given")


def _styled(draw: Callable[_Given, Markup]) -> Callable[_Given, Markup]:
    """Draw in the page's style, and leave matplotlib's own settings as they were."""

    @functools.wraps(draw)
    def styled(*given: _Given.args, **named: _Given.kwargs) -> Markup:
        with mpl.rc_context(_STYLE):
            return draw(*given, **named)

    return styled


@dataclass(frozen=True)
class Row:
    """One row of a chart: its label, number, colour and marker."""

    label: str
    number: Number
    colour: str = BLUE
    marker: str = "o"


@dataclass(frozen=True)
class Line:
    """A value to compare all rows with, drawn as a line."""

    label: str
    value: float


@_styled
def skill_bars(name: str, rows: Sequence[Row]) -> Markup:
    """Skill as bars with 95 % intervals: a line at 0 (best blind baseline) and at 1 (perfect). Below -1 it is cut."""
    figure, axes = _figure(5.0, 0.5 + 0.4 * len(rows), left=0.1, right=1.55, top=0.02, bottom=0.42)
    for y, row in enumerate(rows):
        _bar(axes, y, row)
    lowest = min((v for r in rows for v in (r.number.value, r.number.low) if v is not None), default=0.0)
    axes.set_xlim(-1.05 if lowest < -0.95 else min(-0.1, lowest - 0.05), 1.05)
    axes.set_ylim(len(rows) - 0.45, -0.75)
    axes.set_xticks([t for t in (-1.0, -0.5, 0.0, 0.5, 1.0) if t >= axes.get_xlim()[0]])
    axes.set_yticks([])
    axes.set_xlabel("skill: 0 = best blind baseline, 1 = perfect")
    values = "; ".join(f"{r.label} {number(r.number.value)} {interval(r.number)}" for r in rows)
    return _svg(figure, name, f"Bar chart of skill with 95 % intervals. {values}.")


def _bar(axes: Any, y: int, row: Row) -> None:
    """A bar with its name above it and its number at the right."""
    left = axes.get_yaxis_transform()
    axes.text(0.0, y - 0.32, row.label, transform=left, va="bottom", fontsize=8.5, fontweight="bold")
    axes.vlines([0, 1], y - 0.3, y + 0.3, color=[BLACK, GREY], linewidth=1)
    value = row.number.value
    axes.text(1.03, y, f"{number(value)} {interval(row.number)}", transform=left, va="center", fontsize=8.5)
    if value is None:
        return
    axes.barh(y, max(value, -1.0), height=0.46, color=row.colour, alpha=0.85, linewidth=0)
    if row.number.low is not None and row.number.high is not None:
        axes.plot([max(row.number.low, -1.0), max(row.number.high, -1.0)], [y, y], color=BLACK, linewidth=1.4)


@_styled
def forest(name: str, title: str, rows: Sequence[Row], line: Line | None = None) -> Markup:
    """One metric over several conditions or subgroups: a mark with its 95 % interval a row."""
    width = max((len(shortened(r.label, 24)) for r in rows), default=0)
    figure, axes = _figure(3.8, 0.62 + 0.26 * len(rows), left=0.2 + 0.075 * width, right=0.68, top=0.06, bottom=0.4)
    for y, row in enumerate(rows):
        _mark(axes, y, row)
    if line is not None:
        axes.axvline(line.value, color=GREY, linewidth=1, linestyle=(0, (4, 3)))
    axes.set_xlim(*_range([*(v for r in rows for v in _ends(r.number)), *([line.value] if line else [])]))
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_yticks(range(len(rows)), [shortened(r.label, 24) for r in rows])
    axes.tick_params(axis="y", length=0)
    axes.xaxis.set_major_locator(MaxNLocator(4))
    if line is not None:
        axes.set_xlabel(f"dashed: {line.label} {number(line.value)}", fontsize=8.5)
    values = "; ".join(f"{r.label} {number(r.number.value)} {interval(r.number)}" for r in rows)
    return _svg(figure, name, f"{title}, with 95 % intervals. {values}.")


def _mark(axes: Any, y: int, row: Row) -> None:
    value = row.number.value
    axes.text(1.04, y, number(value), transform=axes.get_yaxis_transform(), va="center", fontsize=8.5)
    if value is None:
        return
    if row.number.low is not None and row.number.high is not None:
        axes.plot([row.number.low, row.number.high], [y, y], color=row.colour, linewidth=2)
    axes.plot([value], [y], marker=row.marker, color=row.colour, markersize=6.5, linestyle="none")


def _ends(of: Number) -> list[float]:
    return [v for v in (of.value, of.low, of.high) if v is not None]


def _range(values: Sequence[float]) -> tuple[float, float]:
    """Limits that contain all values and do not exaggerate small differences."""
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    least = max(0.1, 0.1 * max(abs(low), abs(high)))
    pad = max(0.07 * (high - low), (least - (high - low)) / 2)
    return low - pad, high + pad


@_styled
def confusion_matrix(name: str, title: str, confusion: Confusion) -> Markup:
    """Counts by reference (rows) and draft (columns), `unscored` last; shade is the share of the row."""
    columns = [*confusion.labels, "unscored"]
    counts = np.array(confusion.counts, dtype=np.int64).reshape(len(confusion.labels), len(columns))
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    height, width = counts.shape
    figure, axes = _figure(0.9 + 0.42 * width, 0.65 + 0.36 * height, left=0.55, right=0.35, top=0.55, bottom=0.1)
    axes.pcolormesh(shares, cmap="Blues", vmin=0, vmax=1.25, edgecolors="white", linewidth=1.5)
    for (i, j), count in np.ndenumerate(counts):
        if count:
            dark = shares[i, j] > 0.6
            axes.text(j + 0.5, i + 0.5, f"{count}", ha="center", va="center", color="white" if dark else BLACK)
    for i in range(height):
        axes.plot([i, i + 1, i + 1, i, i], [i, i, i + 1, i + 1, i], color=BLACK, linewidth=1)
    axes.set_xticks(np.arange(width) + 0.5, columns, rotation=0)
    axes.get_xticklabels()[-1].set_fontsize(7.5)
    axes.set_yticks(np.arange(height) + 0.5, confusion.labels)
    axes.tick_params(length=0, top=False, labeltop=True, bottom=False, labelbottom=False)
    axes.set_ylim(height, 0)
    axes.set_xlabel("draft")
    axes.xaxis.set_label_position("top")
    axes.set_ylabel("reference")
    axes.spines[:].set_visible(False)
    return _svg(figure, name, f"{title}: counts by reference and draft; the table below gives every number.")


@dataclass(frozen=True)
class Heat:
    """A heat map's cells: `values` [rows, columns], None where there is none; then the cell has its `label`."""

    rows: tuple[str, ...]
    columns: tuple[str, ...]
    values: tuple[tuple[float | None, ...], ...]
    labels: tuple[tuple[str, ...], ...]


@_styled
def heat_map(name: str, title: str, heat: Heat, ends: tuple[float, float], axes_named: tuple[str, str]) -> Markup:
    """Values by two settings, shaded between `ends`, the highest outlined; `axes_named`: of columns, then of rows."""
    height, width = len(heat.rows), len(heat.columns)
    figure, axes = _figure(0.85 + 0.72 * width, 0.75 + 0.4 * height, left=0.65, right=0.2, top=0.6, bottom=0.15)
    values = np.array([[np.nan if v is None else v for v in row] for row in heat.values], dtype=np.float64)
    low, high = ends
    room = max(high - low, 1e-9)
    axes.pcolormesh(
        np.ma.masked_invalid((values - low) / room),
        cmap="Blues",
        vmin=-0.15,
        vmax=1.25,
        edgecolors="white",
        linewidth=1.5,
    )
    for (i, j), value in np.ndenumerate(values):
        colour = GREY if np.isnan(value) else "white" if (value - low) / room > 0.7 else BLACK
        text = heat.labels[i][j] if np.isnan(value) else number(float(value))
        axes.text(j + 0.5, i + 0.5, text, ha="center", va="center", color=colour, fontsize=8.5)
        if not np.isnan(value) and value == np.nanmax(values):
            axes.plot([j, j + 1, j + 1, j, j], [i, i, i + 1, i + 1, i], color=VERMILLION, linewidth=1.6)
    axes.set_xticks(np.arange(width) + 0.5, heat.columns)
    axes.set_yticks(np.arange(height) + 0.5, heat.rows)
    axes.tick_params(length=0, top=False, labeltop=True, bottom=False, labelbottom=False)
    axes.set_xlim(0, width)
    axes.set_ylim(height, 0)
    axes.set_xlabel(axes_named[0])
    axes.xaxis.set_label_position("top")
    axes.set_ylabel(axes_named[1])
    axes.spines[:].set_visible(False)
    return _svg(figure, name, f"{title}: a heat map; the table gives every number with its interval.")


def _figure(width: float, height: float, *, left: float, right: float, top: float, bottom: float) -> tuple[Any, Any]:
    """A figure in inches with one axes, its margins in inches."""
    figure = Figure(figsize=(width, height))
    inner = (width - left - right) / width, (height - top - bottom) / height
    return figure, figure.add_axes((left / width, bottom / height, *inner))


def _svg(figure: Any, name: str, description: str) -> Markup:
    """A figure as an SVG element for HTML: text as text, no prologue, no address, ids of its own."""
    buffer = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": name}), warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # letters that the measuring font lacks: the reader's has them
        figure.savefig(buffer, format="svg", transparent=True, metadata=_NO_METADATA)
    text = _UNWANTED.sub("", buffer.getvalue())
    box = re.search(r'viewBox="[^"]+"', text)
    width = f'style="width:{figure.get_figwidth() * _PER_INCH:.0f}px"'
    head = f'<svg class="plot" role="img" aria-label="{escape(description)}" {box[0] if box else ""} {width}>'
    body = text[text.index(">", text.index("<svg")) + 1 :].replace("xlink:href=", "href=")
    return Markup(head + _own_ids(body, name).strip())


def _own_ids(svg: str, name: str) -> str:
    """Ids that are referenced, made unique to this chart; the others are removed."""
    used = set(re.findall(r'href="#([^"]+)"|url\(#([^)]+)\)', svg))
    wanted = {first or second for first, second in used}
    svg = re.sub(r' id="([^"]+)"', lambda m: f' id="{name}-{m[1]}"' if m[1] in wanted else "", svg)
    return re.sub(r'(href="#|url\(#)', rf"\g<1>{name}-", svg)
