"""What a loaded model was trained on, as far as it is recorded with its weights or published by its makers."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from amrg.core.values import Value, first_complaint
from amrg.datasets.training_set import TrainingProvenance, TrainingSet
from amrg.models.adapters.files import RUN_FILE, TRAINING_FILE, read_training_file
from amrg.models.card import stored_card
from amrg.models.errors import ModelError
from amrg.models.load import LoadedModel


class PublishedTraining(Value):
    """The data sets that a model's makers name, the page that names them, and whether these are all."""

    names: tuple[str, ...]
    complete: bool
    source: str


_MEDGEMMA = (
    *("MIMIC-CXR", "SLAKE", "PAD-UFES-20", "SCIN", "TCGA", "CAMELYON", "PMC-OA", "Mendeley Digital Knee X-Ray"),
)
_MEDGEMMA_15 = (*_MEDGEMMA, "Chest ImaGenome", "MS-CXR-T", "ChestX-ray14", "VQA-RAD", "ISIC", "CT-RATE")

PUBLISHED: dict[str, PublishedTraining] = {
    "google/medgemma-4b-it": PublishedTraining(names=_MEDGEMMA, complete=False, source="its model card, Data card"),
    "google/medgemma-27b-it": PublishedTraining(
        names=(*_MEDGEMMA, "Chest ImaGenome"), complete=False, source="its model card, Data card"
    ),
    "google/medgemma-1.5-4b-it": PublishedTraining(
        names=_MEDGEMMA_15, complete=False, source="its model card, Data card"
    ),
}
"""By hub name. Image data sets that the model cards name; none of mammograms is among them, and each says that licensed
data sets without a name were used too. What the makers of the other models do not publish is not listed."""


def provenance_of(loaded: LoadedModel) -> TrainingProvenance:
    """The records with an adapter and with its base, and what the makers of a hub model name.

    Raises:
        ModelError: a record is damaged.
    """
    return provenance_at([f for f in (loaded.adapter, loaded.folder) if f is not None], loaded.hub_name)


def provenance_at(folders: Sequence[Path], hub: str | None = None) -> TrainingProvenance:
    """The same of a model by the folders of its files, and its hub name.

    Raises:
        ModelError: a record is damaged.
    """
    sets = [found for folder in folders for found in _recorded(folder)]
    hub_names = [*([hub] if hub else []), *(_base(folder) for folder in folders)]
    names = [name for name in dict.fromkeys(hub_names) if name and "/" in name and not Path(name).is_dir()]
    sets += [TrainingSet(name=name) for hub in names if hub in PUBLISHED for name in PUBLISHED[hub].names]
    return TrainingProvenance(sets=tuple(dict.fromkeys(sets)), unknown=tuple(_unknown(names)))


def _unknown(names: list[str]) -> Iterator[str]:
    for name in names:
        published = PUBLISHED.get(name)
        if published is None:
            yield f"{name}: its makers do not say which data sets it was trained on"
        elif not published.complete:
            yield f"{name}: {published.source}, names {len(published.names)} image data sets and says there are more"


def _recorded(folder: Path) -> Iterator[TrainingSet]:
    """What a run of `amrg train` recorded, of an unfinished one the data set's name; and what a card names: that of an
    export has the sets of its base too."""
    if (card := stored_card(folder)) is not None:
        yield from card.trained_on
    training = _run(folder)
    stored = training.get("trained_on")
    if stored is not None:
        try:
            yield TrainingSet.model_validate_json(json.dumps(stored))
        except ValidationError as error:
            raise ModelError(
                f"{folder.name}/{TRAINING_FILE}: `trained_on` is damaged ({first_complaint(error)}); copy it again"
            ) from error
    elif isinstance(training.get("data"), dict):
        data = training["data"]
        yield TrainingSet(
            name=str(data.get("name", "")), split=data.get("split"), dataset_hash=data.get("dataset_hash")
        )


def _base(folder: Path) -> str:
    """The base that a run was started from."""
    run = _run(folder)
    return str(run.get("base") or run.get("recipe", {}).get("base") or "")


def _run(folder: Path) -> dict[str, Any]:
    """The record of a finished run, else that of its start; empty where there is none."""
    return read_training_file(folder, TRAINING_FILE) or read_training_file(folder, RUN_FILE)
