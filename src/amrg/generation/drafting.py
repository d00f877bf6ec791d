"""From a study to a draft report: frame, guard, write, parse, place, render."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np

from amrg import __version__
from amrg.birads import Laterality, Provenance, Report, Status, Style, View, check, parse, render
from amrg.generation.engines.local import Engine, ImageFeatures
from amrg.generation.evidence import without_repeats, without_unshown
from amrg.generation.places import SeenView, with_places
from amrg.imaging import Framed, Mammogram, Study, hanging_order, missing_views
from amrg.models import frame_for, model_image


class OutsideDomain(ValueError):
    """A study unlike anything the model was trained on."""


@dataclass(frozen=True)
class Draft:
    """A drafted report: facts, its rendered text, the model's own words, and what a reader must know of it."""

    report: Report
    text: str
    written: str
    in_domain: bool | None
    domain_distance: float | None
    missing: tuple[tuple[Laterality, View], ...]
    problems: tuple[str, ...]
    seconds: dict[str, float] = field(default_factory=dict, compare=False)


def draft_report(study: Study, engine: Engine, style: Style = Style.CLINICAL, force: bool = False) -> Draft:
    """Draft the report of a study. The report's status is `draft`; nothing of it is verified.

    Raises:
        OutsideDomain: the study is like nothing the model was trained on, and `force` is not set.
    """
    seconds: dict[str, float] = {}
    mammograms = hanging_order(study)
    encoding = engine.loaded.settings.encoding
    with _timed(seconds, "frame"):
        framed = [frame_for(m, encoding) for m in mammograms]
        pictures = [model_image(f, m.laterality, encoding) for f, m in zip(framed, mammograms, strict=True)]
    views = [(m.laterality, m.view) for m in mammograms]
    with _timed(seconds, "see"):
        seen = engine.see(pictures)
    distance, inside = _domain(engine, seen)
    if inside is False and not force:
        raise OutsideDomain(_sentence(engine, distance))
    with _timed(seconds, "write"):
        written = engine.write(views, pictures)
    report, problems = _read(written, views, study.prior is not None)
    if seen is not None:
        report, repeated = without_repeats(with_places(report, seen_views(mammograms, framed, seen), encoding))
        report, unshown = without_unshown(report)
        problems = (*problems, *repeated, *unshown)
    report = report.model_copy(
        update={"status": Status.DRAFT, "provenance": _provenance(engine, inside), "narrative": written}
    )
    return Draft(
        report=report,
        text=render(report, style),
        written=written,
        in_domain=inside,
        domain_distance=distance,
        missing=tuple(missing_views(study)),
        problems=problems,
        seconds=seconds,
    )


def _domain(engine: Engine, seen: ImageFeatures | None) -> tuple[float | None, bool | None]:
    """Distance from the training phantoms and whether it is within the guard's threshold; None without a guard."""
    if engine.guard is None or seen is None:
        return None, None
    distance = engine.guard.distance(seen.statistics)
    return distance, distance <= engine.guard.threshold


def _sentence(engine: Engine, distance: float | None) -> str:
    """The one sentence a user reads in place of a draft."""
    threshold = engine.guard.threshold if engine.guard else float("nan")
    return (
        f"no draft: these pictures are outside the domain of model {engine.loaded.name} "
        f"(distance {distance:.1f}, expected at most {threshold:.1f}); it was trained on drawn phantoms only. "
        "Use --model with one trained on such pictures, or --force to draft all the same."
    )


def _read(written: str, views: list[tuple[Laterality, View]], has_prior: bool) -> tuple[Report, tuple[str, ...]]:
    """The facts of the model's text, and a line for all that was not understood or does not agree."""
    parsed = parse(written)
    unread = [f"the model wrote what could not be read: {span.text!r}" for span in parsed.unread]
    broken = [f"{violation.rule}: {violation.message}" for violation in check(parsed.report, views, has_prior)]
    if parsed.report.worst is None:
        broken.append("the model named no BI-RADS category: the report has none")
    return parsed.report, tuple(unread + broken)


def seen_views(mammograms: list[Mammogram], framed: list[Framed], seen: ImageFeatures) -> list[SeenView]:
    """What the tower saw, view by view, as `with_places` takes it."""
    side = round(seen.cells.shape[1] ** 0.5)
    grids = seen.cells.reshape(len(mammograms), side, side, -1)
    return [SeenView(m.laterality, m.view, f, np.asarray(g)) for m, f, g in zip(mammograms, framed, grids, strict=True)]


def _provenance(engine: Engine, inside: bool | None) -> Provenance:
    return Provenance(
        software=f"amrg {__version__}",
        model=engine.loaded.name,
        model_hash=engine.loaded.weights_hash,
        in_domain=inside,
    )


@contextmanager
def _timed(seconds: dict[str, float], name: str) -> Iterator[None]:
    start = time.perf_counter()
    yield
    seconds[name] = time.perf_counter() - start
