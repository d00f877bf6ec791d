"""A sweep's Optuna studies, one a backbone: opened, bound to the sweep's definition, filled with all its trials.

Every trial is queued as waiting before the first one runs, so that workers take from one list: none is run twice, none
is added by a worker that came late, and what remains is known at any time.
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
from pydantic import ValidationError
from sqlalchemy import text
from sqlalchemy.exc import ArgumentError, IntegrityError, OperationalError, ProgrammingError
from sqlalchemy.pool import NullPool

from amrg.core.files import write_text
from amrg.core.hashing import sha256_of_text
from amrg.core.values import found_and_expected
from amrg.experiments.sweep.definition import Definition, Point, Search, Sweep, SweepBase, SweepError
from amrg.experiments.sweep.locks import hold_lock
from amrg.experiments.sweep.pruning import STARTUP_TRIALS, make_pruner
from amrg.models.adapters.files import RUN_FILE

DEFINITION, DATABASE = "definition.json", "studies.sqlite3"
FILLED = "filled"
ATTEMPTS, PAUSE = 30, 1.0
"""How often a database is opened whose tables another machine creates right now, and the seconds between."""
CREATED_MEANWHILE = ("23505", "42P07", "42710")
"""SQLSTATE of what exists already: a unique value, a table, an object."""
_POSTGRESQL = "postgresql://"


@dataclass(frozen=True)
class Studies:
    """Where a sweep's trials are stored: its folder, its definition, its storage."""

    folder: Path
    definition: Definition
    storage: Any

    @property
    def sweep(self) -> Sweep:
        """What is swept."""
        return self.definition.sweep

    def study_of(self, base: SweepBase) -> Any:
        """The study of a backbone, with its trials in it."""
        by = {"sampler": make_sampler(self.sweep, 0), "pruner": make_pruner(self.sweep)}
        with self.lock_queue(base):
            study = optuna.create_study(
                study_name=self._name(base), storage=self.storage, direction="maximize", load_if_exists=True, **by
            )
            if FILLED not in study.user_attrs:
                _fill(study, self.sweep)
        return study

    @contextmanager
    def lock_queue(self, base: SweepBase) -> Iterator[None]:
        """Keep all others from adding trials to a backbone's study, also machines that share no folder.

        A lock of the database ends with its connection, as one of the folder ends with its process.
        """
        if self.storage.engine.dialect.name != "postgresql":
            with hold_lock(self.folder, "study"):
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
def open_studies(folder: Path, definition: Definition, url: str | None = None) -> Iterator[Studies]:
    """A sweep's folder, made where there is none; `url` is a PostgreSQL database that several machines share.

    Raises:
        SweepError: the folder contains a different sweep or another run, or the database cannot be opened.
        OSError: the folder cannot be written.
    """
    path = folder / DEFINITION
    if not path.is_file() and (folder / RUN_FILE).is_file():
        raise SweepError(f"{folder}: found {RUN_FILE}, so it is a run's folder; expected a sweep's or a new one")
    folder.mkdir(parents=True, exist_ok=True)
    with hold_lock(folder, "study"):
        if path.is_file() and (differs := definition.differs_from(read_definition(folder))):
            raise SweepError(
                f"{path}: {differs}: the folder contains a different sweep; use an empty folder, or repeat the same "
                "sweep to resume it"
            )
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
    except ValidationError as error:
        raise SweepError(
            f"{path}: {found_and_expected(error)}: not a sweep definition of this version; sweep again into an empty "
            "folder"
        ) from error


def open_storage(folder: Path, url: str | None) -> Any:
    """A file in the folder, or a PostgreSQL database.

    Raises:
        SweepError: the URL is not of PostgreSQL, its driver is missing, or the server does not answer.
    """
    logging.getLogger("optuna").setLevel(logging.WARNING)
    if url is None:
        return RDBStorage(f"sqlite:///{folder / DATABASE}", engine_kwargs={"connect_args": {"timeout": 60}})
    if not url.startswith(_POSTGRESQL):
        named = _without_password(url)
        raise SweepError(f"storage {named!r}: expected {_POSTGRESQL}USER@HOST/DATABASE, or none for a file")
    if importlib.util.find_spec("psycopg") is None:
        raise SweepError("storage: PostgreSQL needs its driver; install it with: pip install 'amrg[postgresql]'")
    address = url.replace(_POSTGRESQL, "postgresql+psycopg://", 1)
    options = {"poolclass": NullPool}  # a connection a call: none goes stale over a trial of hours, none stays open
    try:
        for _ in range(ATTEMPTS - 1):
            try:
                return RDBStorage(address, engine_kwargs=options)
            except (IntegrityError, ProgrammingError) as error:
                if getattr(error.orig, "sqlstate", None) not in CREATED_MEANWHILE:
                    raise
                time.sleep(PAUSE)
        return RDBStorage(address, engine_kwargs=options)
    except (OperationalError, ArgumentError, IntegrityError, ProgrammingError, ValueError) as error:
        named, reason = _without_password(url), str(getattr(error, "orig", error)).strip().splitlines()[-1]
        raise SweepError(
            f"storage {named!r}: cannot be opened ({reason}); check the URL and the user's rights"
        ) from error


def _without_password(url: str) -> str:
    """A URL without user and password."""
    before, at, after = url.rpartition("@")
    return before.split("//")[0] + "//" + after if at else url


def _fill(study: Any, sweep: Sweep) -> None:
    """Queue every trial that a study lacks, as waiting."""
    queue = [point_params(point) for point in sweep.grid()]
    if sweep.search is not None:
        queue = [{"seed": sweep.seeds[0]} for _ in range(sweep.search.trials)]
    for params in queue[len(study.get_trials(deepcopy=False)) :]:
        study.enqueue_trial(params)
    study.set_user_attr(FILLED, len(queue))


def make_sampler(sweep: Sweep, number: int) -> Any:
    """The sampler of a searched trial: seeded by its number, so that no two trials sample the same."""
    seed = int(sha256_of_text(f"{sweep.recipe.seed} {number}")[:8], 16)
    return optuna.samplers.TPESampler(n_startup_trials=STARTUP_TRIALS, seed=seed, constant_liar=True)


def point_params(point: Point) -> dict[str, Any]:
    """A point as Optuna's parameters, without those that it leaves to the recipe."""
    return point.model_dump(exclude_none=True)


def suggest(trial: Any, sweep: Sweep) -> Point:
    """The point of a trial that is running: as queued, or as the search samples it.

    Choices are in ascending order: Optuna refuses a study's parameter whose choices come in another.
    """
    trial.study.sampler = make_sampler(sweep, trial.number)
    rank = trial.suggest_categorical("rank", sorted(sweep.ranks))
    seed = trial.suggest_categorical("seed", sorted(sweep.seeds))
    if sweep.search is None:
        alphas = {p.alpha for p in sweep.grid()}
        return Point(rank=rank, alpha=trial.suggest_categorical("alpha", sorted(alphas)), seed=seed)
    # A search samples the scaling as it was given: a multiple of the rank means the same at every rank.
    scaling = trial.suggest_categorical("scaling", [str(a) for a in sorted(sweep.alphas)])
    alpha = next(a for a in sweep.alphas if str(a) == scaling)
    return Point(rank=rank, alpha=alpha.at(rank), seed=seed, **_sample(trial, sweep.search))


def _sample(trial: Any, search: Search) -> dict[str, Any]:
    """What a search samples besides rank and scaling."""
    return {
        "learning_rate": trial.suggest_float("learning_rate", *search.learning_rate, log=True),
        "dropout": trial.suggest_float("dropout", *search.dropout),
        "use_dora": trial.suggest_categorical("use_dora", search.use_dora),
        "use_rslora": trial.suggest_categorical("use_rslora", search.use_rslora),
    }


def trials_in(study: Any, *states: TrialState) -> Iterator[Any]:
    """A study's trials in some states, in their order, as they are now."""
    yield from study.get_trials(deepcopy=False, states=states or None)
