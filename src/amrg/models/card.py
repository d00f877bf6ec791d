"""Model cards: what a checkpoint is, how it was trained, what it measured, with n and intervals."""

from __future__ import annotations

from pathlib import Path

from amrg.birads.report import Value

FILE_NAME = "card.json"
EMBEDDED = Path(__file__).parent / "checkpoint"


class Figure(Value):
    """One measured figure: a mean over `n` with its 95 % interval, and what it was measured on."""

    name: str
    value: float
    n: int
    low: float
    high: float
    on: str


class ModelCard(Value):
    """What a reader must know of a model before using it."""

    name: str
    summary: str
    intended_use: str
    limits: tuple[str, ...]
    parameters: int
    weights_sha256: str
    licence: str
    training: dict[str, str | int | float]
    figures: tuple[Figure, ...]


class KnownModel(Value):
    """A model that `--model` takes."""

    name: str
    what: str
    available: bool


def model_card(folder: Path | None = None) -> ModelCard:
    """The card stored beside a checkpoint (None: the embedded model's).

    Raises:
        FileNotFoundError: the checkpoint has no card.
    """
    path = (folder or EMBEDDED) / FILE_NAME
    if not path.is_file():
        raise FileNotFoundError(f"no {FILE_NAME} beside the model in {path.parent.name}: it was never measured")
    return ModelCard.model_validate_json(path.read_text(encoding="utf-8"))


def list_models() -> tuple[KnownModel, ...]:
    """The embedded model and the hub's models that go through the same code."""
    return (
        KnownModel(
            name="amrg-embedded",
            what="ships with amrg; trained on drawn phantoms, refuses real mammograms; the default",
            available=(EMBEDDED / "config.json").is_file(),
        ),
        KnownModel(
            name="google/medgemma-4b-it",
            what="MedGemma 4B (gated on the hub: accept its terms first); untuned for mammography",
            available=False,
        ),
        KnownModel(
            name="google/medgemma-1.5-4b-it",
            what="MedGemma 1.5 4B (gated on the hub: accept its terms first); untuned for mammography",
            available=False,
        ),
        KnownModel(name="FOLDER", what="any local checkpoint of the Gemma 3 class", available=False),
    )
