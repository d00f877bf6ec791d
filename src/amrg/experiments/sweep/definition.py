"""`Sweep`: ranks by scalings by backbones by seeds, on one split, under one recipe; or a search around them.

What a sweep is, apart from how it is run (`amrg.experiments.sweep.worker`); docs/decisions/0010-sweep.md says why.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ValidationError, model_validator

from amrg.core.duplicates import duplicates
from amrg.core.hashing import sha256_of_text
from amrg.core.values import Value, flatten, found_and_expected
from amrg.models.checkpoint import NAME
from amrg.training.documents import RecipeError
from amrg.training.outputs.run_folder import MAY_DIFFER
from amrg.training.recipe import Lora, Recipe, Share

_ALPHA = re.compile(r"(?P<number>\d+(?:\.\d+)?)(?P<times>x?)")
_BASE = re.compile(r"[A-Za-z0-9._-]+")


_REPLACED = frozenset({"recipe.base"})  # every trial replaces it by its backbone


class SweepError(RecipeError):
    """A sweep that cannot be run as requested: names the option or file, found, expected, what to do."""


class SweepBase(Value):
    """A backbone of a sweep: what it is called, and the folder or hub name it is loaded from."""

    name: str = Field(pattern=f"^{_BASE.pattern}$")
    source: str

    @classmethod
    def parse(cls, text: str) -> SweepBase:
        """`NAME=FOLDER`, or a folder or hub name whose last part is the name; a folder is made absolute.

        Raises:
            SweepError: the name has other characters than letters, digits, `.`, `_` and `-`.
        """
        name, given, source = text.partition("=")
        base = (name, source) if given else (Path(text).name, text)
        if not base[1] or not _BASE.fullmatch(base[0]):
            raise SweepError(f"backbone {text!r}: expected a folder, a hub name, or NAME=FOLDER with a name of letters")
        folder = Path(base[1])
        return cls(name=base[0], source=str(folder.resolve()) if folder.is_dir() else base[1])


class Alpha(Value):
    """The scaling of an adapter: a number, or a multiple of the rank."""

    number: float = Field(gt=0)
    times_rank: bool = False

    def __lt__(self, other: Alpha) -> bool:
        """Numbers sort before multiples of the rank."""
        return (self.times_rank, self.number) < (other.times_rank, other.number)

    @classmethod
    def parse(cls, text: str) -> Alpha:
        """`16`, or `2x` for twice the rank.

        Raises:
            SweepError: it is neither.
        """
        match = _ALPHA.fullmatch(text.strip())
        if match is None or float(match["number"]) <= 0:
            raise SweepError(f"alpha {text!r}: expected a number such as 16, or a multiple of the rank such as 2x")
        return cls(number=float(match["number"]), times_rank=bool(match["times"]))

    def at(self, rank: int) -> int:
        """The scaling at a rank.

        Raises:
            SweepError: it is not a whole number there.
        """
        value = self.number * (rank if self.times_rank else 1)
        if value != int(value) or value < 1:
            raise SweepError(f"alpha {self} of rank {rank} is {value:g}; expected a whole number of 1 or more")
        return int(value)

    def __str__(self) -> str:
        return f"{self.number:g}{'x' if self.times_rank else ''}"


Range = tuple[float, float]


class Search(Value):
    """A search by TPE instead of the full grid: the trials a backbone, and what is searched besides the grid.

    Ranges are inclusive; `learning_rate` is sampled on a log scale.
    """

    trials: int = Field(ge=1)
    learning_rate: Annotated[Range, Field()] = (5e-5, 1e-3)
    dropout: tuple[Share, Share] = (0.0, 0.1)
    use_dora: tuple[bool, ...] = (False, True)
    use_rslora: tuple[bool, ...] = (False, True)

    @model_validator(mode="after")
    def _ordered(self) -> Search:
        for name in ("learning_rate", "dropout"):
            low, high = getattr(self, name)
            if not low <= high or (name == "learning_rate" and low <= 0):
                raise ValueError(f"{name} is {low:g} to {high:g}; expected the lower end first, and rates above 0")
        return self


class Point(Value):
    """One configuration of a sweep with its seed: the settings of a trial."""

    rank: int = Field(ge=1)
    alpha: int = Field(ge=1)
    seed: int = 0
    learning_rate: float | None = None
    dropout: float | None = None
    use_dora: bool | None = None
    use_rslora: bool | None = None

    @property
    def label(self) -> str:
        """`r8-a16-s0`, a folder's name."""
        return f"r{self.rank}-a{self.alpha}-s{self.seed}"


class Sweep(Value):
    """What is swept. Every trial is `recipe` with a backbone, a rank, a scaling and a seed in place of its own.

    `prune` stops a trial early whose best value at a validation is below the median of its backbone's trials.
    """

    bases: tuple[SweepBase, ...] = Field((SweepBase(name=NAME, source=NAME),), min_length=1)
    ranks: tuple[Annotated[int, Field(ge=1)], ...] = Field(min_length=1)
    alphas: tuple[Alpha, ...] = Field(min_length=1)
    seeds: tuple[int, ...] = Field((0,), min_length=1)
    recipe: Recipe = Recipe()
    search: Search | None = None
    prune: bool = True

    @model_validator(mode="after")
    def _consistent(self) -> Sweep:
        for what, values in (("backbone", [b.name for b in self.bases]), ("rank", self.ranks), ("seed", self.seeds)):
            if doubled := duplicates(values):
                raise ValueError(f"{what} {doubled[0]!r} is given twice; give each once (a backbone as NAME=FOLDER)")
        if self.recipe.revision is not None and len(self.bases) > 1:
            raise ValueError(
                f"recipe.revision is {self.recipe.revision!r} with {len(self.bases)} backbones; expected one backbone: "
                "remove the revision, or sweep that one only"
            )
        for rank, alpha in product(self.ranks, self.alphas):
            alpha.at(rank)
        return self

    def grid(self) -> Iterator[Point]:
        """Every configuration with every seed, once, seeds innermost; scalings that are equal at a rank count once."""
        pairs = dict.fromkeys((rank, alpha.at(rank)) for rank, alpha in product(self.ranks, self.alphas))
        for (rank, alpha), seed in product(pairs, self.seeds):
            yield Point(rank=rank, alpha=alpha, seed=seed)

    def recipe_of(self, base: SweepBase, point: Point) -> Recipe:
        """The recipe of a trial."""
        given = point.model_dump(exclude={"seed", "learning_rate"}, exclude_none=True)
        lora = Lora.model_validate({**self.recipe.lora.model_dump(), **given})
        rate = self.recipe.learning_rate if point.learning_rate is None else point.learning_rate
        update = {"base": base.source, "lora": lora, "seed": point.seed, "learning_rate": rate}
        return self.recipe.model_copy(update=update)


class Definition(Value):
    """A sweep with its data: what a folder, and a study shared by several machines, is bound to."""

    schema_version: int = 1
    sweep: Sweep
    data: str
    dataset_hash: str
    split: str
    split_hash: str

    @property
    def hash(self) -> str:
        """SHA-256 of all that decides its trials."""
        return sha256_of_text(json.dumps(self._deciding(), sort_keys=True))

    def differs_from(self, other: Definition) -> str | None:
        """The fields in which another definition differs, as text; None if there is none."""
        mine, theirs = self._deciding(), other._deciding()
        names = [n for n in sorted(mine.keys() | theirs.keys()) if mine.get(n) != theirs.get(n)]
        differences = "; ".join(f"{n} is {theirs.get(n)!r}, requested {mine.get(n)!r}" for n in names[:3])
        return differences + (f" and {len(names) - 3} more" if len(names) > 3 else "") or None

    def _deciding(self) -> dict[str, Any]:
        """Its values by dotted name, without those that may change when a trial is resumed.

        The order in which things were given makes no difference. Folders of backbones are omitted, since they may
        differ between machines: a study checks the hash of the weights instead.
        """
        swept = self.sweep
        ordered = {
            "sweep.bases": sorted(base.name for base in swept.bases),
            "sweep.ranks": sorted(swept.ranks),
            "sweep.alphas": [str(alpha) for alpha in sorted(swept.alphas)],
            "sweep.seeds": sorted(swept.seeds),
        }
        leaves = {**dict(flatten(self.model_dump(mode="json"))), **ordered}
        return {
            name: value for name, value in leaves.items() if name.removeprefix("sweep.") not in MAY_DIFFER | _REPLACED
        }


def make_sweep(**fields: Any) -> Sweep:
    """A sweep from its fields.

    Raises:
        SweepError: one line with the field, what was found and what is expected.
    """
    try:
        return Sweep(**fields)
    except ValidationError as error:
        raise SweepError(f"sweep: {found_and_expected(error)}") from error
