"""Tables in a text, with pipes or columns, made sentences: each value after the names of its row and its column."""

from __future__ import annotations

from dataclasses import dataclass

from amrg.birads.text.figures import FIGURES, SIDES
from amrg.birads.text.tokens import Tokens

Cell = tuple[int, int]
"""First token and the one after the last; both the same in an empty cell."""
_SIDE_WORDS = frozenset(SIDES) | {"breast", "side", "breasts"}
_LEADS = frozenset(["birads", "category", "assessment"])
_RULES = frozenset(["-", ":", "=", "|", "+"])
_LONGEST_NAME = 5
_MIN_GAP = "  "


@dataclass(frozen=True, slots=True)
class _Line:
    """A line of a table: its number, its tokens and cells, and whether pipes part them."""

    number: int
    first: int
    last: int
    cells: list[Cell]
    piped: bool


def read_tables(tokens: Tokens) -> Tokens:
    """The tokens with each table that has sides or categories in its head written out as sentences."""
    text = tokens.text
    if "\n" not in text or not ("|" in text or "\t" in text or _MIN_GAP in text):
        return tokens
    lines = _lines(tokens)
    made = Tokens(text, [], [], [])
    n = at = 0
    while n < len(lines):
        rows = _rows_under(tokens, lines, n)
        if not rows:
            n += 1
            continue
        _copy(tokens, made, at, lines[n].first)
        for row in rows:
            _write(tokens, made, lines[n], row)
        n, at = rows[-1].number + 1, rows[-1].last
    if not made.words:
        return tokens
    _copy(tokens, made, at, len(tokens.words))
    return made


def _lines(tokens: Tokens) -> list[_Line]:
    """Every line that has tokens, with its cells."""
    made: list[_Line] = []
    first = 0
    for i, word in enumerate([*tokens.words, "\n"]):
        if word == "\n":
            if i > first:
                made.append(_line(tokens, len(made), first, i))
            first = i + 1
    return made


def _line(tokens: Tokens, number: int, first: int, last: int) -> _Line:
    """One line cut at its pipes, or at tabs and wide gaps where it has none."""
    words = tokens.words
    piped = "|" in words[first:last]
    cells: list[Cell] = []
    begin = first + (words[first] == "|")
    for i in range(begin, last):
        if words[i] == "|":
            cells.append((begin, i))
            begin = i + 1
        elif not piped and i > begin and _is_gap(tokens, i):
            cells.append((begin, i))
            begin = i
    if begin < last or not piped:
        cells.append((begin, last))
    return _Line(number, first, last, cells, piped)


def _is_gap(tokens: Tokens, i: int) -> bool:
    """Whether a tab or several spaces stand before a token."""
    between = tokens.text[tokens.ends[i - 1] : tokens.starts[i]]
    return _MIN_GAP in between or "\t" in between


def _rows_under(tokens: Tokens, lines: list[_Line], n: int) -> list[_Line]:
    """The rows of the table that line `n` is the head of; none where it is no such head."""
    head = lines[n]
    by_side = _has_sides(tokens, head)
    if not by_side and not _has_category(tokens, head):
        return []
    rows: list[_Line] = []
    for k in range(n + 1, len(lines)):
        line = lines[k]
        if _RULES.issuperset(tokens.words[line.first : line.last]):
            continue
        if line.piped != head.piped or len(line.cells) - len(head.cells) not in ((0, 1) if by_side else (0,)):
            break
        rows.append(line)
    if not by_side and not head.piped and not all(_side(tokens, row.cells[0]) for row in rows):
        return []
    return rows


def _has_sides(tokens: Tokens, line: _Line) -> bool:
    """Whether two cells name a side each and nothing else."""
    named = [side for cell in line.cells if (side := _side(tokens, cell))]
    return len(named) == 2 and named[0] != named[1]


def _side(tokens: Tokens, cell: Cell) -> str:
    """The side that a cell names and nothing else, or nothing."""
    words = tokens.words[slice(*cell)]
    sides = {SIDES[w] for w in words if w in SIDES}
    return sides.pop() if len(sides) == 1 and _SIDE_WORDS.issuperset(words) else ""


def _has_category(tokens: Tokens, line: _Line) -> bool:
    """Whether one of several short cells is called BI-RADS or category, and none has a figure."""
    if len(line.cells) < 2 or any(last - first > _LONGEST_NAME for first, last in line.cells):
        return False
    words = tokens.words[line.first : line.last]
    return not _LEADS.isdisjoint(words) and FIGURES.isdisjoint(words) and ":" not in words


def _write(tokens: Tokens, made: Tokens, head: _Line, row: _Line) -> None:
    """One row as sentences."""
    names = head.cells if len(head.cells) == len(row.cells) else [(head.first, head.first), *head.cells]
    label, *values = row.cells
    if _has_sides(tokens, head) or _side(tokens, label):
        for name, value in zip(names[1:], values, strict=True):
            if value[0] < value[1]:
                _copy(tokens, made, *label)
                _copy(tokens, made, *name)
                _mark(tokens, made, ":", value[0] - 1)
                _copy(tokens, made, *value)
                _mark(tokens, made, ".", value[1] - 1)
    else:
        for name, value in zip(names, row.cells, strict=True):
            if not _LEADS.isdisjoint(tokens.words[slice(*name)]):
                _copy(tokens, made, *name)
            _copy(tokens, made, *value)
            _mark(tokens, made, ",", max(value[1] - 1, 0))
        _mark(tokens, made, ".", row.last - 1)
    _mark(tokens, made, "\n", row.last - 1)


def _copy(tokens: Tokens, made: Tokens, first: int, last: int) -> None:
    made.words.extend(tokens.words[first:last])
    made.starts.extend(tokens.starts[first:last])
    made.ends.extend(tokens.ends[first:last])


def _mark(tokens: Tokens, made: Tokens, mark: str, after: int) -> None:
    """A mark of no length after a token."""
    made.words.append(mark)
    made.starts.append(tokens.ends[after])
    made.ends.append(tokens.ends[after])
