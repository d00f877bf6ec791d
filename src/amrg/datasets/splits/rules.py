"""Named splits: a name, a version and a seed give the same keys for the same data set, byte for byte."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from amrg.core.hashing import sha256_of_text
from amrg.datasets.importer import DatasetError
from amrg.datasets.splits.linked_cases import LinkedCases, link_cases
from amrg.datasets.splits.near_duplicates import NEAR
from amrg.datasets.store import LAYOUT, PARTS, Dataset, Split

Lists = tuple[Sequence[str], Sequence[str], Sequence[str]]
SHARES = (0.8, 0.1, 0.1)
IMAGES = (407, 51, 52)  # of 510, as AMRG's split is reported second-hand
LAST = 52
_PUBLISHED = {
    "train": {"train", "training"},
    "validation": {"val", "valid", "validation", "dev"},
    "test": {"test", "testing"},
}


@dataclass(frozen=True)
class SplitRule:
    """How a split is made. `draw` takes a seed where `seeded`; `only` names the data sets it is for, empty for all.

    `version` counts up when the same seed gives other keys.
    """

    name: str
    about: str
    version: int
    seeded: bool
    draw: Callable[[Dataset, int], Lists]
    only: tuple[str, ...] = ()


def make_split(dataset: Dataset, name: str, seed: int | None = None) -> Split:
    """Draw a split by its rule; `Dataset.write_split` stores it. Seed 0 where none is given.

    Raises:
        DatasetError: no such rule for this data set, a seed for a rule that is not random, or too few cases or
            groups for the rule.
    """
    rule = _rule(dataset, name)
    if seed is not None and not rule.seeded:
        raise DatasetError(f"split {name}: is not random and takes no seed; found seed {seed}, omit it")
    train, validation, test = rule.draw(dataset, seed or 0)
    return Split(
        schema=LAYOUT,
        name=name,
        version=rule.version,
        seed=(seed or 0) if rule.seeded else None,
        rule=rule.about,
        dataset=dataset.info.name,
        dataset_hash=dataset.info.hash,
        train=tuple(train),
        validation=tuple(validation),
        test=tuple(test),
    ).with_hash()


def rules_for(dataset: str) -> list[SplitRule]:
    """The rules that a data set can be split by."""
    return [rule for rule in RULES if not rule.only or dataset in rule.only]


def _rule(dataset: Dataset, name: str) -> SplitRule:
    for rule in rules_for(dataset.info.name):
        if rule.name == name:
            return rule
    known = ", ".join(rule.name for rule in rules_for(dataset.info.name))
    raise DatasetError(f"{dataset.info.name}: no split {name!r}; expected one of {known}")


def _clean(dataset: Dataset, seed: int) -> Lists:
    """Whole groups, the largest first, each to the part that lacks most of its categories."""
    groups = link_cases(dataset.cases())
    chosen: tuple[list[str], list[str], list[str]] = ([], [], [])
    needs = _Needs(groups)
    for group in sorted(_shuffle(groups, seed), key=lambda group: -len(group.keys)):
        chosen[needs.place(group)].extend(group.keys)
    if empty := [part for part, keys in zip(PARTS, chosen, strict=True) if not keys]:
        largest = max(len(group.keys) for group in groups)
        raise DatasetError(
            f"{dataset.folder}: {len(groups)} groups of cases, the largest of {largest}, leave {' and '.join(empty)} "
            "empty; a clean split needs more cases, or more distinct patients"
        )
    return _in_order(dataset, chosen)


def _shuffle(groups: Sequence[LinkedCases], seed: int) -> list[LinkedCases]:
    return sorted(groups, key=lambda group: _rank(group.keys[0], seed))


def _rank(key: str, seed: int) -> str:
    """The rank of a key under a seed: the same on every machine and version."""
    return sha256_of_text(f"{seed} {key}")


class _Needs:
    """How many cases of each category every part still lacks."""

    def __init__(self, groups: Iterable[LinkedCases]) -> None:
        total: Counter[str] = Counter()
        for group in groups:
            total.update(group.strata)
        self._target = [{stratum: share * n for stratum, n in total.items()} for share in SHARES]
        self._have = [dict.fromkeys(total, 0) for _ in SHARES]

    def place(self, group: LinkedCases) -> int:
        """The part whose squared distance from its share, relative to that share, falls most; it takes the group."""
        part = min(range(len(SHARES)), key=lambda part: self._change(part, group))
        for stratum, n in group.strata.items():
            self._have[part][stratum] += n
        return part

    def _change(self, part: int, group: LinkedCases) -> float:
        have, target = self._have[part], self._target[part]
        return sum(n * (2 * (have[s] - target[s]) + n) / target[s] for s, n in group.strata.items())


def _in_order(dataset: Dataset, lists: Iterable[Iterable[str]]) -> Lists:
    """The same lists, each in the order of the data set."""
    train, validation, test = (set(keys) for keys in lists)
    keys = dataset.keys()
    return [k for k in keys if k in train], [k for k in keys if k in validation], [k for k in keys if k in test]


def published_part(stated: str) -> str | None:
    """The part that a data set names in its own word, None for another word."""
    word = stated.strip().casefold()
    return next((part for part, names in _PUBLISHED.items() if word in names), None)


def _published(dataset: Dataset, _: int) -> Lists:
    """As the data set itself publishes; cases without a published part are in none."""
    lists: dict[str, list[str]] = {part: [] for part in PARTS}
    for case in dataset.cases():
        if case.published_split is None:
            continue
        part = published_part(case.published_split)
        if part is None:
            raise DatasetError(
                f"{case.key}: published split {case.published_split!r}; expected training, validation or test"
            )
        lists[part].append(case.key)
    if not any(lists.values()):
        raise DatasetError(f"{dataset.info.name}: publishes no split; use the split clean")
    return lists["train"], lists["validation"], lists["test"]


def _all_test(dataset: Dataset, _: int) -> Lists:
    return (), (), dataset.keys()


def _image_level(dataset: Dataset, seed: int) -> Lists:
    """Shuffled images; where there are not 510, in proportion, by largest remainder."""
    keys = sorted(dataset.keys(), key=lambda key: _rank(key, seed))
    train, validation, _ = _proportional(len(keys))
    return _in_order(dataset, (keys[:train], keys[train : train + validation], keys[train + validation :]))


def _proportional(n: int) -> list[int]:
    """`n` in the proportion of `IMAGES`."""
    exact = [n * size / sum(IMAGES) for size in IMAGES]
    sizes = [int(x) for x in exact]
    for part in sorted(range(len(sizes)), key=lambda part: sizes[part] - exact[part])[: n - sum(sizes)]:
        sizes[part] += 1
    return sizes


def _last(dataset: Dataset, _: int) -> Lists:
    keys = sorted(dataset.keys())
    if len(keys) <= 2 * LAST:
        raise DatasetError(f"{dataset.folder}: {len(keys)} images; the split last-{LAST} needs more than {2 * LAST}")
    start = len(keys) - LAST
    return keys[: start - IMAGES[1]], keys[start - IMAGES[1] : start], keys[start:]


RULES: tuple[SplitRule, ...] = (
    SplitRule(
        "clean",
        f"80/10/10 by whole groups: cases of one patient, of one report text (case, punctuation and white space "
        f"folded), or of near-duplicate texts (Jaccard of word pairs {NEAR} or more, followed from text to text) stay "
        "together; categories are balanced; the largest groups are placed first",
        1,
        True,
        _clean,
    ),
    SplitRule("published", "the data set's own split", 1, False, _published),
    SplitRule("all-test", "every case is a test case", 1, False, _all_test),
    SplitRule(
        "image-407-51-52",
        "images shuffled whatever their patient and text, 407/51/52 of 510, in proportion where there are not 510: "
        "as AMRG's split is reported; it leaks, use it only to compare",
        1,
        True,
        _image_level,
        ("dmid",),
    ),
    SplitRule(
        "last-52",
        "test: the last 52 images by number, as in later work; validation: the 51 before, our choice; "
        "it leaks, use it only to compare",
        1,
        False,
        _last,
        ("dmid",),
    ),
)
