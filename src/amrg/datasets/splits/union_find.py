"""Disjoint sets of numbers."""

from __future__ import annotations


class DisjointSets:
    """Disjoint sets of the numbers 0, 1, ...; the least number of a set represents it."""

    def __init__(self) -> None:
        self._parent: list[int] = []

    def add(self) -> int:
        """The next number, alone in its set."""
        self._parent.append(len(self._parent))
        return len(self._parent) - 1

    def join(self, one: int, other: int) -> None:
        """Put the sets of two numbers together."""
        least, greater = sorted((self.root(one), self.root(other)))
        self._parent[greater] = least

    def root(self, number: int) -> int:
        """The number that represents a number's set."""
        while (parent := self._parent[number]) != number:
            self._parent[number] = number = self._parent[parent]
        return number

    def members(self) -> list[list[int]]:
        """The sets, in order of their least number."""
        found: dict[int, list[int]] = {}
        for number in range(len(self._parent)):
            found.setdefault(self.root(number), []).append(number)
        return list(found.values())
