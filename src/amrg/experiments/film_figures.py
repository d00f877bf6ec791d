"""What the embedded model makes of real mammograms of patients that it was not trained on, one view a study.

Run as `python -m amrg.experiments.film_figures FILMS` (`make film-figures`). Every view is written as an image file in
its true proportions and drafted by the code of `amrg report`; what the collection says of it is in `films.jsonl`.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol, TypeVar

import numpy as np
from scipy.stats import spearmanr

from amrg.birads import Composition, Draft, ImageBox, Kind
from amrg.core.files import write_text
from amrg.generation.batch import Drafted, draft_studies
from amrg.generation.drafting import DraftOptions
from amrg.generation.engines.base import Engine
from amrg.generation.engines.loading import load_engine
from amrg.imaging import Study, read_studies
from amrg.metrics.intervals import Interval, exact_interval, has_spread, interval
from amrg.metrics.metric import SHARE
from amrg.models.card import FILE_NAME, CardMetric, model_card
from amrg.models.load import LoadedModel, load_model
from amrg.training.tower.film_metrics import auroc
from amrg.training.tower.film_shards import held_out_fold, usable_films
from amrg.training.tower.films import Box, ListedFilm, film_in_proportion

log = logging.getLogger("amrg.experiments")
DRAWS = 500
MASSES = frozenset({Kind.MASS})
SIDES = {"L": "LEFT", "R": "RIGHT"}


class HasPatient(Protocol):
    """What is of a patient."""

    @property
    def patient(self) -> str:
        """Whose it is."""


OfPatient = TypeVar("OfPatient", bound=HasPatient)


@dataclass(frozen=True)
class FilmDraft:
    """A real view with its draft; None where it was refused."""

    film: ListedFilm
    draft: Draft | None

    @property
    def patient(self) -> str:
        """Whose views are drawn together for an interval."""
        return str(self.film.record.get("patient", self.film.name))

    @property
    def pathologies(self) -> set[str]:
        """Of its lesions, or its outcome: `malignant`, `benign`, `normal`."""
        record = self.film.record
        stated = [str(record.get("outcome") or record.get("pathology") or "")]
        stated += [str(lesion.get("pathology", "")) for lesion in record.get("lesions", [])]
        words = ("malignant", "benign", "normal")
        return {word for text in stated for word in words if text.lower().startswith(word)}

    @cached_property
    def boxes(self) -> list[Box]:
        """Of the lesions that the collection marks, in pixels of the file that was drafted."""
        return [box for box, _ in film_in_proportion(self.film)[1]]

    @cached_property
    def is_hit(self) -> bool:
        """Whether the middle of the most probable finding's box is in a lesion's box."""
        if self.draft is None or not self.draft.boxes:
            return False
        findings = self.draft.report.findings
        best = max(self.draft.boxes, key=lambda b: findings[b.finding - 1].probability or 0.0)
        return is_in(best, self.boxes)


@dataclass(frozen=True)
class Figure:
    """What is measured: `value` of the views that it is `of`, a docstring as what the card says of it.

    `drafted`: a view without a draft is not scored. A `share` lies between 0 and 1.
    """

    value: Callable[[Sequence[FilmDraft]], float]
    of: Callable[[FilmDraft], bool]
    drafted: bool = False
    share: bool = True

    @property
    def name(self) -> str:
        """That of its function."""
        return self.value.__name__

    def views(self, drafts: Sequence[FilmDraft]) -> list[FilmDraft]:
        """The views that it is of."""
        return [draft for draft in drafts if self.of(draft)]

    def scored(self, draft: FilmDraft) -> bool:
        """Whether a view that it is of counts."""
        return draft.draft is not None or not self.drafted


def held_out_films(folder: Path, model: Path) -> list[ListedFilm]:
    """The views of the patients that the model of a folder was not trained on."""
    held_out = held_out_fold(model)
    return [film for film in usable_films(folder) if film.fold == held_out]


def draft_films(films: Sequence[ListedFilm], engine: Engine) -> Iterator[FilmDraft]:
    """Every view drafted as a study of its own."""
    with TemporaryDirectory() as folder:
        for number, film in enumerate(films):
            yield FilmDraft(film, draft_alone(_study(film, Path(folder) / str(number)), engine))


def draft_alone(study: Study, engine: Engine) -> Draft | None:
    """The draft of one study; None where it is refused."""
    (outcome,) = draft_studies([study], engine, DraftOptions())
    return outcome.draft if isinstance(outcome, Drafted) else None


def is_in(found: ImageBox, places: Sequence[Box]) -> bool:
    """Whether the middle of a drafted box is in one of some places, in pixels of the same image."""
    x, y = (found.box.left + found.box.right) / 2, (found.box.top + found.box.bottom) / 2
    return any(left <= x <= right and top <= y <= bottom for left, top, right, bottom in places)


def _study(film: ListedFilm, folder: Path) -> Study:
    """The view as a file, in its true proportions."""
    folder.mkdir()
    film_in_proportion(film)[0].save(folder / f"{SIDES[film.record['laterality']]}_{film.record['view']}.png")
    (study,) = read_studies(folder).studies
    return study


def mass_named(views: Sequence[FilmDraft]) -> float:
    """Of views with a mass: share of those whose draft names one."""
    return _mean([_names(v, MASSES) for v in views])


def surest_finding_inside(views: Sequence[FilmDraft]) -> float:
    """Of views with marked lesions: share of those whose most probable finding has its box's middle in a lesion."""
    return _mean([v.is_hit for v in views])


def findings_on_normal(views: Sequence[FilmDraft]) -> float:
    """Findings a normal view."""
    return _mean([0.0 if v.draft is None else len(v.draft.report.findings) for v in views])


def density_accuracy(views: Sequence[FilmDraft]) -> float:
    """Of views with a density: share of those whose draft has the same."""
    return _mean([_density(v) == int(v.film.record["density"]) for v in views])


def density_rank_correlation(views: Sequence[FilmDraft]) -> float:
    """Spearman's, of the densities drafted and listed."""
    known = [(_density(v), int(v.film.record["density"])) for v in views]
    pairs = np.array([(found, truth) for found, truth in known if found is not None])
    return float(spearmanr(pairs[:, 0], pairs[:, 1])[0]) if len(pairs) > 1 else float("nan")


def abnormal_auroc(views: Sequence[FilmDraft]) -> float:
    """Of the suspicion: views that are not normal against normal ones."""
    return _auroc(views, lambda found: "normal" not in found)


def malignant_auroc(views: Sequence[FilmDraft]) -> float:
    """Of the suspicion: malignant against benign."""
    return _auroc(views, lambda found: "malignant" in found)


def refused_share(views: Sequence[FilmDraft]) -> float:
    """Views that got no draft."""
    return _mean([v.draft is None for v in views])


def _has_mass(view: FilmDraft) -> bool:
    """By the table, or the words of a digital view."""
    record = view.film.record
    listed = any(x["kind"] == "mass" and "ASYMM" not in str(x.get("shape")) for x in record.get("lesions", []))
    return listed or "mass" in str(record.get("tags", ""))


def _has_marks(view: FilmDraft) -> bool:
    return bool(view.boxes)


def _has_density(view: FilmDraft) -> bool:
    return bool(view.film.record.get("density"))


def _is_malignant_or_benign(view: FilmDraft) -> bool:
    """Not a benign lesion beside a normal outcome, say, nor a view of unknown pathology."""
    return "malignant" in view.pathologies or view.pathologies == {"benign"}


FIGURES: dict[str, tuple[Figure, ...]] = {
    "film": (
        Figure(mass_named, _has_mass),
        Figure(surest_finding_inside, _has_marks),
        Figure(malignant_auroc, _is_malignant_or_benign, drafted=True, share=False),
        Figure(density_accuracy, _has_density),
        Figure(density_rank_correlation, _has_density, drafted=True, share=False),
    ),
    "digital": (
        Figure(surest_finding_inside, _has_marks),
        Figure(abnormal_auroc, lambda view: bool(view.pathologies), drafted=True, share=False),
        Figure(findings_on_normal, lambda view: "normal" in view.pathologies, share=False),
    ),
    "all": (Figure(refused_share, lambda view: True),),
}
"""By what the views are: CBIS-DDSM's films, CDD-CESM's digital views, both."""


def film_metrics(drafts: Sequence[FilmDraft]) -> Iterator[CardMetric]:
    """Every figure with its 95 % interval, patients drawn with replacement."""
    parts = {
        "film": [d for d in drafts if d.film.source == "cbis"],
        "digital": [d for d in drafts if d.film.source != "cbis"],
        "all": list(drafts),
    }
    names = {"film": "films of CBIS-DDSM", "digital": "digital views of CDD-CESM", "all": "views of both"}
    for part, figures in FIGURES.items():
        for figure in figures:
            views = figure.views(parts[part])
            value = figure.value(views)
            between = interval_of(figure, views)
            n = sum(map(figure.scored, views))
            yield CardMetric(
                name=f"{part}_{figure.name}",
                images="real mammograms, one view a study",
                value=None if np.isnan(value) else value,
                low=None if between is None else between.low,
                high=None if between is None else between.high,
                method=None if between is None else between.method.value,
                n=n,
                unscored=len(views) - n,
                about=" ".join((figure.value.__doc__ or "").split()),
                on=f"{len(views)} of {len(parts[part])} {names[part]}, of patients that were not trained on; "
                "their views chose the thresholds",
            )


def interval_of(figure: Figure, views: Sequence[FilmDraft]) -> Interval | None:
    """A figure's 95 % interval over patients: exact where all draws of a share are alike; None where there is none."""
    return interval_over_patients(figure.value, views, share=figure.share)


def interval_over_patients(
    value: Callable[[Sequence[OfPatient]], float], items: Sequence[OfPatient], share: bool = True
) -> Interval | None:
    """The 95 % interval of a value of some items, by draws of patients, as `interval_of`."""
    by_patient: dict[str, list[OfPatient]] = {}
    for item in items:
        by_patient.setdefault(item.patient, []).append(item)
    groups = list(by_patient.values())
    if not groups:
        return None
    rng = np.random.default_rng(0)
    draws = [[v for i in rng.integers(0, len(groups), len(groups)) for v in groups[i]] for _ in range(DRAWS)]
    between = interval(np.array([value(drawn) for drawn in draws]), len(groups))
    if between is None or has_spread(between):
        return between
    return exact_interval(value(items), len(groups), SHARE) if share else None


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if values else float("nan")


def _auroc(views: Sequence[FilmDraft], positive: Callable[[set[str]], bool]) -> float:
    """Of the suspicion, positive views against the others; one without a draft has none."""
    known = [(positive(v.pathologies), v.draft.suspicion) for v in views if v.draft is not None]
    scored = [(is_positive, suspicion) for is_positive, suspicion in known if suspicion is not None]
    return auroc([s for is_positive, s in scored if is_positive], [s for is_positive, s in scored if not is_positive])


def _names(view: FilmDraft, kinds: frozenset[Kind]) -> bool:
    return view.draft is not None and any(f.kind in kinds for f in view.draft.report.findings)


def _density(view: FilmDraft) -> int | None:
    composition = None if view.draft is None else view.draft.report.composition
    return None if composition is None else list(Composition).index(composition) + 1


def main(arguments: Sequence[str] | None = None) -> None:
    """Draft the views of held-out patients and print a line a figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("films", type=Path, help="folder with films.jsonl")
    parser.add_argument("--model", help="folder of a checkpoint; default: the embedded one")
    parser.add_argument("--out", type=Path, help="write a line of JSON a view to this file too")
    parser.add_argument("--card", action="store_true", help="add the figures to the model's card")
    given = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", stream=sys.stderr)
    loaded = load_model(given.model)
    assert loaded.folder is not None  # a local checkpoint
    films = held_out_films(given.films, loaded.folder)
    drafts = []
    for draft in draft_films(films, load_engine(given.model)):
        drafts.append(draft)
        if len(drafts) % 50 == 0:
            log.info("drafted %d of %d views", len(drafts), len(films))
    if given.out is not None:
        given.out.write_text("".join(_line(draft) for draft in drafts), encoding="utf-8")
    metrics = list(film_metrics(drafts))
    if given.card:
        _add_to_card(loaded, metrics)
    for m in metrics:
        numbers = " ".join("none" if x is None else f"{x:.4f}" for x in (m.value, m.low, m.high))
        sys.stdout.write(f"figure {m.name} {numbers} n {m.n}  # {m.on}\n")


def _add_to_card(loaded: LoadedModel, metrics: Sequence[CardMetric]) -> None:
    """Exchange the card's figures of these names for those measured."""
    assert loaded.folder is not None  # a local checkpoint
    card = model_card(loaded.folder)
    others = [m for m in card.metrics if m.name not in {metric.name for metric in metrics}]
    card = card.model_copy(update={"metrics": (*others, *metrics)})
    write_text(loaded.folder / FILE_NAME, [card.model_dump_json(indent=2)])


def _line(view: FilmDraft) -> str:
    draft = None if view.draft is None else view.draft.model_dump(mode="json")
    return json.dumps({"film": view.film.record, "draft": draft}) + "\n"


if __name__ == "__main__":
    main()
