"""Where a finding begins: every kind's threshold, chosen on views that the tower was not trained on.

The thresholds are folded into the heads' biases, so that a probability of one half is the operating point for every
reader of the tower: the language model, the marks, the removal of what is not supported.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from amrg.birads import Kind
from amrg.models.embedded.attributes import KINDS, PLACES
from amrg.models.embedded.candidates import CELL
from amrg.models.embedded.mammogram_tower import MammogramTower, MammogramTowerOutput
from amrg.training.tower.labelled_views import LabelledView, PlacedLesion
from amrg.training.tower.place_targets import LESION
from amrg.training.tower.reading import read_batches

SLACK = 4.0  # pixels that the middle of a cell may be outside of a box
LEAST = 5  # lesions of a kind, of which a threshold can be chosen
EARLIER = {Kind.MASS: 0.8, Kind.CALCIFICATIONS: 0.4}
"""Logits that a lesion on a held-out image has to be more certain for than one half before the language model names it:
it is trained on tokens of images that the tower knows (lab notes)."""
RECALL = 1.5  # how much a finding missed weighs against one invented: the beta of F


@dataclass(frozen=True)
class Scored:
    """Candidates of some views: logits float32 [n], whether each is a lesion's best, and the number of lesions."""

    logits: npt.NDArray[np.float32]
    found: npt.NDArray[np.bool_]
    lesions: int

    def threshold(self, beta: float = RECALL) -> float | None:
        """The logit at which F beta is greatest; None with fewer lesions than can be chosen by."""
        if self.lesions < LEAST:
            return None
        order = np.argsort(-self.logits)
        right = np.cumsum(self.found[order])
        named = np.arange(1, len(order) + 1)
        scores = (1 + beta**2) * right / (named + beta**2 * self.lesions)
        best = int(scores.argmax())
        low = self.logits[order[best + 1]] if best + 1 < len(order) else self.logits[order[best]] - 1
        return float(self.logits[order[best]] + low) / 2


def set_operating_points(tower: MammogramTower, views: Sequence[LabelledView], size: int) -> dict[str, float]:
    """Choose the threshold of every place on views and take it off its bias; returns the logits by name.

    A kind with too few lesions keeps its own one half.
    """
    outputs = list(read_candidates(tower, views, size))
    names = ["lesion", *(str(kind) for kind in KINDS)]
    places = [LESION, *(2 + i for i in range(len(KINDS)))]
    chosen: dict[str, float] = {}
    for name, place in zip(names, places, strict=True):
        threshold = score_place(outputs, views, place, size).threshold()
        if threshold is not None:
            chosen[name] = threshold
            _shift(tower, place, threshold)
    return chosen


def name_earlier(tower: MammogramTower) -> None:
    """Raise what the language model names too late, once it is trained."""
    for kind, earlier in EARLIER.items():
        _shift(tower, 2 + KINDS.index(kind), -earlier)


@torch.no_grad()
def _shift(tower: MammogramTower, place: int, threshold: float) -> None:
    """Lower a place's logits; the suspicion, which reads the surest of them, stays what it was."""
    places, suspicion = tower.heads.places, tower.heads.suspicion
    assert places.bias is not None
    places.bias[place] -= threshold
    suspicion.bias.add_(threshold * suspicion.weight[0, place - PLACES])


@torch.inference_mode()
def read_candidates(
    tower: MammogramTower, views: Sequence[LabelledView], size: int
) -> Iterator[tuple[npt.NDArray[np.float32], npt.NDArray[np.float64]]]:
    """Of every view: logits float32 [candidates, places], and the middles of their cells [candidates, 2] in pixels."""
    for out in read_batches(tower, views, size):
        yield from _candidates(out)


def _candidates(out: MammogramTowerOutput) -> Iterator[tuple[npt.NDArray[np.float32], npt.NDArray[np.float64]]]:
    maps, candidates, found = out.maps, out.candidates, out.found
    assert maps is not None
    assert maps.lesion is not None
    assert candidates is not None
    assert found is not None
    columns = maps.lesion.shape[2]
    for cells, logits in zip(candidates.cpu(), found.places.float().cpu(), strict=True):
        there = cells[cells >= 0]
        middle = torch.stack([there % columns, torch.div(there, columns, rounding_mode="floor")], 1) + 0.5
        yield logits[cells >= 0].numpy(), (middle * CELL).double().numpy()


def score_place(
    outputs: Sequence[tuple[npt.NDArray[np.float32], npt.NDArray[np.float64]]],
    views: Sequence[LabelledView],
    place: int,
    size: int,
) -> Scored:
    """The candidates of all views by one place's logit; those in a lesion that may or may not be one are skipped."""
    logits: list[float] = []
    found: list[bool] = []
    lesions = 0
    for (values, middles), view in zip(outputs, views, strict=True):
        if max(view.absence.values()) == 0:
            continue  # nobody marked what it shows
        scale = size / view.image.shape[0]
        known = [(lesion, _states(lesion, place)) for lesion in view.lesions]
        lesions += sum(state is True for _, state in known)
        taken: set[int] = set()
        for i in np.argsort(-values[:, place]):
            here = [n for n, (lesion, _) in enumerate(known) if _covers(lesion, middles[i] / scale)]
            states = [known[n][1] for n in here]
            if True in states:
                number = here[states.index(True)]
                if number not in taken:
                    taken.add(number)
                    logits.append(float(values[i, place]))
                    found.append(True)
            elif None not in states:
                logits.append(float(values[i, place]))
                found.append(False)
    return Scored(np.array(logits, np.float32), np.array(found, np.bool_), lesions)


def _states(lesion: PlacedLesion, place: int) -> bool | None:
    """Whether a lesion is of a place's kind; None where it may be."""
    assert place < PLACES
    if place == LESION:
        return True
    kind = KINDS[place - 2]
    return True if kind in lesion.kinds else None if kind in lesion.unsure else False


def _covers(lesion: PlacedLesion, point: npt.NDArray[np.float64]) -> bool:
    left, top, right, bottom = lesion.box
    x, y = point
    return bool(left - SLACK <= x <= right + SLACK and top - SLACK <= y <= bottom + SLACK)
