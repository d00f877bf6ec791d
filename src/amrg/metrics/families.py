"""Which family a metric belongs to, by its name, and which few metrics stand for their families."""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import StrEnum


class Family(StrEnum):
    """What a metric looks at, in the order that pages and tables show them."""

    BIRADS = "BI-RADS and density"
    FINDINGS = "Findings"
    GREEN = "MammoGREEN"
    PLACES = "Places"
    TEXT = "Text"
    OTHER = "Other"


_NAMED: tuple[tuple[Family, str], ...] = (
    (Family.GREEN, r"^mammo_?green"),
    (Family.TEXT, r"^(rouge|meteor|bleu|chrf|cider|bertscore|radgraph|text)"),
    (Family.PLACES, r"^(pointing|box|froc|lesion)"),
    (Family.FINDINGS, r"finding|contradiction|comparison|sides"),
    (Family.BIRADS, r"^(birads|density|workup|abnormal)"),
)

_MAIN: tuple[str, ...] = (
    r"^birads_accuracy_7_worst$",
    r"^birads_kappa_quadratic_7_worst$",
    r"^density_accuracy$",
    r"^finding_f1$",
    r"^mammogreen_score$",
    r"^pointing_hit",
    r"^rouge_l_f1",
    r"^cider_d",
)
"""One metric a line stands for its family in the verdict, the pictures and the subgroups: the first that fits."""


def family(name: str) -> Family:
    """The family of a metric; OTHER where its name tells nothing."""
    return next((family for family, pattern in _NAMED if re.search(pattern, name)), Family.OTHER)


def families(names: Iterable[str]) -> dict[Family, list[str]]:
    """Names by family, families in their order, names in the order given; no empty family."""
    given = list(names)
    grouped = {f: [n for n in given if family(n) is f] for f in Family}
    return {f: found for f, found in grouped.items() if found}


def main_metrics(names: Iterable[str]) -> list[str]:
    """The few metrics that stand for all, at most one for each line of the list above."""
    given = list(names)
    found = (next((n for n in given if re.search(pattern, n)), None) for pattern in _MAIN)
    return list(dict.fromkeys(n for n in found if n is not None))
