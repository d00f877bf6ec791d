"""Many studies to drafts: an outcome a study, in order, whatever becomes of the others."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

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


Outcome = Drafted | Refused | Unreadable | NotDrafted


def draft_studies(studies: Iterable[Study], engine: Engine, options: DraftOptions | None = None) -> Iterator[Outcome]:
    """An outcome a study, in order. Studies are read as outcomes are requested, `engine.max_batch` at a time."""
    remaining, chosen = iter(studies), options or DraftOptions()
    while True:
        timings: list[dict[str, float]] = [{} for _ in range(max(1, engine.max_batch))]
        # Each study is prepared as it is drawn: where drawing one decodes its files, they are decoded once.
        steps = [_prepare(study, engine, chosen, seconds) for seconds, study in zip(timings, remaining, strict=False)]
        if not steps:
            return
        yield from _draft_group(steps, timings, engine, chosen)


def _draft_group(
    steps: list[PreparedStudy | Refused | Unreadable],
    timings: list[dict[str, float]],
    engine: Engine,
    options: DraftOptions,
) -> Iterator[Outcome]:
    """The outcomes of studies that the engine takes together."""
    requests = [step.request for step in steps if isinstance(step, PreparedStudy)]
    generations = engine.generate(requests)
    for step, seconds in zip(steps, timings, strict=False):
        if not isinstance(step, PreparedStudy):
            yield step
        else:
            with _timed(seconds, "generate"):
                generation = next(generations)
            yield _finish(step, generation, engine, options, seconds)


def _prepare(
    study: Study, engine: Engine, options: DraftOptions, seconds: dict[str, float]
) -> PreparedStudy | Refused | Unreadable:
    try:
        with _timed(seconds, "prepare"):
            prepared = prepare(study, engine.settings)
        refuse_other_pictures(prepared, options)
        return prepared
    except NotAMammogram as error:
        return Refused(study, str(error))
    except ImagingError as error:
        return Unreadable(study, str(error))


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
