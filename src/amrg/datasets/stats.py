"""Counts of a data set, in one pass."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from amrg.core.values import Value
from amrg.datasets.case import Case
from amrg.datasets.splits.groups import is_patient, text_group
from amrg.datasets.splits.linked_cases import has_own_text
from amrg.datasets.store import Dataset


class Stats(Value):
    """Counts over all cases; `tables` are counts by value, most common first. A case without a value counts as `none`.

    `missing_images` are named by a case, or were named by the data set at its import, but not found below the root;
    `patients` are groups that are one patient, `texts` cases with a text that a person wrote, `distinct_texts` those
    texts once case, punctuation and space are folded.
    """

    cases: int
    images: int
    missing_images: int
    groups: int
    patients: int
    texts: int
    distinct_texts: int
    boxes: int
    oddities: int
    tables: dict[str, dict[str, int]]


def stats_of(dataset: Dataset) -> Stats:
    """Count a data set."""
    tables: dict[str, Counter[str]] = {}
    groups: set[str] = set()
    words: set[str] = set()
    sums: Counter[str] = Counter()
    sums["missing"] = sum(oddity.missing_image for oddity in dataset.oddities())
    for case in dataset.cases():
        groups.add(case.group)
        own = has_own_text(case)
        if own:
            words.add(text_group(case.text))
        boxes = sum(len(finding.boxes) for finding in case.reference.findings)
        missing = sum(not (dataset.root / image.file).is_file() for image in case.images)
        sums.update(cases=1, images=len(case.images), missing=missing, texts=own, boxes=boxes)
        for table, value in _values(case):
            tables.setdefault(table, Counter())[value] += 1
    return Stats(
        cases=sums["cases"],
        images=sums["images"],
        missing_images=sums["missing"],
        groups=len(groups),
        patients=sum(map(is_patient, groups)),
        texts=sums["texts"],
        distinct_texts=len(words),
        boxes=sums["boxes"],
        oddities=dataset.info.counts["oddities"],
        tables={table: dict(counts.most_common()) for table, counts in tables.items()},
    )


def _values(case: Case) -> Iterator[tuple[str, str]]:
    """What a case counts under, table by table."""
    worst, composition = case.reference.worst, case.reference.composition
    yield "source", case.source.value
    yield "category", "none" if worst is None else worst.value
    yield "density", "none" if composition is None else composition.value
    yield "published split", case.published_split or "none"
    for image in case.images:
        yield "view", f"{image.laterality or '?'}{image.view or '?'}"
    for finding in case.reference.findings or (None,):
        none = "none" if case.findings_known else "not known"
        yield "finding", none if finding is None else finding.kind.value
