"""mini-MIAS: 322 digitised films, 1024 x 1024 pixels of 200 micrometres, one line a lesion in `Info.txt`.

Layout as in the README of the database and its Kaggle copy: lines `mdb001 G CIRC B 535 425 197` (film, background
tissue F, G or D, class, severity B or M, x and y of the centre from the bottom left corner, radius) and the images
`mdb001.pgm` in the same folder or in `all-mias`. Films come in pairs of one patient, odd numbers right,
even ones left, all mediolateral oblique. `*NOTE 3*` in place of a centre means calcifications all over the film.

One case a film, grouped by pair. The data set has no BI-RADS: background tissue has three classes where composition
has four, and severity is the outcome, not how the lesion looks; both stay in the labels.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from amrg.birads import Distribution, Finding, Kind, Laterality, Margin, View, ViewBox
from amrg.datasets.case import Case, ImageRef
from amrg.datasets.importer import About, DatasetError, Item, Odd
from amrg.datasets.tables.cells import Cells, without_repeats
from amrg.datasets.tables.grouping import Row, group_rows, labels_of, with_line_numbers
from amrg.datasets.tables.labels import KnownLabels, case_from_labels, existing_images, report_of
from amrg.datasets.tables.readers import Numbered

TABLE = "Info.txt"
SIDE_PIXELS = 1024
_COLUMNS = ("REFNUM", "BG", "CLASS", "SEVERITY", "X", "Y", "RADIUS")
_FILM = re.compile(r"mdb(\d{3})\s")
_NORMAL, _EVERYWHERE = "NORM", "*NOTE"
_KINDS: dict[str, dict[str, Any]] = {
    "CALC": {"kind": Kind.CALCIFICATIONS},
    "CIRC": {"kind": Kind.MASS, "margin": Margin.CIRCUMSCRIBED},
    "SPIC": {"kind": Kind.MASS, "margin": Margin.SPICULATED},
    "MISC": {"kind": Kind.MASS, "margin": Margin.INDISTINCT},
    "ARCH": {"kind": Kind.DISTORTION},
    "ASYM": {"kind": Kind.ASYMMETRY},
    _NORMAL: {},
}


class MiniMias:
    """Imports mini-MIAS from the folder with `Info.txt`."""

    about = About(
        name="mini-mias",
        title="The mini-MIAS database of mammograms",
        licence="MIAS licence agreement: scientific research only, with acknowledgement (Licence.txt of the database)",
        citation=(
            "Suckling J, Parker J, Dance DR, et al. The Mammographic Image Analysis Society Digital Mammogram "
            "Database. Excerpta Medica, International Congress Series 1069, 1994, 375-378"
        ),
        url="http://peipa.essex.ac.uk/info/mias.html",
    )

    def items(self, root: Path, odd: Odd) -> Iterator[Item]:
        """Films in the order of `Info.txt`."""
        rows = with_line_numbers(root / TABLE, _lines(root / TABLE))
        yield from group_rows((row["REFNUM"], row) for row in rows)

    def case(self, root: Path, item: Item, odd: Odd) -> Case | None:
        """One film."""
        odd = without_repeats(odd)
        number = int(item.key.removeprefix("mdb"))
        side = Laterality.RIGHT if number % 2 else Laterality.LEFT
        folder = "all-mias/" if (root / "all-mias").is_dir() else ""
        image = ImageRef(file=f"{folder}{item.key}.pgm", laterality=side, view=View.MLO)
        known = KnownLabels(
            key=item.key,
            group=f"pair-{(number + 1) // 2:03d}",
            images=existing_images(root, [image], odd),
            labels=labels_of(item.rows),
        )
        findings = (finding for row in item.rows for finding in _findings(Cells(row, odd), side))
        return case_from_labels(self.about, known, report_of(findings))


def _lines(path: Path) -> Iterator[Numbered]:
    """The lines of films by column name.

    Raises:
        DatasetError: no such file, or it lists no film.
    """
    if not path.is_file():
        raise DatasetError(f"{path.name}: no such file in {path.parent}; expected the list of films of mini-MIAS")
    listed = False
    for number, line in enumerate(path.read_text(encoding="cp1252").splitlines(), start=1):
        if _FILM.match(line):
            listed = True
            yield number, _by_column(line.split())
    if not listed:
        raise DatasetError(f"{path.name}: no line of a film; expected lines such as mdb001 G CIRC B 535 425 197")


def _by_column(words: list[str]) -> Row:
    """Cells by name; those that a line lacks are empty."""
    return dict.fromkeys(_COLUMNS, "") | dict(zip(_COLUMNS, words, strict=False))


def _findings(cells: Cells, side: Laterality) -> Iterable[Finding]:
    """The lesion of a line, if it has one."""
    kind = cells.term("CLASS", _KINDS)
    if not kind:
        return
    everywhere = cells.text("X").startswith(_EVERYWHERE)
    if everywhere and kind["kind"] is Kind.CALCIFICATIONS:
        kind = kind | {"distribution": Distribution.DIFFUSE}
    boxes = () if everywhere else _box(cells, side)
    yield Finding(**kind, laterality=side, views=(View.MLO,), boxes=boxes)


def _box(cells: Cells, side: Laterality) -> tuple[ViewBox, ...]:
    """The square around the published circle, rows counted from the top, within the film."""
    x, y, radius = (cells.number(name) for name in ("X", "Y", "RADIUS"))
    if x is None or y is None or radius is None:
        cells.report("X", "no centre and radius", "three numbers")
        return ()
    row = SIDE_PIXELS - y
    if not (0 <= x <= SIDE_PIXELS and 0 <= row <= SIDE_PIXELS and radius > 0):
        cells.report("X", f"{x}, {y}, radius {radius}", f"a circle within {SIDE_PIXELS} x {SIDE_PIXELS} pixels")
        return ()
    left, top = max(0.0, x - radius), max(0.0, row - radius)
    right, bottom = min(float(SIDE_PIXELS), x + radius), min(float(SIDE_PIXELS), row + radius)
    return (ViewBox(laterality=side, view=View.MLO, left=left, top=top, right=right, bottom=bottom),)
