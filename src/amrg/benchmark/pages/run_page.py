"""`report.html`: a run's scores as one page that opens offline. Same run folder, same bytes."""

from __future__ import annotations

import base64
import io
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from PIL import Image

from amrg.benchmark.pages import charts
from amrg.benchmark.pages.case_selection import CaseSelection, select_cases
from amrg.benchmark.pages.report_diff import (
    MOST_WORDS,
    FactDifference,
    TextSpan,
    diff_facts,
    diff_words,
    finding_words,
    is_cut,
)
from amrg.benchmark.pages.verdict import LOST, verdict
from amrg.benchmark.scoring.read_run import read_manifest, read_scores, read_shown, reference_lengths
from amrg.core.files import atomic_write
from amrg.core.values import flatten
from amrg.datasets.case import Case
from amrg.metrics import display
from amrg.metrics.families import families
from amrg.metrics.pairs import Pair
from amrg.metrics.scores import CaseScores, Role, Scores, SystemScores

FILE_NAME = "report.html"

PICTURE = (1240, 300)
"""Most pixels of a case's picture, width and height."""

Pictures = Callable[[Case, Pair], Image.Image | None]
"""A case and its pair to its picture, or None where it has none to show."""

_ROLES = {
    Role.SYSTEM: "the system under test",
    Role.BLIND: "blind, saw no image",
    Role.RETRIEVAL: "copies the report of the nearest training image",
    Role.ORACLE: "knows category and density of the reference, nothing else",
    Role.PERFECT: "the most that any metric can give",
}
"""What each role is, in the order of the columns."""


@dataclass(frozen=True)
class CaseView:
    """One case as the page shows it. `picture` is a data address, None where there is none."""

    scored: CaseScores
    value: float
    pair: Pair
    reference: tuple[TextSpan, ...]
    draft: tuple[TextSpan, ...]
    cut: bool
    wrong: tuple[FactDifference, ...]
    picture: str | None


def write_page(run_folder: Path, pictures: Pictures | None = None) -> Path:
    """Write the page of a scored run into its folder.

    Args:
        run_folder: Holds `scores.json`, `predictions.jsonl`, `cases.jsonl`, and `manifest.json` where there is one.
        pictures: Gives the picture of a case, drawn at any size; asked only for the cases that are shown.

    Returns:
        The page's path.

    Raises:
        BenchmarkError: a file is missing or malformed.
        OSError: the page cannot be written.
    """
    scores = read_scores(run_folder)
    page = jinja_environment().get_template("page.html").render(_context(run_folder, scores, pictures))
    path = run_folder / FILE_NAME
    with atomic_write(path) as partial:
        partial.write_text(page, encoding="utf-8", newline="\n")
    return path


def jinja_environment() -> Environment:
    """Templates that escape all they are given, and refuse a name that they are not given."""
    environment = Environment(
        loader=PackageLoader("amrg.benchmark.pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    told = (display.number, display.interval, display.with_interval, display.p_value, display.counted, finding_words)
    environment.filters.update({function.__name__: function for function in told})
    environment.filters["breakable"] = _breakable
    return environment


def _context(folder: Path, scores: Scores, pictures: Pictures | None) -> dict[str, Any]:
    """All that the templates are given."""
    system = scores.systems[scores.system]
    chosen = select_cases(scores.cases, system.metrics, reference_lengths(folder))
    return {
        "scores": scores,
        "system": system,
        "verdict": verdict(scores),
        "warnings": tuple(_warnings(scores, system)),
        "manifest": {name: as_text(value) for name, value in flatten(read_manifest(folder))},
        "systems": _ordered(scores),
        "tables": families(system.metrics),
        "skill_charts": list(charts.skill_charts(system)),
        "picture_charts": list(charts.perturbation_charts(scores, system)),
        "confusions": list(charts.confusion_charts(scores)),
        "subgroups": charts.subgroup_charts(scores, system),
        "roles": _ROLES,
        "lost": LOST,
        "most_words": MOST_WORDS,
        "extremes": chosen,
        "cases": _cases(folder, chosen, pictures),
    }


def _ordered(scores: Scores) -> dict[str, SystemScores]:
    """The system under test first, then the baselines by what they know."""
    order = list(_ROLES)
    names = sorted(scores.systems, key=lambda name: (name != scores.system, order.index(scores.systems[name].role)))
    return {name: scores.systems[name] for name in names}


def _warnings(scores: Scores, system: SystemScores) -> Iterator[str]:
    """What scoring warned of, and what the numbers themselves show."""
    yield from scores.warnings
    empty = [name for name, metric in system.metrics.items() if metric.value is None]
    if empty:
        yield f"no value for {display.counted(len(empty), 'metric')}: {', '.join(empty)}"


def as_text(value: Any) -> str:
    """A value of a manifest as text."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _cases(folder: Path, chosen: CaseSelection | None, pictures: Pictures | None) -> dict[str, list[CaseView]]:
    """The worst and best cases; no side that is empty."""
    if chosen is None:
        return {}
    sides = {"Worst cases": chosen.worst, "Best cases": chosen.best}
    read = read_shown(folder, {case.key for side in sides.values() for case, _ in side})
    found = {
        title: [_shown(scored, value, read[scored.key], pictures) for scored, value in side]
        for title, side in sides.items()
    }
    return {title: cases for title, cases in found.items() if cases}


def _shown(scored: CaseScores, value: float, read: tuple[Case, Pair], pictures: Pictures | None) -> CaseView:
    case, pair = read
    texts = _readable(pair.reference_text), _readable(pair.text or "")
    reference, draft = diff_words(*texts)
    picture = pictures(case, pair) if pictures is not None else None
    return CaseView(
        scored=scored,
        value=value,
        pair=pair,
        reference=reference,
        draft=draft,
        cut=any(map(is_cut, texts)),
        wrong=diff_facts(pair),
        picture=_inline(picture) if picture is not None else None,
    )


def _readable(text: str) -> str:
    """A text without runs of empty lines, as the data sets have them."""
    return re.sub(r"[^\S\n]*\n\s*\n\s*", "\n\n", text.replace("\r\n", "\n").strip())


def _breakable(name: str) -> Markup:
    """A metric's name that may be broken after each underscore."""
    return Markup("_<wbr>").join(name.split("_"))


def _inline(picture: Image.Image) -> str:
    """A picture as a JPEG in a data address, made small enough to look at side by side."""
    small = picture.convert("RGB")
    small.thumbnail(PICTURE, Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=85, optimize=True)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"
