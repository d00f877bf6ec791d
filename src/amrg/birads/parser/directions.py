"""Direction words put together to quadrants: `upper` next to `outer` is the upper outer quadrant."""

from __future__ import annotations

from amrg.birads.lexicon import Quadrant
from amrg.birads.parser.mentions import Mention
from amrg.birads.text.phrases import Concept
from amrg.birads.text.tokens import Tokens

_VERTICAL = {Quadrant.UPPER, Quadrant.LOWER}
_NOT_PLACES_WORDS = (
    "view views projection projections density dense limit limits probability suspicion suspicious "
    "likelihood oblique extremity than back risk grade"
)
_NOT_PLACES = frozenset(_NOT_PLACES_WORDS.split())
_HORIZONTAL = {Quadrant.OUTER, Quadrant.INNER}
_BOTH = {frozenset({a, b}): Quadrant(f"{a} {b}") for a in _VERTICAL for b in (Quadrant.OUTER, Quadrant.INNER)}


def with_quadrants(tokens: Tokens, found: list[Mention]) -> list[Mention]:
    """The mentions with directions made places, two next to each other joined to one."""
    if not any(Concept.DIRECTION in m.means for m in found):
        return found
    made: list[Mention] = []
    for mention in found:
        if Concept.DIRECTION not in mention.means:
            made.append(_after_direction(tokens, made, mention) if Concept.PLACE in mention.means else mention)
            continue
        direction = mention.means[Concept.DIRECTION]
        joined = _join(tokens, made[-1], mention, direction) if made else None
        if joined is not None:
            made[-1] = joined
        elif not _is_other(tokens, mention.last):
            made.append(Mention({Concept.PLACE: direction}, False, mention.first, mention.last))
    return [m for m in made if m.means and m.means.get(Concept.PLACE, m) is not None]


def _join(tokens: Tokens, before: Mention, mention: Mention, direction: Quadrant) -> Mention | None:
    """Two directions of different axes as one quadrant, or None."""
    place = before.means.get(Concept.PLACE)
    if place is None or not _touch(tokens, before, mention):
        return None
    if place in (Quadrant.CENTRAL,):
        return Mention({Concept.PLACE: direction}, False, before.first, mention.last)
    both = _BOTH.get(frozenset({place, direction})) or _remaining(place, direction)
    if both is None and {place, direction} in (_VERTICAL, _HORIZONTAL) and not _is_apart(tokens, before, mention):
        return Mention({Concept.PLACE: None}, False, before.first, mention.last)  # `upper-lower`: no place is left
    return None if both is None else Mention({Concept.PLACE: both}, False, before.first, mention.last)


def _remaining(place: Quadrant, direction: Quadrant) -> Quadrant | None:
    """What `upper outer` and `inner` have in common: upper."""
    axes = place.value.split()
    if len(axes) != 2 or direction in (Quadrant(axes[0]), Quadrant(axes[1])):
        return None
    return Quadrant(axes[1]) if direction in _VERTICAL else Quadrant(axes[0])


def _is_apart(tokens: Tokens, before: Mention, mention: Mention) -> bool:
    """Whether a space or a line break parts two directions."""
    return any(c.isspace() for c in tokens.text[tokens.ends[before.last - 1] : tokens.starts[mention.first]])


def _after_direction(tokens: Tokens, made: list[Mention], mention: Mention) -> Mention:
    """`upper central` and `outer periareolar` mean the direction."""
    place = mention.means.get(Concept.PLACE)
    if place not in (Quadrant.CENTRAL, Quadrant.RETROAREOLAR) or not made:
        return mention
    before = made[-1]
    if tokens.words[mention.first].startswith(("retro", "sub", "behind")) or not _touch(tokens, before, mention):
        return mention
    if before.means.get(Concept.PLACE) in (Quadrant.UPPER, Quadrant.LOWER, Quadrant.OUTER, Quadrant.INNER):
        made.pop()
        return Mention({Concept.PLACE: before.means[Concept.PLACE]}, False, before.first, mention.last)
    return mention


def _touch(tokens: Tokens, before: Mention, mention: Mention) -> bool:
    """Whether nothing but a line break, a slash or a dash is between."""
    return all(w in ("\n", "/", "-") for w in tokens.words[before.last : mention.first])


def _is_other(tokens: Tokens, at: int) -> bool:
    """Whether the word after a direction makes it no place in the breast."""
    return at < len(tokens.words) and tokens.words[at] in _NOT_PLACES
