"""What a stretch of text mentions: phrases of the word table and numbers, as mentions in their order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from amrg.birads.categories.sites import Sites
from amrg.birads.categories.statements import find_statement
from amrg.birads.parser.numbers import BEGINS_NUMBER, NumberReader
from amrg.birads.structure.sections import Piece
from amrg.birads.text.phrases import ROWS, Concept, forms_of
from amrg.birads.text.spelling import canonical
from amrg.birads.text.tokens import Tokens


@dataclass(slots=True, eq=False)
class Mention:
    """A phrase found: what it may mean, and its tokens `first` to `last` (exclusive)."""

    means: dict[Concept, Any]
    plural: bool
    first: int
    last: int

    def get(self, concept: Concept) -> Any:
        """Its value as that concept, or None."""
        return self.means.get(concept)


def concepts_of(found: list[Mention]) -> set[Concept]:
    """Everything that some mentions may mean."""
    return set().union(*[mention.means for mention in found])


class _Node:
    """A node of the tree of phrases."""

    __slots__ = ("means", "next", "plural")

    def __init__(self) -> None:
        self.next: dict[str, _Node] = {}
        self.means: dict[Concept, Any] = {}
        self.plural = False


def _tree() -> _Node:
    """All phrases of the word table as one tree of words."""
    root = _Node()
    for concept, value, phrases in ROWS:
        for phrase in phrases.split(";"):
            for form, plural in forms_of(phrase):
                node = root
                for word in form.split():
                    node = node.next.setdefault(canonical(word), _Node())
                node.means[concept] = value
                node.plural = node.plural or plural
    return root


_ROOT = _tree()


def mentions(tokens: Tokens, piece: Piece, sites: Sites) -> list[Mention]:
    """Everything that a piece of text mentions, longest phrases first, without overlap."""
    made: list[Mention] = []
    last = piece.last
    numbers = NumberReader(tokens, piece, sites)
    due = sites.due
    stated = find_statement(tokens, piece) if due.isdisjoint(range(piece.first, last)) else None
    words = tokens.words
    i = piece.first
    while i < last:
        if stated is not None and i == stated.first:
            made.append(Mention(stated.means, False, i, stated.last))
            i = stated.last
            continue
        word = words[i]
        if i in due or word in BEGINS_NUMBER or word[0].isdecimal():
            number = numbers.at(i)
            if number is not None:
                made.append(Mention({number.concept: number.value}, False, i, number.last))
                i = number.last
                continue
        if word not in _ROOT.next:
            i += 1
            continue
        node, end = _match_phrase(words, i, last)
        if node is None:
            i += 1
            continue
        if Concept.ALSO in node.means:
            made += _two_kinds(node, i, end)
        else:
            made.append(Mention(node.means, node.plural, i, end))
        i = end
    return made


def _two_kinds(node: _Node, first: int, last: int) -> list[Mention]:
    """The mentions of a phrase that names two kinds."""
    also = node.means[Concept.ALSO]
    kind = {Concept.KIND: node.means[Concept.KIND]}
    return [Mention(kind, False, first, last - 2), Mention({Concept.KIND: also}, False, last - 2, last)]


def _match_phrase(words: list[str], i: int, last: int) -> tuple[_Node | None, int]:
    """The longest phrase that begins at token `i`, and where it ends. A wrapped line does not part a phrase."""
    node, found, end = _ROOT, None, i
    j = i
    while j < last:
        if words[j] == "\n" and j > i:
            j += 1
            continue
        step = node.next.get(words[j])
        if step is None:
            break
        node = step
        j += 1
        if node.means:
            found, end = node, j
    return found, end
