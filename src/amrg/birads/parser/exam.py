"""What a report states of the exam itself: the views that were made, and breasts that were removed before it."""

from __future__ import annotations

from amrg.birads.lexicon import Laterality, View
from amrg.birads.parser.mentions import Mention
from amrg.birads.report import ExamView, Technique
from amrg.birads.structure.sections import Piece
from amrg.birads.text.headings import Section
from amrg.birads.text.phrases import Concept
from amrg.birads.text.tokens import Tokens

Span = tuple[int, int]
_OTHER_VIEWS = frozenset(["spot", "magnification", "magnified", "compression", "rolled", "tangential", "displaced"])
_DENIALS = frozenset(["no", "not", "without", "denies", "never", "neither"])
_MASTECTOMY = frozenset(["mastectomy", "mastectomies"])
_PART = frozenset(["partial", "segmental"])
_NOT_HERS_WORDS = "mother mothers sister sisters aunt aunts grandmother daughter cousin maternal paternal family"
_NOT_DONE_WORDS = (
    "consider considering considered planned planning scheduled plan recommended recommend advised discuss discussed "
    "candidate if versus vs declines declined refused awaiting before"
)
_UNSURE = frozenset(_NOT_HERS_WORDS.split()) | frozenset(_NOT_DONE_WORDS.split())
_NEAR = 5  # tokens between a mastectomy and its side


class ExamReader:
    """Gathers views and mastectomies, piece after piece."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens
        self._views: dict[ExamView, Span] = {}
        self._synthetic: set[ExamView] = set()
        self.mastectomy: dict[Laterality, Span] = {}

    @property
    def technique(self) -> Technique | None:
        """The views that are listed under a heading of technique, None where no view with its side is."""
        if not self._views:
            return None
        return Technique(views=tuple(self._views), synthetic=tuple(self._synthetic))

    def facts(self) -> list[tuple[str, tuple[View | Laterality, int, int]]]:
        """All that was read, by field."""
        sides = [side for side in Laterality if side in self.mastectomy]
        views = () if self.technique is None else self.technique.views
        return [
            *((f"mastectomy[{i}]", (side, *self.mastectomy[side])) for i, side in enumerate(sides)),
            *((f"technique.views[{i}][1]", (key[1], *self._views[key])) for i, key in enumerate(views)),
        ]

    def take(self, piece: Piece, found: list[Mention]) -> None:
        """Read one piece."""
        words = set(self._tokens.words[piece.first : piece.last])
        if words & _DENIALS:
            return
        if piece.section is Section.TECHNIQUE and not words & _OTHER_VIEWS:
            self._take_views(piece, found)
        elif piece.section not in (Section.ADVICE, Section.TECHNIQUE) and not words & _UNSURE:
            self._take_mastectomy(piece, found)

    def _take_views(self, piece: Piece, found: list[Mention]) -> None:
        """`right CC and MLO views`, `CC and MLO views of both breasts`, `RCC, LCC`; `synthetic 2D` before or alone."""
        sides: tuple[Laterality, ...] = () if piece.side is None else (piece.side,)
        waiting: list[tuple[View, Span]] = []
        here: list[ExamView] = []
        marked = None
        for mention in found:
            if "synthetic" in self._tokens.words[mention.first : mention.last]:
                marked = len(here)
            span = (self._tokens.starts[mention.first], self._tokens.ends[mention.last - 1])
            sides = mention.means.get(Concept.SIDE, sides)
            waiting += [(view, span) for view in mention.means.get(Concept.VIEW, ())]
            if not sides:
                continue
            for key, where in [((side, view), where) for view, where in waiting for side in sides]:
                self._views.setdefault(key, where)
                here.append(key)
            waiting = []
        if marked is not None:
            self._synthetic |= set(here[marked:] or here)

    def _take_mastectomy(self, piece: Piece, found: list[Mention]) -> None:
        """Each mastectomy of a whole breast with its side, which is next to it or that of the piece."""
        words = self._tokens.words
        for i in range(piece.first, piece.last):
            if words[i] not in _MASTECTOMY or _PART & set(words[max(piece.first, i - 3) : i]):
                continue
            sides = [m for m in found if Concept.SIDE in m.means]
            before = [m for m in sides if i - _NEAR <= m.first < i]
            after = [m for m in sides if i < m.first <= i + _NEAR]
            named = before[-1:] or after[:1]
            of: tuple[Laterality, ...] = named[0].means[Concept.SIDE] if named else (piece.side,) if piece.side else ()
            for side in of:
                self.mastectomy.setdefault(side, (self._tokens.starts[i], self._tokens.ends[i]))
