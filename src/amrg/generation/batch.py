"""Many studies to drafts: an outcome a study, in order, whatever becomes of the others."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

from amrg.birads import Draft
from amrg.generation.drafting import DraftOptions, OutsideDomain, PreparedStudy, finish, prepare
from amrg.generation.engines.base import Engine, Generation
from amrg.imaging import ImagingError, Study


@dataclass(frozen=True)
class Drafted:
    """A study with its draft, and the seconds that each step took."""

    study: Study
    draft: Draft
    seconds: Mapping[str, float]


@dataclass(frozen=True)
class Refused:
    """A study outside the model's domain, which got no draft."""

    study: Study
    message: str


@dataclass(frozen=True)
class Unreadable:
    """A study whose files cannot be read."""

    study: Study
    message: str


Outcome = Drafted | Refused | Unreadable


def draft_studies(studies: Iterable[Study], engine: Engine, options: DraftOptions | None = None) -> Iterator[Outcome]:
    """An outcome a study, in order. Studies are read as they are asked for, `engine.max_batch` at a time."""
    options = options or DraftOptions()
    remaining = iter(studies)
    while group := list(islice(remaining, max(1, engine.max_batch))):
        yield from _draft_group(group, engine, options)


def _draft_group(studies: list[Study], engine: Engine, options: DraftOptions) -> Iterator[Outcome]:
    """The outcomes of studies that the engine takes together."""
    steps = [_prepared(study, engine) for study in studies]
    requests = [step.prepared.request for step in steps if isinstance(step, _Prepared)]
    generations = engine.generate(requests, options.accept)
    for step in steps:
        if isinstance(step, Unreadable):
            yield step
            continue
        start = time.perf_counter()
        generation = next(generations)
        seconds = {"prepare": step.seconds, "generate": time.perf_counter() - start}
        yield _finished(step.prepared, generation, engine, options, seconds)


@dataclass(frozen=True)
class _Prepared:
    """A prepared study and how long that took."""

    prepared: PreparedStudy
    seconds: float


def _prepared(study: Study, engine: Engine) -> _Prepared | Unreadable:
    start = time.perf_counter()
    try:
        return _Prepared(prepare(study, engine.settings), time.perf_counter() - start)
    except ImagingError as error:
        return Unreadable(study, str(error))


def _finished(
    prepared: PreparedStudy, generation: Generation, engine: Engine, options: DraftOptions, seconds: dict[str, float]
) -> Drafted | Refused:
    start = time.perf_counter()
    try:
        draft = finish(prepared, generation, engine.identity, options)
    except OutsideDomain as error:
        return Refused(prepared.study, str(error))
    return Drafted(prepared.study, draft, {**seconds, "finish": time.perf_counter() - start})
