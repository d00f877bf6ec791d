"""How an image lies: the directions of its rows and columns, and by how many quarters it is turned."""

from __future__ import annotations

from typing import Literal

from amrg.birads import Laterality, View

_OPPOSITE = str.maketrans("APRLHF", "PALRFH")


def hung_directions(laterality: Laterality, view: View) -> tuple[str, str]:
    """Patient Orientation of an image that hangs as its side asks: directions of rows and columns (PS3.3 C.7.6.1.1.1).

    Rows run from the chest wall forwards on the left breast, towards it on the right.
    """
    across, medial = ("P", "L") if laterality is Laterality.RIGHT else ("A", "R")
    if view in {View.CC, View.XCC, View.XCCL, View.XCCM}:
        return across, medial  # lateral at the top, so columns run towards the middle of the body
    if view is View.FB:
        return across, "R" if medial == "L" else "L"
    oblique = view in {View.MLO, View.LMO, View.SIO, View.ISO}
    return across, "F" + medial if oblique else "F"


def quarter_turns(stated: tuple[str, ...], laterality: Laterality, view: View) -> Literal[0, 1, 2, 3]:
    """How many quarters counter-clockwise an image must be turned to hang, by its Patient Orientation (0020,0020).

    0 where it hangs, where nothing is stated, and where no turn would do: a mirrored image is recognised by its breast.
    """
    if len(stated) != 2 or not all(stated) or set("".join(stated)) - set("APRLHF"):
        return 0
    rows, columns = stated
    wanted = hung_directions(laterality, view)
    quarters: tuple[Literal[0, 1, 2, 3], ...] = (0, 1, 2, 3)
    for turns in quarters:
        if _agree(rows, wanted[0]) and _agree(columns, wanted[1]):
            # A CC view turned by half has the directions of the other breast's: its side is more likely wrong.
            return 0 if turns == 2 and not wanted[1].startswith("F") else turns
        rows, columns = columns, rows.translate(_OPPOSITE)  # what ran down runs right, what ran right runs up
    return 0


def _agree(stated: str, wanted: str) -> bool:
    """Whether a stated direction can be the wanted one: it has its first letter, and no opposite of any."""
    return wanted[0] in stated and not set(stated) & set(wanted.translate(_OPPOSITE))
