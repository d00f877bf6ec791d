"""The same cases drafted again on blanked, shuffled and mirrored images."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from amrg.benchmark.layout import Perturbation, perturbed_path
from amrg.benchmark.prediction_log import resume_predictions, write_predictions
from amrg.benchmark.run.perturbed_images import blank, mirror
from amrg.benchmark.run.predict import Drafter, failed_prediction
from amrg.benchmark.run.run_config import RunCases
from amrg.benchmark.sampling import shuffle
from amrg.benchmark.studies import OpenStudy
from amrg.birads import Laterality, View
from amrg.core.progress import Progress, with_progress
from amrg.datasets.case import Case
from amrg.imaging import ImagingError, Study
from amrg.metrics.clinical.laterality import unmirror
from amrg.metrics.prediction import Prediction

Geometry = tuple[tuple[Laterality, View, int, int], ...]


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
    drafted = _predict_blanked_and_mirrored(folder, cases.perturbed, PerturbedDrafter(drafter, cases.open_case, {}))
    for _ in with_progress("drafting on perturbed images", drafted, len(cases.perturbed), progress):
        pass
    partner = derangement(cases.references.cases, cases.seed)
    write_predictions(
        perturbed_path(folder, Perturbation.SHUFFLED), predict_shuffled(cases.perturbed, partner, predictions)
    )


@dataclass(frozen=True)
class PerturbedDrafter:
    """Drafts cases on perturbed images. Blank images of one geometry are all the same, and drafted only once."""

    drafter: Drafter
    open_case: OpenStudy
    blank_drafts: dict[Geometry, Prediction]

    def blanked(self, case: Case) -> Prediction:
        """The draft on blank images."""
        try:
            study = self.open_case(case)
            geometry = tuple((m.laterality, m.view, m.rows, m.columns) for m in study.mammograms)
            if geometry not in self.blank_drafts:
                self.blank_drafts[geometry] = self.drafter.predict(case.key, blank(study))
        except ImagingError as error:
            return failed_prediction(case.key, str(error))
        return self.blank_drafts[geometry].model_copy(update={"key": case.key})

    def mirrored(self, case: Case) -> Prediction:
        """The draft on mirrored images; its boxes are in pixels of the unchanged images."""
        try:
            mirrored = mirror(self.open_case(case))
            prediction = self.drafter.predict(case.key, mirrored)
        except ImagingError as error:
            return failed_prediction(case.key, str(error))
        report = prediction.report and unmirror(prediction.report, _widths(mirrored))
        return prediction.model_copy(update={"report": report})


def _widths(study: Study) -> dict[tuple[Laterality, View], int]:
    """Columns of each view."""
    return {(m.laterality, m.view): m.columns for m in study.mammograms}


def _predict_blanked_and_mirrored(folder: Path, cases: Sequence[Case], drafter: PerturbedDrafter) -> Iterator[object]:
    """Both drafts of a case, then the next case, so that its images are decoded once; an item a case."""
    perturbed_path(folder, Perturbation.BLANKED).parent.mkdir(parents=True, exist_ok=True)
    by_key = {case.key: case for case in cases}

    def drafts(how: Perturbation, draft: Callable[[Case], Prediction]) -> Iterator[Prediction]:
        def predict(keys: Sequence[str]) -> Iterator[Prediction]:
            return (draft(by_key[key]) for key in keys)

        return resume_predictions(perturbed_path(folder, how), list(by_key), predict, drafter.drafter.written)

    return zip(
        drafts(Perturbation.BLANKED, drafter.blanked), drafts(Perturbation.MIRRORED, drafter.mirrored), strict=True
    )


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
