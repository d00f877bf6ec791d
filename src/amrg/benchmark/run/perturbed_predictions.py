"""The same cases drafted again on blanked, shuffled and mirrored images."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from itertools import tee
from pathlib import Path

from amrg.benchmark.layout import Perturbation, perturbed_path
from amrg.benchmark.prediction_log import read_finished, resume_predictions, write_predictions
from amrg.benchmark.run.perturbed_images import blank, mirror
from amrg.benchmark.run.predict import Drafter, failed_prediction
from amrg.benchmark.run.run_config import RunCases
from amrg.benchmark.sampling import shuffle
from amrg.benchmark.studies import OpenStudy
from amrg.birads import Laterality, View
from amrg.core.progress import Progress, with_progress
from amrg.datasets.case import Case
from amrg.generation import Outcome
from amrg.imaging import ImagingError, Study
from amrg.metrics.clinical.laterality import unmirror
from amrg.metrics.prediction import Prediction

_Geometry = tuple[tuple[Laterality, View, int, int], ...]
_Label = tuple[Perturbation, str]
_Passed = Prediction | _Geometry
_DRAFTED = (Perturbation.BLANKED, Perturbation.MIRRORED)


def predict_perturbed(
    folder: Path, cases: RunCases, drafter: Drafter, predictions: Sequence[Prediction], progress: Progress
) -> None:
    """Write predictions on blanked, mirrored and shuffled images of some cases of a run.

    `predictions` are those of all cases on the unchanged images: a draft on shuffled images is one of them.

    Raises:
        BenchmarkError: the folder holds predictions of other cases.
    """
    if not cases.perturbed:
        return
    drafted = _predict_blanked_and_mirrored(folder, cases, drafter)
    for _ in with_progress("drafting on perturbed images", drafted, len(cases.perturbed), progress):
        pass
    partner = derangement(cases.references.cases, cases.seed)
    write_predictions(
        perturbed_path(folder, Perturbation.SHUFFLED), predict_shuffled(cases.perturbed, partner, predictions)
    )


@dataclass(frozen=True)
class _PerturbedDrafter:
    """Drafts cases on perturbed images. Blank images of one geometry are all the same, and drafted only once.

    `missing` are the keys of cases that have no prediction yet, by perturbation.
    """

    drafter: Drafter
    open_case: OpenStudy
    missing: Mapping[Perturbation, Set[str]]

    def predict(self, cases: Iterable[Case]) -> Iterator[tuple[Perturbation, Prediction]]:
        """The missing predictions, those of one case after those of another, so that its images are decoded once.

        Boxes on mirrored images are in pixels of the unchanged images.
        """
        blank_drafts: dict[_Geometry, Prediction] = {}
        outcomes: Iterator[tuple[_Label, Outcome | _Passed]] = self.drafter.draft_among(self._perturbed(cases))
        for (how, key), found in outcomes:
            if isinstance(found, Prediction):
                yield how, found
            elif isinstance(found, tuple):
                yield how, blank_drafts[found].model_copy(update={"key": key})
            elif how is Perturbation.BLANKED:
                blank_drafts[_geometry(found.study)] = prediction = self.drafter.to_prediction(key, found)
                yield how, prediction
            else:
                yield how, _mirrored_back(self.drafter.to_prediction(key, found), found.study)

    def _perturbed(self, cases: Iterable[Case]) -> Iterator[tuple[_Label, Study | _Passed]]:
        """Studies to draft; the geometry of one that is drafted already, or why there is none."""
        blanks: set[_Geometry] = set()
        for case in cases:
            for how in (how for how in _DRAFTED if case.key in self.missing[how]):
                try:
                    study = self.open_case(case)
                except ImagingError as error:
                    yield (how, case.key), failed_prediction(case.key, str(error))
                    continue
                geometry = _geometry(study)
                if how is Perturbation.MIRRORED:
                    yield (how, case.key), mirror(study)
                elif geometry in blanks:
                    yield (how, case.key), geometry
                else:
                    blanks.add(geometry)
                    yield (how, case.key), blank(study)


def _geometry(study: Study) -> _Geometry:
    return tuple((m.laterality, m.view, m.rows, m.columns) for m in study.mammograms)


def _mirrored_back(prediction: Prediction, mirrored: Study) -> Prediction:
    """A prediction with its boxes in pixels of the images before they were mirrored."""
    widths = {(m.laterality, m.view): m.columns for m in mirrored.mammograms}
    return prediction.model_copy(update={"report": prediction.report and unmirror(prediction.report, widths)})


def _predict_blanked_and_mirrored(folder: Path, cases: RunCases, drafter: Drafter) -> Iterator[object]:
    """Both drafts of every perturbed case, written as they are made; an item a case."""
    by_key = {case.key: case for case in cases.perturbed}
    paths = {how: perturbed_path(folder, how) for how in _DRAFTED}
    for path in paths.values():
        path.parent.mkdir(parents=True, exist_ok=True)
    missing = {how: set(by_key) - {p.key for p in read_finished(path, list(by_key))} for how, path in paths.items()}
    made = _PerturbedDrafter(drafter, cases.open_case, missing).predict(cases.perturbed)

    def drafts(how: Perturbation, made: Iterator[tuple[Perturbation, Prediction]]) -> Iterator[Prediction]:
        def predict(keys: Sequence[str]) -> Iterator[Prediction]:
            return (prediction for found, prediction in made if found is how)

        return resume_predictions(paths[how], list(by_key), predict, drafter.written)

    return zip(*map(drafts, _DRAFTED, tee(made)), strict=True)


def predict_shuffled(
    cases: Sequence[Case], partner: Mapping[str, str], predictions: Sequence[Prediction]
) -> list[Prediction]:
    """The model's text where each case has the images of its partner; cases without a partner are skipped.

    That is the partner's own draft, since an engine gets images and the names of their views and nothing else; so no
    image is read again. `predictions` are those on the unchanged images, of partners too.
    """
    by_key = {p.key: p for p in predictions}
    return [_prediction_of(case.key, partner[case.key], by_key) for case in cases if case.key in partner]


def _prediction_of(key: str, other: str, predictions: Mapping[str, Prediction]) -> Prediction:
    """One case's prediction on the images of another."""
    if predictions[other].text is None:
        return failed_prediction(key, f"its images are those of case {other}, which failed")
    return predictions[other].model_copy(update={"key": key})


def derangement(cases: Sequence[Case], seed: int) -> dict[str, str]:
    """For each case another of a different group with images of the same views, as the data set's table names them.

    Seeded; no case is the partner of two. Cases without a partner have no entry, nor those of whose images the table
    does not name side and view: another woman's may be of the other breast.
    """
    same_views: dict[tuple[str, ...], list[Case]] = defaultdict(list)
    for case in cases:
        if all(image.laterality and image.view for image in case.images):
            same_views[tuple(sorted(f"{i.laterality}{i.view}" for i in case.images))].append(case)
    partners: dict[str, str] = {}
    for members in same_views.values():
        partners |= _rotated(members, seed)
    return partners


def _rotated(cases: Sequence[Case], seed: int) -> dict[str, str]:
    """Cases in a row, group after group; the partner of each is further on by the size of the largest group."""
    groups: dict[str, list[Case]] = defaultdict(list)
    for case in shuffle(cases, f"shuffled {seed}"):
        groups[case.group].append(case)
    row = [case for members in groups.values() for case in members]
    shift = max(map(len, groups.values()))
    pairs = zip(row, row[shift:] + row[:shift], strict=True)
    return {case.key: other.key for case, other in pairs if case.group != other.group}
