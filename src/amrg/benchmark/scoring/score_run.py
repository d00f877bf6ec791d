"""A run folder: filled from anyone's predictions, scored, and read back to be compared."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from amrg import __version__
from amrg.benchmark.baselines.suite import fit_baselines, load_baselines, save_baselines
from amrg.benchmark.layout import BASELINES, MANIFEST, PREDICTIONS, SCORES, TRAINED_ON, Perturbation, perturbed_path
from amrg.benchmark.prediction_log import write_predictions
from amrg.benchmark.records import read_object
from amrg.benchmark.references import References, save_references
from amrg.benchmark.scoring.overlap import load_provenance, save_provenance
from amrg.benchmark.scoring.read_run import read_manifest
from amrg.benchmark.scoring.scoring import ScoringOptions, score
from amrg.benchmark.submissions import Outputs, match_to_references, read_predictions
from amrg.core.files import write_text
from amrg.core.hashing import sha256_of_chunks
from amrg.datasets.training_set import TrainingProvenance
from amrg.metrics.errors import BenchmarkError
from amrg.metrics.scores import ScoredWith, Scores

MANIFEST_SCHEMA = 1


@dataclass(frozen=True)
class Submission:
    """Predictions of any system: their file or folder, matched to the references."""

    path: Path
    references: References
    outputs: Outputs


def load_submission(path: Path, references: References) -> Submission:
    """Read a system's outputs and match them to the references.

    Raises:
        BenchmarkError: they are malformed, or of other cases.
    """
    return Submission(path, references, match_to_references(references, read_predictions(path)))


def score_submission(submission: Submission, folder: Path, options: ScoringOptions) -> Scores:
    """Make a run folder of predictions that amrg did not make, with baselines, and score it.

    Where the predictions are in that folder already, the run is scored again, with its own baselines. Those of another
    run folder bring along what its model was trained on and its predictions on perturbed images.

    Raises:
        BenchmarkError: the folder contains a different run.
        OSError: the folder cannot be written.
    """
    if folder.resolve() == submission.path.resolve():
        stored = read_manifest(folder)
        scores = score_run(folder, submission.references, options, submission.outputs)
        if _is_of_predictions(stored):
            own = submission.references.run is not None and submission.references.run.resolve() == folder.resolve()
            retained = ("predictions", "data", "training") if own else ("predictions",)
            manifest = {**_manifest(submission, options), **{name: stored[name] for name in retained}}
            write_text(folder / MANIFEST, [json.dumps(manifest, indent=2)])
        return scores
    if options.provenance == TrainingProvenance() and submission.path.is_dir():
        options = replace(options, provenance=load_provenance(submission.path))
    manifest = _manifest(submission, options)
    _open_folder(folder)
    _copy_perturbed(submission, folder)
    write_predictions(folder / PREDICTIONS, submission.outputs.predictions)
    save_baselines(folder, fit_baselines(submission.references, options.seed))
    write_text(folder / MANIFEST, [json.dumps(manifest, indent=2)])
    return score_run(folder, submission.references, options, submission.outputs)


def score_run(folder: Path, references: References, options: ScoringOptions, outputs: Outputs | None = None) -> Scores:
    """Score a run folder that has its predictions and baselines; writes `scores.json` and the cases scored.

    `outputs` are its predictions if they are in memory; else they are read from the folder. What the model was trained
    on is stored with the run, and read from it where the options do not say.

    Raises:
        BenchmarkError: predictions or baselines are malformed, or of other cases.
        OSError: the folder cannot be written.
    """
    if options.provenance == TrainingProvenance():
        options = replace(options, provenance=load_provenance(folder))
    else:
        save_provenance(folder, options.provenance)
    outputs = outputs or match_to_references(references, read_predictions(folder))
    scores = score(references, outputs, load_baselines(folder, references), options, folder)
    save_references(references.cases, folder)
    write_scores(folder / SCORES, scores)
    return scores


def options_before(folder: Path, now: ScoredWith) -> list[str]:
    """The options that a folder was scored with and that are not given now, as the command line has them.

    Raises:
        BenchmarkError: the folder's scores are damaged.
    """
    path = folder / SCORES
    stored = read_object(path).get("scored_with") if path.is_file() else None
    before = {**now.model_dump(mode="json"), **(stored or {})}
    seed, values = before["seed"], before["radeval_values"]
    return [
        *([f"--seed {seed}"] if seed != now.seed else []),
        *(["--score-label-texts"] if before["label_texts"] and not now.label_texts else []),
        *(["--meteor-jar"] if before["meteor_jar"] and not now.meteor_jar else []),
        *(f"--radeval {name}" for name in before["radeval"] if name not in now.radeval),
        *([f"--radeval-values {values}"] if values and now.radeval_values is None else []),
    ]


def write_scores(path: Path, scores: Scores) -> None:
    """Write `scores.json`: indented, but one case a line, so that large runs remain readable."""
    document = json.dumps(scores.model_dump(mode="json", exclude={"cases"}), indent=1, ensure_ascii=False)
    cases = ",\n  ".join(case.model_dump_json() for case in scores.cases)
    write_text(path, [f'{document[:-2]},\n "cases": [\n  {cases}\n ]\n}}'])


def _open_folder(folder: Path) -> None:
    """Make the folder, or reuse one with the scores of earlier predictions; a model's run is refused.

    What is known of the earlier system does not hold for the next one, and is removed.
    """
    path = folder / MANIFEST
    if path.is_file() and not _is_of_predictions(read_manifest(folder)):
        raise BenchmarkError(f"{folder}: contains a run of `amrg benchmark run`; use another folder")
    if not path.is_file() and (folder / PREDICTIONS).exists():
        raise BenchmarkError(f"{folder}: found {PREDICTIONS} without {MANIFEST}; use an empty folder")
    (folder / BASELINES).mkdir(parents=True, exist_ok=True)
    for earlier in (folder / TRAINED_ON, *(perturbed_path(folder, how) for how in Perturbation)):
        earlier.unlink(missing_ok=True)


def _is_of_predictions(manifest: Mapping[str, Any]) -> bool:
    """Whether a manifest is of predictions that were scored, not of a model that was run."""
    return "predictions" in manifest


def _copy_perturbed(submission: Submission, folder: Path) -> None:
    """Take over a run folder's predictions on perturbed images, of the cases that are scored."""
    scored = {case.key for case in submission.references.cases}
    for how in Perturbation:
        source, copy = perturbed_path(submission.path, how), perturbed_path(folder, how)
        if source.is_file():
            copy.parent.mkdir(exist_ok=True)
            write_predictions(copy, [p for p in read_predictions(source).predictions if p.key in scored])


def system_name(path: Path) -> str:
    """What predictions are named after: a run folder's system, else their file or folder.

    Raises:
        BenchmarkError: the folder's manifest is damaged.
    """
    stored = read_manifest(path).get("system") if path.is_dir() else None
    return str(stored) if stored else path.name if path.is_dir() else path.stem


def _manifest(submission: Submission, options: ScoringOptions) -> dict[str, Any]:
    """All that decides the scores."""
    references = submission.references
    return {
        "schema_version": MANIFEST_SCHEMA,
        "system": options.system,
        "predictions": {"name": submission.path.name, "sha256": _hash_of(submission.path)},
        "data": {
            "name": references.name,
            "split": references.split,
            "part": references.part,
            "n": len(references.cases),
            "hash": references.hash,
            **{f"{what}_hash": value for what, value in references.hashes.items()},
        },
        "training": len(references.training),
        "seed": options.seed,
        "resamples": options.resamples,
        "extras": asdict(options.extras),
        **({} if options.radeval_values is None else {"radeval_values": _hash_of(options.radeval_values)}),
        "versions": {
            "amrg": __version__,
            **{name: version(name) for name in ("nltk", "numpy", "sacrebleu", "scipy")},
        },
    }


def _hash_of(path: Path) -> str:
    """SHA-256 of a file, of a run folder's predictions, or of a folder's text files in order."""
    stored = path / PREDICTIONS
    files = [stored] if stored.is_file() else sorted(path.glob("*.[tT][xX][tT]"))
    return sha256_of_chunks(file.read_bytes() for file in (files if path.is_dir() else [path]))
