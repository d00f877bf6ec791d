"""Cases sampled by seed: the same ones on every machine and with every version of any library."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from amrg.core.hashing import sha256_of_text
from amrg.datasets.case import Case

T = TypeVar("T")


def sample(cases: Sequence[T], limit: int, seed: str) -> list[T]:
    """At most `limit` of the cases, sampled by seed, in their order."""
    return [cases[i] for i in sorted(_ranked(len(cases), seed)[:limit])]


def shuffle(cases: Sequence[T], seed: str) -> list[T]:
    """All cases in a seeded order."""
    return [cases[i] for i in _ranked(len(cases), seed)]


def _ranked(count: int, seed: str) -> list[int]:
    return sorted(range(count), key=lambda i: _number(f"{seed} {i}"))


def choose(among: Sequence[Case], seed: str) -> Case:
    """One of some cases, by seed."""
    return among[_number(seed) % len(among)]


def _number(seed: str) -> int:
    """A seed as a number, the same on every machine and with every version of any library."""
    return int(sha256_of_text(seed)[:16], 16)
