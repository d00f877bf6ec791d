"""`report.html`: a run's scores as one page that opens offline. Same run folder, same bytes."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from amrg.benchmark.layout import REPORT
from amrg.benchmark.pages import charts
from amrg.benchmark.pages.case_selection import CaseSelection, select_cases
from amrg.benchmark.pages.html import as_text, jinja_environment
from amrg.benchmark.pages.report_diff import (
    MAX_WORDS,
    FactDifference,
    TextSpan,
    diff_facts,
    diff_words,
    is_cut,
)
from amrg.benchmark.pages.verdict import MAX_P, WITHOUT_OWN_IMAGES, verdict
from amrg.benchmark.scoring.read_run import read_cases, read_manifest, read_scores, reference_lengths
from amrg.core.files import atomic_write
from amrg.core.values import flatten
from amrg.datasets.case import Case
from amrg.metrics import display
from amrg.metrics.families import families
from amrg.metrics.pairs import Pair
from amrg.metrics.scores import CaseScores, Role, Scores, SystemScores
from amrg.metrics.statistics import FEW_GROUPS
from amrg.metrics.strict import EVERY_CASE, figures

MAX_IMAGE_SIZE = (1240, 300)
"""Maximum size of a case's image in pixels, width and height."""

CaseImages = Callable[[Case, Pair], Image.Image | None]
"""A case and its pair to its image, or None where it has none."""

_ROLES = {
    Role.SYSTEM: "the system under test",
    Role.BLIND: "blind: uses no image",
    Role.RETRIEVAL: "copies the report of the nearest training image",
    Role.ORACLE: "knows only category and density of the reference",
    Role.PERFECT: "the references themselves: the best possible value of every metric",
}
"""Each role as text, in the order of the columns."""


@dataclass(frozen=True)
class CaseView:
    """One case as displayed on the page. `image` is a data URL, None where there is none."""

    scored: CaseScores
    value: float
    pair: Pair
    reference: tuple[TextSpan, ...]
    draft: tuple[TextSpan, ...]
    cut: bool
    errors: tuple[FactDifference, ...]
    image: str | None


def write_run_page(run_folder: Path, images: CaseImages | None = None) -> Path:
    """Write the page of a scored run into its folder.

    Args:
        run_folder: Holds `scores.json`, `predictions.jsonl`, `cases.jsonl`, and `manifest.json` where there is one.
        images: Gives the image of a case, at any size; called only for the cases on the page.

    Returns:
        The page's path.

    Raises:
        BenchmarkError: a file is missing or malformed.
        OSError: the page cannot be written.
    """
    scores = read_scores(run_folder)
    page = jinja_environment().get_template("page.html").render(_context(run_folder, scores, images))
    path = run_folder / REPORT
    with atomic_write(path) as partial:
        partial.write_text(page, encoding="utf-8", newline="\n")
    return path


def _context(folder: Path, scores: Scores, images: CaseImages | None) -> dict[str, Any]:
    """The variables of the templates."""
    system = scores.systems[scores.system]
    selection = select_cases(scores.cases, system.metrics, reference_lengths(folder))
    return {
        "scores": scores,
        "system": system,
        "verdict": verdict(scores),
        "warnings": tuple(_warnings(scores, system)),
        "manifest": {name: as_text(value) for name, value in flatten(read_manifest(folder))},
        "systems": _ordered(scores),
        "tables": families({name: system.metrics[name] for name in figures(system.metrics, system.metrics)}),
        "every_case": EVERY_CASE,
        "skill_charts": list(charts.skill_charts(system)),
        "perturbation_charts": list(charts.perturbation_charts(scores, system)),
        "confusions": list(charts.confusion_charts(scores)),
        "subgroups": charts.subgroup_charts(scores, system),
        "roles": _ROLES,
        "without_own_images": WITHOUT_OWN_IMAGES,
        "max_p": MAX_P,
        "few_groups": FEW_GROUPS,
        "max_words": MAX_WORDS,
        "selection": selection,
        "cases": _cases(folder, selection, images),
    }


def _ordered(scores: Scores) -> dict[str, SystemScores]:
    """The system under test first, then the baselines by what they know."""
    order = list(_ROLES)
    names = sorted(scores.systems, key=lambda name: (name != scores.system, order.index(scores.systems[name].role)))
    return {name: scores.systems[name] for name in names}


def _warnings(scores: Scores, system: SystemScores) -> Iterator[str]:
    """The warnings of scoring, and metrics without a value."""
    yield from scores.warnings
    empty = [name for name, metric in system.metrics.items() if metric.value is None]
    if empty:
        yield f"no value for {display.counted(len(empty), 'metric')}: {', '.join(empty)}"


def _cases(folder: Path, selection: CaseSelection | None, images: CaseImages | None) -> dict[str, list[CaseView]]:
    """The worst and best cases, without an empty side."""
    if selection is None:
        return {}
    sides = {"Worst cases": selection.worst, "Best cases": selection.best}
    read = read_cases(folder, {case.key for side in sides.values() for case, _ in side})
    views = {
        title: [_case_view(scored, value, read[scored.key], images) for scored, value in side]
        for title, side in sides.items()
    }
    return {title: cases for title, cases in views.items() if cases}


def _case_view(scored: CaseScores, value: float, read: tuple[Case, Pair], images: CaseImages | None) -> CaseView:
    case, pair = read
    texts = _readable(pair.reference_text), _readable(pair.text or "")
    reference, draft = diff_words(*texts)
    image = images(case, pair) if images is not None else None
    return CaseView(
        scored=scored,
        value=value,
        pair=pair,
        reference=reference,
        draft=draft,
        cut=any(map(is_cut, texts)),
        errors=diff_facts(pair),
        image=_data_url(image) if image is not None else None,
    )


def _readable(text: str) -> str:
    """A text without runs of empty lines, as the data sets have them."""
    return re.sub(r"[^\S\n]*\n\s*\n\s*", "\n\n", text.replace("\r\n", "\n").strip())


def _data_url(image: Image.Image) -> str:
    """An image as a JPEG data URL, small enough to display side by side."""
    small = image.convert("RGB")
    small.thumbnail(MAX_IMAGE_SIZE, Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=85, optimize=True)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"
