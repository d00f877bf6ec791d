"""The systems that stand beside the one under test: made from training cases, or cross-fitted where there are none."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from amrg.benchmark.baselines.text_baselines import blind_baselines, oracle_baseline, perfect_baseline
from amrg.benchmark.prediction_log import write_predictions
from amrg.benchmark.references import References
from amrg.benchmark.submissions import Outputs, match_to_references, read_predictions
from amrg.core.files import write_text
from amrg.datasets.case import Case
from amrg.metrics.prediction import Prediction
from amrg.metrics.scores import Role

BASELINES, ABOUT = "baselines", "about.json"
"""Where a run folder holds the predictions of its baselines, and how each came about."""

ROLES = {
    "constant": Role.BLIND,
    "sampled": Role.BLIND,
    "prior": Role.BLIND,
    "retrieval": Role.RETRIEVAL,
    "oracle": Role.ORACLE,
    "perfect": Role.PERFECT,
}

FOLDS = 5

_HOW = {
    "constant": "one report for every case, that with the best mean ROUGE-L against the others",
    "sampled": "a report drawn anew for every case",
    "prior": "the best constant of those with the most frequent category and density",
    "oracle": "a report drawn among those of the same category and density",
}
_PERFECT = "the references themselves"


@dataclass(frozen=True)
class Baselines:
    """Baselines by name: one prediction a case in the order of the references, and how each came about."""

    predictions: Mapping[str, Sequence[Prediction]]
    about: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


def fit_baselines(references: References, seed: int = 0) -> Baselines:
    """All baselines that need no pictures: constant, sampled, prior, oracle, perfect.

    They learn from training cases. Where there are none they are cross-fitted: groups of the references are dealt into
    `FOLDS` folds, and each fold's baselines learn from the other folds alone. No case's own reference is ever learned
    from, but others of the same source are, so that this is no baseline made before the test; it is said.
    """
    perfect = {"perfect": perfect_baseline(references.cases)}
    if references.training:
        return Baselines({**_learned(references.training, references.cases, seed), **perfect}, _about(references))
    if len(set(references.groups)) < 2:
        warning = "no training case, and one group only: there are no blind baselines, and so no skill"
        return Baselines(perfect, {"perfect": _PERFECT}, (warning,))
    fitted = _cross_fitted(references.cases, seed)
    warning = (
        f"no training case to learn from: blind baselines and oracle are cross-fitted on the references in {FOLDS} "
        "folds of whole groups; a case's own group is never learned from, but others that are scored are"
    )
    return Baselines({**fitted, **perfect}, _about(references), (warning,))


def _about(references: References) -> dict[str, str]:
    """How each baseline came about."""
    count = len(references.training)
    of = f"from {count} train cases of {references.name}" if count else f"cross-fitted in {FOLDS} folds of whole groups"
    return {**{name: f"{how}; {of}" for name, how in _HOW.items()}, "perfect": _PERFECT}


def _learned(training: Sequence[Case], cases: Sequence[Case], seed: int) -> dict[str, list[Prediction]]:
    """Blind baselines and oracle that learn from some cases and write for others."""
    blind = blind_baselines(training, [case.key for case in cases], seed)
    return {**blind, "oracle": oracle_baseline(training, cases, seed)}


def _cross_fitted(cases: Sequence[Case], seed: int) -> dict[str, list[Prediction]]:
    """Baselines of each fold, learned from all others, put together in the order of the cases."""
    fold = _folds([case.group for case in cases], seed)
    written: dict[str, dict[str, Prediction]] = {}
    for number in set(fold):
        inside = [c for c, f in zip(cases, fold, strict=True) if f == number]
        outside = [c for c, f in zip(cases, fold, strict=True) if f != number]
        for name, predictions in _learned(outside, inside, seed).items():
            written.setdefault(name, {}).update((p.key, p) for p in predictions)
    return {name: [by_key[case.key] for case in cases] for name, by_key in written.items()}


def _folds(groups: Sequence[str], seed: int) -> list[int]:
    """The fold of each case: groups in an order drawn by seed, dealt out one by one."""
    order = sorted(set(groups), key=lambda group: hashlib.sha256(f"fold {seed} {group}".encode()).digest())
    dealt = {group: number % FOLDS for number, group in enumerate(order)}
    return [dealt[group] for group in groups]


def save_baselines(folder: Path, made: Baselines) -> None:
    """Write baselines into a run folder, in place of what was there."""
    place = folder / BASELINES
    place.mkdir(exist_ok=True)
    for name in ROLES:
        if name in made.predictions:
            write_predictions(place / f"{name}.jsonl", made.predictions[name])
        else:
            (place / f"{name}.jsonl").unlink(missing_ok=True)
    document = {"about": dict(sorted(made.about.items())), "left_out": {}, "warnings": made.warnings}
    write_text(place / ABOUT, [json.dumps(document, indent=2)])


def load_baselines(folder: Path, references: References) -> Baselines:
    """The baselines that a run folder holds, each over the references.

    Raises:
        BenchmarkError: a file is malformed, or of other cases.
    """
    files = {name: folder / BASELINES / f"{name}.jsonl" for name in ROLES}
    read = {name: Outputs(read_predictions(path).predictions) for name, path in files.items() if path.is_file()}
    about = folder / BASELINES / ABOUT
    document = json.loads(about.read_text(encoding="utf-8")) if about.is_file() else {}
    return Baselines(
        {name: match_to_references(references, outputs).predictions for name, outputs in read.items()},
        document.get("about", {}),
        tuple(document.get("warnings", ())),
    )
