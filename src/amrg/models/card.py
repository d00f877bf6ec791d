"""Model cards: what a checkpoint is, how it was trained, what it measured, with n and intervals."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from huggingface_hub import try_to_load_from_cache
from pydantic import ValidationError

from amrg.core.values import Value, first_complaint
from amrg.datasets.training_set import TrainingSet
from amrg.models.catalog import KNOWN
from amrg.models.checkpoint import EMBEDDED
from amrg.models.errors import ModelError

FILE_NAME = "card.json"
TRAINED_ON = "trained-on.json"  # written by the training, for the card


class CardMetric(Value):
    """One metric of the benchmark, under the benchmark's name: value and 95 % interval, None where it has none.

    `method` is the interval's. `n` cases are scored, `unscored` cannot be. `images` says whether they were changed,
    `about` how the metric is defined, `on` which exams it was measured on.
    """

    name: str
    images: str
    value: float | None
    low: float | None
    high: float | None
    method: str | None = None
    n: int
    unscored: int
    about: str
    on: str


def value_with_interval(value: float, between: Sequence[float] | None) -> str:
    """A metric as a table has it, with its interval where there is one."""
    return f"{value:.3f}" + (" [{:.3f}, {:.3f}]".format(*between) if between else "")


class ModelCard(Value):
    """What a reader must know of a model before using it.

    `trained_on` names its data sets, with digests if known; `attribution` has the citation and licence of each, and of
    weights that it started from.
    """

    name: str
    summary: str
    intended_use: str
    limits: tuple[str, ...]
    parameters: int
    weights_sha256: str
    licence: str
    attribution: tuple[str, ...] = ()
    training: dict[str, str | int | float]
    trained_on: tuple[TrainingSet, ...] = ()
    metrics: tuple[CardMetric, ...]


class KnownModel(Value):
    """A model that `--model` takes: the embedded one, one of the hub's, or a folder.

    `available`: it is on this machine. `revision` is the hub commit that amrg takes; `gated`: its terms
    must be accepted on the hub first.
    """

    name: str
    what: str
    family: str
    licence: str
    revision: str | None
    gated: bool
    available: bool


def model_card(folder: Path | None = None) -> ModelCard:
    """The card stored with a checkpoint (None: the embedded model's).

    Raises:
        FileNotFoundError: there is no such folder, or the checkpoint has no card.
        ModelError: the file is damaged, or another program's.
    """
    path = (folder or EMBEDDED) / FILE_NAME
    if not path.parent.is_dir():
        raise FileNotFoundError(
            f"{path.parent}: no such folder; a card is stored with the weights of a model; amrg model list has the "
            "models of the hub, with their licences"
        )
    if not path.is_file():
        tuned = (path.parent / "adapter_config.json").is_file()
        step = "amrg export writes one for it" if tuned else "what it was measured at is in the scores.json of its runs"
        raise FileNotFoundError(f"no {FILE_NAME} in {path.parent.name}: its makers wrote none; {step}")
    try:
        return ModelCard.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise ModelError(
            f"{path}: not a card of amrg ({first_complaint(error)}); expected one that `amrg export` wrote: export "
            "again, or remove the file where another program wrote it"
        ) from error


def stored_card(folder: Path) -> ModelCard | None:
    """The card in a checkpoint's folder; None where there is none, or it is another program's."""
    try:
        return model_card(folder)
    except (FileNotFoundError, ModelError):
        return None


def list_models() -> tuple[KnownModel, ...]:
    """The embedded model and the hub's models that go through the same code."""
    embedded = KnownModel(
        name="amrg-embedded",
        what="ships with amrg; trained on real mammograms and drawn phantoms; the default",
        family="gemma3",
        licence="Apache 2.0",
        revision=None,
        gated=False,
        available=(EMBEDDED / "config.json").is_file(),
    )
    hub = [KnownModel(**k.model_dump(), available=_in_cache(k.name, k.revision)) for k in KNOWN]
    return (embedded, *hub)


def _in_cache(name: str, revision: str | None) -> bool:
    """Whether the hub's cache on this machine holds a checkpoint at a commit."""
    return isinstance(try_to_load_from_cache(name, "config.json", revision=revision), str)
