"""Public data sets under all names they go by, and published collections that hold several of them.

A collection is listed only where its makers publish what it holds.
"""

from __future__ import annotations

import re
from difflib import get_close_matches

ALIASES: dict[str, tuple[str, ...]] = {
    "bmcd": ("breast micro calcifications dataset",),
    "cbis-ddsm": ("cbis", "curated breast imaging subset of ddsm"),
    "cdd-cesm": (
        "cesm",
        "categorized digital database for low energy and subtracted contrast enhanced spectral mammography",
    ),
    "cmmd": ("cmmd2022", "chinese mammography database"),
    "csaw-m": ("csawm",),
    "dbt-test": ("bcs dbt", "breast cancer screening dbt"),
    "dmid": ("digital mammography dataset for breast cancer diagnosis research",),
    "embed": ("emory breast imaging dataset", "embed open data"),
    "inbreast": ("inbreast2012", "in breast"),
    "kau-bcmd": ("kaubcmd", "bcmd", "king abdulaziz university breast cancer mammogram dataset"),
    "lamis": ("lamis dmdb", "lamisdmdb"),
    "mini-mias": ("mias", "minimias", "all mias", "mammographic image analysis society"),
    "mm": ("mammogram mastery",),
    "nlbs": ("nl breast screening", "newfoundland and labrador breast screening"),
    "rsna": ("rsna breast cancer detection", "rsna bcd", "rsna screening mammography", "rsna mammography"),
    "vindr-mammo": ("vindr", "vindrmammo", "vin dr mammo"),
}
"""A data set's name in amrg, or its makers' where amrg does not import it, and its other names."""

COLLECTIONS: dict[str, tuple[str, ...]] = {
    # The table of sub data sets in github.com/PiggyJerry/MammoVQA (Nature Communications 2025, s41467-025-66507-z).
    "mammovqa": (
        *(
            "bmcd",
            "cbis-ddsm",
            "cdd-cesm",
            "dmid",
            "inbreast",
            "mini-mias",
            "csaw-m",
            "kau-bcmd",
            "vindr-mammo",
            "rsna",
        ),
        *("embed", "dbt-test", "lamis", "mm", "nlbs"),
    ),
    "llava-mammo": ("mammovqa",),  # the model of the same paper, tuned on it
    "ddsm": ("cbis-ddsm",),  # of which CBIS-DDSM is a curated subset
}
"""Collections, and models known by their collection, with what they hold."""

DRAWN_OR_OWN = frozenset({"phantom", "generic"})
"""Names that say nothing of which cases they are: drawn exams, and anyone's own table."""


def canonical_name(name: str) -> str:
    """The name that amrg knows a data set or collection by; one that it does not know, in lower case with hyphens.

    A name that holds a known one as whole words is that one: `DMID, test part`, `vindr_mammo_1.0.0`.
    """
    words = _words(name)
    if words in _KNOWN:
        return _KNOWN[words]
    held = [known for known in _KNOWN if f"-{known}-" in f"-{words}-" and len(known) > 2]
    return _KNOWN[max(held, key=len)] if held else words


def members_of(name: str) -> tuple[str, ...]:
    """The data sets that a name stands for, collections opened; itself where it is none."""
    known = canonical_name(name)
    if known not in COLLECTIONS:
        return (known,)
    return tuple(dict.fromkeys(member for held in COLLECTIONS[known] for member in members_of(held)))


def nearest_name(name: str) -> str | None:
    """The known name that an unknown one resembles most; None for a known one, and where none resembles it."""
    if canonical_name(name) in {*ALIASES, *COLLECTIONS, *DRAWN_OR_OWN}:
        return None
    near = get_close_matches(_words(name), _KNOWN, 1, 0.75)
    return _KNOWN[near[0]] if near else None


def _words(name: str) -> str:
    return "-".join(re.findall(r"[a-z0-9]+", name.casefold()))


_KNOWN = {_words(alias): name for name, aliases in ALIASES.items() for alias in (name, *aliases)} | {
    _words(name): name for name in COLLECTIONS
}
