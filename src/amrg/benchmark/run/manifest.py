"""`manifest.json`: all that decides what a run writes. A folder contains one run, identified by its manifest."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from amrg import __version__
from amrg.benchmark.layout import MANIFEST, PREDICTIONS
from amrg.benchmark.prediction_log import DIFFERENT_RUN
from amrg.benchmark.references import References
from amrg.benchmark.run.run_config import RunConfig, ScoreText
from amrg.core.files import write_text
from amrg.core.hashing import sha256_of_text
from amrg.core.values import Value, differing, flatten
from amrg.generation import Engine
from amrg.metrics.errors import BenchmarkError

SCHEMA = 2


class ModelUsed(Value):
    """The model: `weights` is the SHA-256 of its files, or the hub's commit where it comes from the hub."""

    name: str
    weights: str | None
    device: str
    dtype: str


class EvaluationData(Value):
    """A part of a split: `hash` is of the cases as scored, the others are of the data set's and the split's files."""

    name: str
    split: str | None
    part: str | None
    n: int
    hash: str
    dataset_hash: str
    split_hash: str


class TrainingUsed(Value):
    """The cases that baselines were fitted on."""

    n: int
    hash: str


class PromptUsed(Value):
    """How the model is prompted: its settings, the chat template's hash, which text is scored, and a hash of all.

    `decoding` is not in the hash: texts with drafted tokens are those without.
    """

    settings: dict[str, Any]
    chat_template: str | None
    score_text: ScoreText
    decoding: str
    hash: str


def versions() -> dict[str, str]:
    """Versions of all that a prediction depends on."""
    return {
        "amrg": __version__,
        "python": platform.python_version(),
        **{name: version(name) for name in ("numpy", "pillow", "pydicom", "scipy", "torch", "transformers")},
    }


UNCOMPARED: Mapping[str, Any] = {"command": True, "prompt": {"decoding": True}}
"""Fields in which the runs of one folder may differ."""


class Manifest(Value):
    """What was run. Two runs whose manifests differ in nothing but `UNCOMPARED` write the same predictions."""

    schema_version: int = SCHEMA
    command: str
    system: str
    model: ModelUsed
    data: EvaluationData
    training: TrainingUsed
    prompt: PromptUsed
    perturbed: int
    seed: int
    batch_size: int = 1
    versions: dict[str, str] = Field(default_factory=versions)


def manifest_of(config: RunConfig, engine: Engine, references: References) -> Manifest:
    """All that decides what a run writes."""
    training = replace(references, cases=references.training)
    return Manifest(
        command=config.command,
        system=engine.identity.name,
        model=describe_model(engine),
        data=EvaluationData(
            name=references.name,
            split=references.split,
            part=references.part,
            n=len(references.cases),
            hash=references.hash,
            dataset_hash=references.hashes["dataset"],
            split_hash=references.hashes["split"],
        ),
        training=TrainingUsed(n=len(training.cases), hash=training.hash),
        prompt=describe_prompt(engine, config.score_text),
        perturbed=min(config.perturbed, len(references.cases)),
        seed=config.seed,
        batch_size=engine.max_batch,
    )


def describe_model(engine: Engine) -> ModelUsed:
    """The model that an engine holds."""
    return ModelUsed(**engine.identity.model_dump(exclude={"chat_template"}))


def describe_prompt(engine: Engine, score_text: ScoreText) -> PromptUsed:
    """How an engine prompts its model, and which text is scored."""
    settings, pinned = engine.settings.model_dump(mode="json"), engine.identity.chat_template
    return PromptUsed(
        settings=settings,
        chat_template=pinned,
        score_text=score_text,
        decoding=engine.decoding,
        hash=sha256_of_text(json.dumps([settings, pinned, score_text], sort_keys=True)),
    )


def open_run_folder(folder: Path, manifest: Manifest) -> None:
    """Make the folder of a run, or check that it is this run's, to be resumed.

    Raises:
        BenchmarkError: it contains a different run; names the fields that differ.
    """
    path = folder / MANIFEST
    if path.is_file():
        _refuse_other(path, manifest)
        return
    if (folder / PREDICTIONS).exists():
        raise BenchmarkError(f"{folder}: found {PREDICTIONS} without {MANIFEST}; name an empty folder")
    folder.mkdir(parents=True, exist_ok=True)
    write_text(path, [manifest.model_dump_json(indent=2)])


def load_manifest(folder: Path) -> Manifest:
    """The manifest of a run folder.

    Raises:
        BenchmarkError: there is none, or it is of another schema.
    """
    path = folder / MANIFEST
    try:
        return Manifest.model_validate_json(path.read_bytes())
    except OSError as error:
        raise BenchmarkError(f"{path}: cannot be read ({error.strerror}); expected a run folder") from error
    except ValidationError as error:
        raise BenchmarkError(
            f"{path}: not of a run of `amrg benchmark run` (schema {SCHEMA}), but of scored predictions or of another "
            "version's run; name an empty folder"
        ) from error


def _refuse_other(path: Path, manifest: Manifest) -> None:
    """Refuse a folder whose manifest differs in anything that predictions depend on."""
    found, requested = (
        dict(flatten(m.model_dump(mode="json", exclude=UNCOMPARED))) for m in (load_manifest(path.parent), manifest)
    )
    if names := differing(found, requested):
        values = (f"{name} is {found.get(name)!r}, requested {requested.get(name)!r}" for name in names[:3])
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        raise BenchmarkError(f"{path}: {'; '.join(values)}{more}: {DIFFERENT_RUN}")
