"""A sweep's Optuna studies, one a backbone: opened, bound to the sweep's definition, filled with all that is to be run.

Every trial is there as waiting before the first one runs, so that workers take from one list: none is run twice, none
is added by a worker that came late, and what is left is known at any time.
"""

from __future__ import annotations

import importlib.util
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
from optuna.storages import RDBStorage
from optuna.trial import TrialState
from sqlalchemy import text
from sqlalchemy.exc import ArgumentError, IntegrityError, OperationalError, ProgrammingError
from sqlalchemy.pool import NullPool

from amrg.core.files import write_text
from amrg.core.hashing import sha256_of_text
from amrg.experiments.locks import held
from amrg.experiments.pruning import FIRST_WHOLE, pruner
from amrg.experiments.sweep import Definition, Point, Search, Sweep, SweepBase, SweepError

DEFINITION, DATABASE = "definition.json", "studies.sqlite3"
FILLED = "filled"
_POSTGRESQL = "postgresql://"


@dataclass(frozen=True)
class Studies:
    """Where a sweep's trials are kept: its folder, its definition, its storage."""

    folder: Path
    definition: Definition
    storage: Any

    @property
    def sweep(self) -> Sweep:
        """What is swept."""
        return self.definition.sweep

    def of(self, base: SweepBase) -> Any:
        """The study of a backbone, with its trials in it."""
        by = {"sampler": sampler(self.sweep, 0), "pruner": pruner(self.sweep)}
        with self.adding(base):
            study = optuna.create_study(
                study_name=self._name(base), storage=self.storage, direction="maximize", load_if_exists=True, **by
            )
            if FILLED not in study.user_attrs:
                _fill(study, self.sweep)
        return study

    @contextmanager
    def adding(self, base: SweepBase) -> Iterator[None]:
        """Hold what keeps all others from adding trials to a backbone's study: machines that share no folder too.

        A lock of the database ends with its connection, as one of the folder ends with its process.
        """
        if self.storage.engine.dialect.name != "postgresql":
            with held(self.folder, "study"):
                yield
            return
        key = {"name": self._name(base)}
        with self.storage.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("SELECT pg_advisory_lock(hashtextextended(:name, 0))"), key)
            try:
                yield
            finally:
                connection.execute(text("SELECT pg_advisory_unlock(hashtextextended(:name, 0))"), key)

    def _name(self, base: SweepBase) -> str:
        return f"amrg-sweep-{self.definition.hash[:16]}-{base.name}"


@contextmanager
def open_study(folder: Path, definition: Definition, url: str | None = None) -> Iterator[Studies]:
    """A sweep's folder, made where there is none; `url` is a PostgreSQL database that several machines share.

    Raises:
        SweepError: another sweep lies there, or the database cannot be opened.
        OSError: the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / DEFINITION
    with held(folder, "study"):
        if path.is_file() and (told := definition.differs_from(read_definition(folder))):
            raise SweepError(f"{path}: {told}: another sweep lies there; name an empty folder, or ask for the same")
        if not path.is_file():
            write_text(path, [definition.model_dump_json(indent=1)])
        storage = open_storage(folder, url)
    try:
        yield Studies(folder, definition, storage)
    finally:
        storage.remove_session()
        storage.engine.dispose()


def read_definition(folder: Path) -> Definition:
    """The definition of the sweep in a folder.

    Raises:
        SweepError: there is none, or it is of another version.
    """
    path = folder / DEFINITION
    if not path.is_file():
        raise SweepError(f"{folder}: no {DEFINITION}; expected a folder of `amrg sweep`")
    try:
        return Definition.model_validate_json(path.read_bytes())
    except ValueError as error:
        raise SweepError(f"{path}: no definition of this version's; sweep again into an empty folder") from error


def open_storage(folder: Path, url: str | None) -> Any:
    """A file in the folder, or a PostgreSQL database.

    Raises:
        SweepError: the address is no PostgreSQL one, its driver is missing, or nobody answers there.
    """
    logging.getLogger("optuna").setLevel(logging.WARNING)
    if url is None:
        return RDBStorage(f"sqlite:///{folder / DATABASE}", engine_kwargs={"connect_args": {"timeout": 60}})
    if not url.startswith(_POSTGRESQL):
        raise SweepError(f"storage {_shown(url)!r}: expected {_POSTGRESQL}USER@HOST/DATABASE, or none for a file")
    if importlib.util.find_spec("psycopg") is None:
        raise SweepError("storage: PostgreSQL needs its driver; install it with: pip install 'amrg[postgresql]'")
    address = url.replace(_POSTGRESQL, "postgresql+psycopg://", 1)
    afresh = {"poolclass": NullPool}  # a connection a call: none grows stale over a trial of hours, none is left open
    try:
        try:
            return RDBStorage(address, engine_kwargs=afresh)
        except (IntegrityError, ProgrammingError):  # another machine makes the tables at this very moment
            time.sleep(2.0)
            return RDBStorage(address, engine_kwargs=afresh)
    except (OperationalError, ArgumentError, IntegrityError, ProgrammingError, ValueError) as error:
        reason = str(getattr(error, "orig", error)).strip().splitlines()[-1]
        raise SweepError(f"storage {_shown(url)!r}: cannot be opened ({reason}); check address and rights") from error


def _shown(url: str) -> str:
    """An address without its password."""
    before, at, after = url.rpartition("@")
    return before.split("//")[0] + "//" + after if at else url


def _fill(study: Any, sweep: Sweep) -> None:
    """Put every trial into a study that lacks some, as waiting."""
    wanted = [point_params(point) for point in sweep.grid()]
    if sweep.search is not None:
        wanted = [{"seed": sweep.seeds[0]} for _ in range(sweep.search.trials)]
    for params in wanted[len(study.get_trials(deepcopy=False)) :]:
        study.enqueue_trial(params)
    study.set_user_attr(FILLED, len(wanted))


def sampler(sweep: Sweep, number: int) -> Any:
    """What draws a searched trial: seeded by its number, so that no worker and no restart draws the same again."""
    seed = int(sha256_of_text(f"{sweep.recipe.seed} {number}")[:8], 16)
    return optuna.samplers.TPESampler(n_startup_trials=FIRST_WHOLE, seed=seed, constant_liar=True)


def point_params(point: Point) -> dict[str, Any]:
    """A point as Optuna's parameters: what it leaves to the recipe is none of them."""
    return point.model_dump(exclude_none=True)


def suggest(trial: Any, sweep: Sweep) -> Point:
    """The point of a trial that is running: as it was put there, or as the search draws it.

    Choices are in ascending order: Optuna refuses a study's parameter whose choices come in another.
    """
    trial.study.sampler = sampler(sweep, trial.number)
    rank = trial.suggest_categorical("rank", sorted(sweep.ranks))
    seed = trial.suggest_categorical("seed", sorted(sweep.seeds))
    if sweep.search is None:
        found = {p.alpha for p in sweep.grid()}
        return Point(rank=rank, alpha=trial.suggest_categorical("alpha", sorted(found)), seed=seed)
    # A search draws the scaling as it was asked for: a multiple of the rank means the same at every rank.
    scaling = trial.suggest_categorical("scaling", [str(a) for a in sorted(sweep.alphas)])
    alpha = next(a for a in sweep.alphas if str(a) == scaling)
    return Point(rank=rank, alpha=alpha.at(rank), seed=seed, **_drawn(trial, sweep.search))


def _drawn(trial: Any, search: Search) -> dict[str, Any]:
    """What a search draws beside rank and scaling."""
    return {
        "learning_rate": trial.suggest_float("learning_rate", *search.learning_rate, log=True),
        "dropout": trial.suggest_float("dropout", *search.dropout),
        "use_dora": trial.suggest_categorical("use_dora", search.use_dora),
        "use_rslora": trial.suggest_categorical("use_rslora", search.use_rslora),
    }


def trials_in(study: Any, *states: TrialState) -> Iterator[Any]:
    """A study's trials in some states, in their order, as they are now."""
    yield from study.get_trials(deepcopy=False, states=states or None)
