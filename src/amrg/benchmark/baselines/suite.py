"""The baselines that a system is compared with: fitted on training cases, or cross-fitted where there are none."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from amrg.benchmark.baselines.text_baselines import (
    blind_baselines,
    oracle_baseline,
    oracle_rules,
    perfect_baseline,
)
from amrg.benchmark.layout import ABOUT, BASELINES
from amrg.benchmark.prediction_log import write_predictions
from amrg.benchmark.records import list_some, read_object
from amrg.benchmark.references import References, known_texts
from amrg.benchmark.submissions import Outputs, match_to_references, read_predictions
from amrg.core.files import write_text
from amrg.core.hashing import sha256_of_text
from amrg.datasets.case import Case
from amrg.metrics.errors import BenchmarkError
from amrg.metrics.prediction import Prediction
from amrg.metrics.scores import Role

ROLES = {
    "constant": Role.BLIND,
    "sampled": Role.BLIND,
    "prior": Role.BLIND,
    "retrieval": Role.RETRIEVAL,
    "oracle": Role.ORACLE,
    "perfect": Role.PERFECT,
}

FOLDS = 5

_ABOUT = {
    "constant": "one report for every case, that with the best mean ROUGE-L against the others",
    "sampled": "a report sampled for every case",
    "prior": "the best constant of those with the most frequent category and density",
    "oracle": "a report sampled among those of the same category and density",
}
_PERFECT = "the references themselves"


@dataclass(frozen=True)
class Baselines:
    """Baselines by name: one prediction a case in the order of the references, and how each was made."""

    predictions: Mapping[str, Sequence[Prediction]]
    about: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


def fit_baselines(references: References, seed: int = 0) -> Baselines:
    """All baselines that need no images: constant, sampled, prior, oracle, perfect.

    They are fitted on the training cases; a warning says where those of another data set share patients or texts with
    the references. Where there are none they are cross-fitted: groups of the references are
    dealt into `FOLDS` folds, and each fold's baselines are fitted on the other folds alone. No case's own reference is
    ever used for it, but other scored cases are, and a warning says so.
    """
    perfect = {"perfect": perfect_baseline(references.cases)}
    if references.training:
        fitted = _fitted(references.training, references.cases, seed)
        return Baselines({**fitted, **perfect}, _about(references), known_texts(references))
    if len(set(references.groups)) < 2:
        warning = "no training case, and one group only: there are no blind baselines, and so no skill"
        return Baselines(perfect, {"perfect": _PERFECT}, (warning,))
    cross_fitted = _cross_fitted(references.cases, seed)
    warning = (
        f"no training cases: blind baselines and oracle are cross-fitted on the references in {FOLDS} folds of whole "
        "groups; none is fitted on a case's own group, but they are on other cases that are scored"
    )
    return Baselines({**cross_fitted, **perfect}, _about(references), (warning,))


def _about(references: References) -> dict[str, str]:
    """How each baseline was made."""
    count = len(references.training)
    name = references.training_set or references.name
    of = f"from {count} train cases of {name}" if count else f"cross-fitted in {FOLDS} folds of whole groups"
    return {**{name: f"{how}; {of}" for name, how in _ABOUT.items()}, "perfect": _PERFECT}


def _fitted(training: Sequence[Case], cases: Sequence[Case], seed: int) -> dict[str, list[Prediction]]:
    """Blind baselines and oracle, fitted on some cases and predicting others."""
    blind = blind_baselines(training, [case.key for case in cases], seed)
    return {**blind, "oracle": oracle_baseline(training, cases, seed)}


def _cross_fitted(cases: Sequence[Case], seed: int) -> dict[str, list[Prediction]]:
    """Baselines of each fold, fitted on all others, put together in the order of the cases."""
    fold = _folds([case.group for case in cases], seed)
    written: dict[str, dict[str, Prediction]] = {}
    for number in set(fold):
        inside = [c for c, f in zip(cases, fold, strict=True) if f == number]
        outside = [c for c, f in zip(cases, fold, strict=True) if f != number]
        for name, predictions in _fitted(outside, inside, seed).items():
            written.setdefault(name, {}).update((p.key, p) for p in predictions)
    return {name: [by_key[case.key] for case in cases] for name, by_key in written.items()}


def _folds(groups: Sequence[str], seed: int) -> list[int]:
    """The fold of each case: groups in a seeded order, dealt out one by one."""
    order = sorted(set(groups), key=lambda group: sha256_of_text(f"fold {seed} {group}"))
    dealt = {group: number % FOLDS for number, group in enumerate(order)}
    return [dealt[group] for group in groups]


def with_retrieval(baselines: Baselines, references: References, retrieved: Sequence[Prediction] | None) -> Baselines:
    """The baselines of a model's run: the retrieval baseline's predictions too, and how the oracle sampled.

    Without training cases (`retrieved` is None) a warning says that retrieval is skipped.
    """
    if retrieved is None:
        warning = "retrieval is skipped: no training cases to retrieve from; name a data set with --train-data"
        return replace(baselines, warnings=(*baselines.warnings, warning))
    rules = ", ".join(f"{n} by {rule}" for rule, n in oracle_rules(references.training, references.cases).items())
    about = {
        **baselines.about,
        "retrieval": "the report of the case with the nearest images, framed, downsampled and compared without a "
        f"model; of {len(references.training)} training cases",
        "oracle": f"{baselines.about['oracle']}; sampled {rules}",
    }
    return replace(baselines, predictions={**baselines.predictions, "retrieval": retrieved}, about=about)


def save_baselines(folder: Path, baselines: Baselines) -> None:
    """Write baselines into a run folder, replacing any that exist."""
    place = folder / BASELINES
    place.mkdir(exist_ok=True)
    for name in ROLES:
        if name in baselines.predictions:
            write_predictions(place / f"{name}.jsonl", baselines.predictions[name])
        else:
            (place / f"{name}.jsonl").unlink(missing_ok=True)
    document = {"about": dict(sorted(baselines.about.items())), "warnings": baselines.warnings}
    write_text(place / ABOUT, [json.dumps(document, indent=2)])


def load_baselines(folder: Path, references: References) -> Baselines:
    """The baselines that a run folder holds, each over the references.

    Raises:
        BenchmarkError: a file is malformed, or of other cases.
    """
    files = {name: folder / BASELINES / f"{name}.jsonl" for name in ROLES}
    read = {name: Outputs(read_predictions(path).predictions) for name, path in files.items() if path.is_file()}
    for name, outputs in read.items():
        missing = {case.key for case in references.cases} - {p.key for p in outputs.predictions}
        if missing:
            raise BenchmarkError(
                f"{files[name]}: no prediction of {list_some(sorted(missing))}, which are among the references; score "
                "the run's predictions into another folder"
            )
    _refuse_other_references(files["perfect"], read.get("perfect"), references)
    about = folder / BASELINES / ABOUT
    document = read_object(about) if about.is_file() else {}
    return Baselines(
        {name: match_to_references(references, outputs).predictions for name, outputs in read.items()},
        document.get("about", {}),
        tuple(document.get("warnings", ())),
    )


def _refuse_other_references(path: Path, perfect: Outputs | None, references: References) -> None:
    """Refuse baselines of references that were changed since: what is perfect for them would not be for these."""
    stored = {} if perfect is None else {p.key: p for p in perfect.predictions}
    changed = [p.key for p in perfect_baseline(references.cases) if stored and stored[p.key] != p]
    if changed:
        raise BenchmarkError(
            f"{path}: {list_some(changed)} {'is' if len(changed) == 1 else 'are'} not as in the references, which were "
            "changed since; score the run's predictions into another folder"
        )
