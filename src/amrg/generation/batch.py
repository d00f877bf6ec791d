"""Many studies to drafts: an outcome a study, in order, whatever becomes of the others."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice

from amrg.birads import Draft
from amrg.generation.drafting import DraftOptions, NotAMammogram, PreparedStudy, finish, prepare, refuse_other_pictures
from amrg.generation.engines.base import Engine, Generation, Unanswered
from amrg.imaging import ImagingError, Study


@dataclass(frozen=True)
class Drafted:
    """A study with its draft, and the seconds that each step took."""

    study: Study
    draft: Draft
    seconds: Mapping[str, float]


@dataclass(frozen=True)
class Refused:
    """A study with an image that does not look like a mammogram, which got no draft."""

    study: Study
    message: str


@dataclass(frozen=True)
class Unreadable:
    """A study whose files cannot be read."""

    study: Study
    message: str


@dataclass(frozen=True)
class NotDrafted:
    """A study that the engine gave no complete answer to."""

    study: Study
    message: str


@dataclass(frozen=True)
class Ready:
    """A study that is ready for an engine, and the seconds that it took to prepare."""

    prepared: PreparedStudy
    seconds: Mapping[str, float]


Outcome = Drafted | Refused | Unreadable | NotDrafted
Prepared = Ready | Refused | Unreadable


def draft_studies(studies: Iterable[Study], engine: Engine, options: DraftOptions | None = None) -> Iterator[Outcome]:
    """An outcome a study, in order. Studies are read as outcomes are requested, `engine.max_batch` at a time."""
    # Each study is prepared as it is drawn: where drawing one decodes its files, they are decoded once.
    return draft_prepared((prepare_study(study, engine, options) for study in studies), engine, options)


def prepare_study(study: Study, engine: Engine, options: DraftOptions | None = None) -> Prepared:
    """A study read and framed for an engine, or why it gets no draft; works beside an engine that drafts another."""
    seconds: dict[str, float] = {}
    try:
        with _timed(seconds, "prepare"):
            prepared = prepare(study, engine.settings)
        refuse_other_pictures(prepared, options or DraftOptions())
        return Ready(prepared, seconds)
    except NotAMammogram as error:
        return Refused(study, str(error))
    except ImagingError as error:
        return Unreadable(study, str(error))


def draft_prepared(
    prepared: Iterable[Prepared], engine: Engine, options: DraftOptions | None = None
) -> Iterator[Outcome]:
    """An outcome a study, in order; the engine takes `engine.max_batch` of them together."""
    remaining = iter(prepared)
    while group := list(islice(remaining, max(1, engine.max_batch))):
        generations = engine.generate([one.prepared.request for one in group if isinstance(one, Ready)])
        for one in group:
            if isinstance(one, Ready):
                seconds = dict(one.seconds)
                with _timed(seconds, "generate"):
                    generation = next(generations)
                yield _finish(one.prepared, generation, engine, options or DraftOptions(), seconds)
            else:
                yield one


def _finish(
    prepared: PreparedStudy,
    generation: Generation | Unanswered,
    engine: Engine,
    options: DraftOptions,
    seconds: dict[str, float],
) -> Drafted | NotDrafted:
    if isinstance(generation, Unanswered):
        return NotDrafted(prepared.study, generation.message)
    with _timed(seconds, "finish"):
        draft = finish(prepared, generation, engine.identity, options)
    return Drafted(prepared.study, draft, seconds)


@contextmanager
def _timed(seconds: dict[str, float], step: str) -> Iterator[None]:
    start = time.perf_counter()
    yield
    seconds[step] = time.perf_counter() - start
