"""What a model is known to answer: drawn images, its odds of every token there, its base's, and the prompt's length.

`amrg export` leaves them beside weights, `amrg model known-answers` in a folder of their own, so that whoever serves a
model can be asked for proof without loading it: that an answer is the model's and not its base's, that no image is
dropped or swapped, that the prompt is the one that the model was trained on. Loads no model library.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydantic import ValidationError

from amrg.birads import Laterality, View
from amrg.core.files import write_text
from amrg.core.hashing import sha256_of_chunks
from amrg.core.values import Value, first_complaint
from amrg.models.errors import ModelError
from amrg.models.settings import ModelSettings, view_name

FILE_NAME = "known-answers.json"
LIKELIEST = 10
"""How many of the likeliest tokens are kept a position."""

SIDES = (Laterality.RIGHT, Laterality.LEFT)
Views = tuple[tuple[Laterality, View], ...]
Odds = Mapping[str, float]
"""Probabilities of the likeliest tokens, by their text; tokens of one text are added up."""

PROBES: tuple[Views, ...] = (
    tuple((side, view) for view in (View.CC, View.MLO) for side in SIDES),
    ((Laterality.LEFT, View.MLO),),
)


def drawn_images(views: Sequence[tuple[Laterality, View]], size: int) -> list[npt.NDArray[np.uint8]]:
    """A breast-like half disc with grain and a bright spot a view, uint8 [size, size, 3]; always the same."""
    rng = np.random.default_rng(20_250_813)
    rows, columns = np.mgrid[0:size, 0:size] / size
    disc = np.clip(1.2 - np.hypot(rows - 0.5, columns) * 2, 0, 1)
    drawn = []
    for _ in views:
        y, x = rng.uniform((0.3, 0.1), (0.7, 0.4))
        spot = np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / 0.002)
        grey = 255 * np.clip(disc * rng.uniform(0.4, 0.8, disc.shape) + 0.5 * spot, 0, 1)
        drawn.append(np.repeat(grey.astype(np.uint8)[:, :, None], 3, axis=2))
    return drawn


def image_hash(size: int) -> str:
    """SHA-256 of the drawn images of all probes: another NumPy may draw others."""
    return sha256_of_chunks(image.tobytes() for views in PROBES for image in drawn_images(views, size))


class Position(Value):
    """A token of a known answer: what the model writes, its odds there, those of its base, those on swapped images.

    All are of the same text before it. `base` is empty where the model has none, `swapped` where there is one image.
    """

    token: str
    model: dict[str, float]
    base: dict[str, float]
    swapped: dict[str, float]


class KnownAnswer(Value):
    """The greedy answer to one study of drawn images.

    `prompt_ids` are the prompt's token ids with every run of image tokens as one; `prompt_tokens` counts them all.
    `text` and `base_text` (None: no base) end where the answer ends, or after as many tokens as there are positions.
    """

    views: Views
    prompt_tokens: int
    prompt_ids: tuple[int, ...]
    text: str
    base_text: str | None
    positions: tuple[Position, ...]


class PromptLength(Value):
    """Tokens of a study's prompt: so many for each view with its image, and so many for all the rest."""

    rest: int
    views: dict[str, int]

    def of(self, views: Sequence[tuple[Laterality, View]]) -> int | None:
        """Tokens of the prompt of a study with these views; None where one of them was not measured."""
        each = [self.views.get(view_name(*view)) for view in views]
        return None if None in each else self.rest + sum(tokens for tokens in each if tokens is not None)


class KnownAnswers(Value):
    """All that is needed to ask for a model elsewhere, and to know it by its answers.

    `name` is the one to serve it under: it follows from its weights, so that it is never another's. `begin` is the id
    of the token that a text begins with, None where the vocabulary has none; `image` the id of an image token.
    `source` is the folder or hub name of the weights, where they are not beside this file.
    """

    name: str
    weights: str
    base: str | None
    settings: ModelSettings
    images: str
    begin: int | None
    image: int
    length: PromptLength | None
    answers: tuple[KnownAnswer, ...]
    source: str | None = None

    @property
    def commit(self) -> str | None:
        """The hub's commit of the weights; None where they are in a folder, which `source` names by its whole path."""
        return None if self.source is None or Path(self.source).is_absolute() else self.weights

    def save(self, folder: Path) -> None:
        """Write the file into a folder, beside a model's weights or without any."""
        write_text(folder / FILE_NAME, [self.model_dump_json(indent=1)])


def read_known_answers(folder: Path) -> KnownAnswers:
    """The known answers beside an export.

    Raises:
        ModelError: there are none, they are damaged, or their images cannot be drawn here.
    """
    file = folder / FILE_NAME
    if not file.is_file():
        raise ModelError(
            f"model {folder}: no {FILE_NAME} there, by which a server's answers are known to be this model's; name the "
            "folder that `amrg export` wrote (exports of earlier versions have none: export again), or of a model as "
            "published, one that `amrg model known-answers MODEL --out FOLDER` wrote"
        )
    try:
        found = KnownAnswers.model_validate_json(file.read_bytes())
    except ValidationError as error:
        raise ModelError(
            f"model {folder.name}: {FILE_NAME} is damaged ({first_complaint(error)}); copy it again, or export again"
        ) from error
    if found.images != image_hash(found.settings.encoding.size):
        raise ModelError(
            f"model {folder.name}: the images of {FILE_NAME} are drawn differently by NumPy {np.__version__}; "
            "export again with the NumPy installed here"
        )
    return found


def served_name(weights: str) -> str:
    """The name that weights are served under: `amrg-` and twelve digits of their hash. No other weights have it."""
    return f"amrg-{weights[:12]}"


@dataclass(frozen=True)
class ServedAnswer:
    """What a server answered to a known study: text, tokens, and the odds of each; no odds where it has none."""

    text: str
    tokens: tuple[str, ...]
    odds: tuple[Odds, ...]


@dataclass(frozen=True)
class Distance:
    """How far a served answer is from what is known, 0 to 1: from the model, its base, and the model on swapped images.

    The mean total variation of the odds, over the tokens up to the first that the model does not write. None where
    there is nothing to compare with.
    """

    model: float
    base: float | None
    swapped: float | None
    swapped_from_model: float


def distance(known: KnownAnswer, served: ServedAnswer) -> Distance:
    """How far a served answer with odds is from a known one."""
    shared = comparable_tokens([position.token for position in known.positions], served.tokens)
    pairs = list(zip(known.positions[:shared], served.odds, strict=False))
    if not pairs:
        return Distance(1.0, None, None, 0.0)
    to_base = [(p.base, odds) for p, odds in pairs if p.base]
    to_swapped = [(p.swapped, odds) for p, odds in pairs if p.swapped]
    return Distance(
        _mean([total_variation(p.model, odds) for p, odds in pairs]),
        _mean([total_variation(base, odds) for base, odds in to_base]) if to_base else None,
        _mean([total_variation(swapped, odds) for swapped, odds in to_swapped]) if to_swapped else None,
        _mean([total_variation(p.swapped, p.model) for p, _ in pairs if p.swapped]),
    )


def fold_images(ids: Sequence[int], image: int) -> tuple[int, ...]:
    """Token ids with every run of image tokens as one."""
    return tuple(token for i, token in enumerate(ids) if token != image or i == 0 or ids[i - 1] != image)


def comparable_tokens(one: Sequence[str], other: Sequence[str]) -> int:
    """How many tokens of two answers follow the same text: all up to the first that differs, and that one."""
    pairs = zip(one, other, strict=False)
    differing = (i for i, (a, b) in enumerate(pairs, 1) if _text(a) != _text(b))
    return next(differing, min(len(one), len(other)))


def total_variation(one: Odds, other: Odds) -> float:
    """Half the sum of differences of probabilities; a token that is not listed counts as impossible."""
    one, other = _by_text(one), _by_text(other)
    return sum(abs(one.get(token, 0.0) - other.get(token, 0.0)) for token in one.keys() | other.keys()) / 2


def _by_text(odds: Odds) -> dict[str, float]:
    found: dict[str, float] = {}
    for token, probability in odds.items():
        found[_text(token)] = found.get(_text(token), 0.0) + probability
    return found


def _text(token: str) -> str:
    """A token's text as any server writes it: bytes that are no character alone are omitted by some."""
    return token.replace("\N{REPLACEMENT CHARACTER}", "")


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0
