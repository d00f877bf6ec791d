"""The same cases drafted again on blanked, shuffled and mirrored pictures."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from amrg.benchmark.baselines.retrieval import OpenStudy
from amrg.benchmark.prediction_log import resume_predictions
from amrg.benchmark.run.perturbed_images import blank, mirror
from amrg.benchmark.run.predict import Drafter, failed_prediction
from amrg.benchmark.sampling import shuffle
from amrg.benchmark.scoring.image_dependence import Perturbation, predictions_path
from amrg.birads import Laterality, View
from amrg.datasets.case import Case
from amrg.imaging import ImagingError, Study
from amrg.metrics.clinical.laterality import unmirror
from amrg.metrics.prediction import Prediction

Geometry = tuple[tuple[Laterality, View, int, int], ...]


@dataclass(frozen=True)
class PerturbedDrafter:
    """Drafts cases with their pictures changed. Black pictures of one geometry are drafted once: they are all alike."""

    drafter: Drafter
    opened: OpenStudy
    black: dict[Geometry, Prediction]

    def blanked(self, case: Case) -> Prediction:
        """The draft on black pictures."""
        try:
            study = self.opened(case)
            geometry = tuple((m.laterality, m.view, m.rows, m.columns) for m in study.mammograms)
            if geometry not in self.black:
                self.black[geometry] = self.drafter.predict(case.key, blank(study))
        except ImagingError as error:
            return failed_prediction(case.key, str(error))
        return self.black[geometry].model_copy(update={"key": case.key})

    def mirrored(self, case: Case) -> Prediction:
        """The draft on mirrored pictures; its boxes are brought back to the pixels of the pictures as they are."""
        try:
            turned = mirror(self.opened(case))
            drafted = self.drafter.predict(case.key, turned)
        except ImagingError as error:
            return failed_prediction(case.key, str(error))
        report = drafted.report and unmirror(drafted.report, _widths(turned))
        return drafted.model_copy(update={"report": report})


def _widths(study: Study) -> dict[tuple[Laterality, View], int]:
    """Columns of each view."""
    return {(m.laterality, m.view): m.columns for m in study.mammograms}


def predict_perturbed(cases: Sequence[Case], changer: PerturbedDrafter, folder: Path) -> Iterator[int]:
    """Draft the cases of a run folder blanked and mirrored, case by case so that pictures are decoded once.

    Yields how many are done.

    Raises:
        BenchmarkError: the folder holds predictions of other cases.
    """
    predictions_path(folder, Perturbation.BLANKED).parent.mkdir(parents=True, exist_ok=True)
    by_key = {case.key: case for case in cases}

    def drafted(how: Perturbation, draft: Callable[[Case], Prediction]) -> Iterator[Prediction]:
        return resume_predictions(predictions_path(folder, how), list(by_key), lambda key: draft(by_key[key]))

    both = zip(
        drafted(Perturbation.BLANKED, changer.blanked), drafted(Perturbation.MIRRORED, changer.mirrored), strict=True
    )
    yield from (number for number, _ in enumerate(both, 1))


def predict_shuffled(
    cases: Sequence[Case], partner: Mapping[str, str], predictions: Sequence[Prediction]
) -> list[Prediction]:
    """What the model writes where each case is shown the pictures of its partner.

    That is the partner's own draft, for an engine is shown pictures and the names of their views and nothing else; so
    no picture is read again. `predictions` are those on the pictures as they are, of partners too.
    """
    drafts = {p.key: p for p in predictions}
    return [_shown(case.key, partner.get(case.key), drafts) for case in cases]


def _shown(key: str, other: str | None, drafts: Mapping[str, Prediction]) -> Prediction:
    """One case's prediction on the pictures of another."""
    if other is None:
        return failed_prediction(key, "no case of another group has pictures of the same views")
    if drafts[other].text is None:
        return failed_prediction(key, f"case {other}, whose pictures were to be shown, failed")
    return drafts[other].model_copy(update={"key": key})


def derangement(cases: Sequence[Case], seed: int) -> dict[str, str]:
    """For each case another of a different group with pictures of the same views, as the data set's table names them.

    A seeded derangement: nobody's pictures are shown twice. Cases without a partner are left out.
    """
    alike: dict[tuple[str, ...], list[Case]] = defaultdict(list)
    for case in cases:
        alike[tuple(sorted(f"{i.laterality}{i.view}" for i in case.images))].append(case)
    found: dict[str, str] = {}
    for members in alike.values():
        found |= _rotated(members, seed)
    return found


def _rotated(cases: Sequence[Case], seed: int) -> dict[str, str]:
    """Cases laid out group after group, each shown the one as many places on as the largest group is large."""
    groups: dict[str, list[Case]] = defaultdict(list)
    for case in shuffle(cases, f"shuffled {seed}"):
        groups[case.group].append(case)
    row = [case for members in groups.values() for case in members]
    shift = max(map(len, groups.values()))
    pairs = zip(row, row[shift:] + row[:shift], strict=True)
    return {case.key: other.key for case, other in pairs if case.group != other.group}
