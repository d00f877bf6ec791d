"""Data set folders: exact, streamed, resumed to the same bytes, refused when they would mix."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amrg.birads import Laterality, View
from amrg.datasets import (
    About,
    Case,
    Dataset,
    DatasetError,
    ImageRef,
    Item,
    Oddity,
    ReferenceSource,
    import_dataset,
    make_split,
    open_dataset,
)
from amrg.datasets.importer import Odd
from amrg.datasets.parquet import from_table, to_table
from tests.birads.strategies import reports
from tests.datasets.fixtures import plain_case

WORDS = st.text(max_size=30)
IMAGES = st.builds(
    ImageRef,
    file=WORDS,
    laterality=st.none() | st.sampled_from(Laterality),
    view=st.none() | st.sampled_from(View),
    masks=st.lists(WORDS, max_size=2).map(tuple),
)
CASES = st.builds(
    Case,
    key=WORDS,
    dataset=WORDS,
    group=WORDS,
    source=st.sampled_from(ReferenceSource),
    licence=WORDS,
    images=st.lists(IMAGES, max_size=4).map(tuple),
    reference=reports(),
    text=st.text(),
    labels=st.dictionaries(WORDS, WORDS, max_size=3),
    published_split=st.none() | WORDS,
    notes=st.lists(WORDS, max_size=2).map(tuple),
)


class Made:
    """An importer of cases made on the spot: every third item is odd, every seventh has no case."""

    about = About(name="made", title="Made", licence="none", citation="", url="")

    def __init__(self, n: int) -> None:
        self.n = n
        self.made: list[weakref.ref[Case]] = []
        self.requested: list[str] = []
        self.most_alive = 0

    def items(self, root: Path, odd: Odd) -> Iterator[Item]:
        for i in range(self.n):
            if i % 3 == 0:
                odd(Oddity(where=f"row {i}", found="odd", expected="even"))
            yield Item(f"k{i}", ({"number": str(i)},))
        odd(Oddity(where="end", found="one row more", expected="none"))

    def case(self, root: Path, item: Item, odd: Odd) -> Case | None:
        self.requested.append(item.key)
        if int(item.rows[0]["number"]) % 7 == 6:
            odd(Oddity(where=item.key, found="nothing", expected="a case"))
            return None
        case = plain_case(item.key)
        self.made.append(weakref.ref(case))
        self.most_alive = max(self.most_alive, sum(ref() is not None for ref in self.made))
        return case


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def imported(root: Path, out: Path, n: int = 25) -> Dataset:
    list(import_dataset(Made(n), root, out, size=10))
    return open_dataset(out)


@given(st.lists(CASES, max_size=3))
def test_cases_come_back_as_they_were(cases: list[Case]) -> None:
    assert from_table(to_table(cases)) == cases


def test_a_data_set_gives_its_cases_in_order_and_one_by_one(tmp_path: Path) -> None:
    dataset = imported(tmp_path, tmp_path / "out")
    expected = [f"k{i}" for i in range(25) if i % 7 != 6]
    assert [case.key for case in dataset.cases()] == list(dataset.keys()) == expected
    assert dataset.case("k24") == plain_case("k24")
    assert dataset.info.counts == {"cases": 22, "images": 0, "parts": 3, "oddities": 9 + 3 + 1}
    wheres = [oddity.where for oddity in dataset.oddities()]
    assert wheres[:5] == ["row 0", "row 3", "row 6", "row 9", "k6"]  # part by part: its rows, then its cases
    assert wheres[-4:] == ["row 21", "row 24", "end", "k20"]
    with pytest.raises(DatasetError, match="no case 'k6'"):
        dataset.case("k6")


@pytest.mark.parametrize("parts", [0, 1, 2, 3])
def test_an_interrupted_import_resumes_to_the_same_bytes(tmp_path: Path, parts: int) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    imported(tmp_path, whole)
    list(islice(import_dataset(Made(25), tmp_path, broken, size=10), parts))
    (broken / "cases").mkdir(parents=True, exist_ok=True)
    (broken / "cases" / f"part-{parts:05d}.partial").write_bytes(b"half a part")
    if parts:
        with pytest.raises(DatasetError, match="interrupted import; run the same amrg data import again"):
            open_dataset(broken)
    again = Made(25)
    done = list(import_dataset(again, tmp_path, broken, size=10))
    assert [part.again for part in done] == [True] * parts + [False] * (3 - parts)
    assert again.requested == [f"k{i}" for i in range(10 * parts, 25)]
    (broken / "cases" / f"part-{parts:05d}.partial").unlink(missing_ok=True)
    assert contents(broken) == contents(whole)


def test_an_import_killed_before_its_last_file_ends_with_the_same_bytes(tmp_path: Path) -> None:
    imported(tmp_path, tmp_path / "out")
    before = contents(tmp_path / "out")
    (tmp_path / "out" / "dataset.json").unlink()
    (tmp_path / "out" / "oddities.jsonl").write_text("half", encoding="utf-8")
    imported(tmp_path, tmp_path / "out")
    assert contents(tmp_path / "out") == before


def test_importing_again_changes_nothing(tmp_path: Path) -> None:
    imported(tmp_path, tmp_path / "out")
    before = {p: (p.stat().st_mtime_ns, p.stat().st_ino) for p in (tmp_path / "out").rglob("*")}
    imported(tmp_path, tmp_path / "out")
    assert {p: (p.stat().st_mtime_ns, p.stat().st_ino) for p in (tmp_path / "out").rglob("*")} == before


def test_a_folder_that_is_not_imported_names_the_command_that_imports_it(tmp_path: Path) -> None:
    (tmp_path / "study-1").mkdir()
    for table, name in (("cases.csv", "generic"), ("cases.jsonl", "phantom")):
        (tmp_path / table).write_text("", encoding="utf-8")
        with pytest.raises(DatasetError, match=rf"found {table}.*amrg data import {name} "):
            open_dataset(tmp_path)
        (tmp_path / table).unlink()


def test_an_import_into_another_data_set_is_refused(tmp_path: Path) -> None:
    imported(tmp_path, tmp_path / "out")
    other = Made(25)
    other.about = About(name="other", title="Other", licence="none", citation="", url="")
    (tmp_path / "elsewhere").mkdir()
    with pytest.raises(DatasetError, match=r"contains made from .*expected other"):
        list(import_dataset(other, tmp_path, tmp_path / "out", size=10))
    with pytest.raises(DatasetError, match="elsewhere"):
        list(import_dataset(Made(25), tmp_path / "elsewhere", tmp_path / "out", size=10))
    for changed in (26, 15):
        with pytest.raises(DatasetError, match=r"tables at .* have changed"):
            list(import_dataset(Made(changed), tmp_path, tmp_path / "out", size=10))
    with pytest.raises(DatasetError, match="for which the tables have no cases"):
        list(import_dataset(Made(20), tmp_path, tmp_path / "out", size=10))
    with pytest.raises(DatasetError, match="no case of made found"):
        list(import_dataset(Made(0), tmp_path, tmp_path / "none"))
    with pytest.raises(DatasetError, match="no such folder"):
        list(import_dataset(Made(1), tmp_path / "nowhere", tmp_path / "none"))


def test_a_duplicate_key_is_imported_once_and_reported(tmp_path: Path) -> None:
    class Doubled(Made):
        def items(self, root: Path, odd: Odd) -> Iterator[Item]:
            yield from super().items(root, odd)
            yield Item("k1", ({"number": "1"},))

    list(import_dataset(Doubled(5), tmp_path, tmp_path / "out"))
    dataset = open_dataset(tmp_path / "out")
    assert dataset.keys() == ("k0", "k1", "k2", "k3", "k4")
    assert [o.where for o in dataset.oddities() if "second case" in o.found] == ["k1"]


def test_no_more_than_a_part_is_ever_held(tmp_path: Path) -> None:
    made = Made(60)
    for done in import_dataset(made, tmp_path, tmp_path / "out", size=10):
        gc.collect()
        assert sum(ref() is not None for ref in made.made) == 0, done
    assert made.most_alive <= 10
    alive = [weakref.ref(case) for case in open_dataset(tmp_path / "out").cases()]
    gc.collect()
    assert sum(ref() is not None for ref in alive) <= 1


def test_the_hash_is_of_the_cases_and_not_of_their_place(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    one, two = (imported(tmp_path / name, tmp_path / f"out-{name}") for name in "ab")
    assert one.info.hash == two.info.hash
    assert one.info.root != two.info.root
    assert imported(tmp_path / "a", tmp_path / "out-c", n=24).info.hash != one.info.hash


def test_folders_without_a_data_set_are_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"dataset\.json is missing"):
        open_dataset(tmp_path)
    (tmp_path / "dataset.json").write_text("{}", encoding="utf-8")
    with pytest.raises(DatasetError, match="schema: Field required"):
        open_dataset(tmp_path)
    dataset = imported(tmp_path, tmp_path / "out")
    text = (tmp_path / "out" / "dataset.json").read_text(encoding="utf-8")
    (tmp_path / "out" / "dataset.json").write_text(text.replace('"schema": 1', '"schema": 99'), encoding="utf-8")
    with pytest.raises(DatasetError, match="layout 99, this version reads 1"):
        open_dataset(tmp_path / "out")
    (tmp_path / "out" / "cases" / "part-00001.parquet").write_bytes(b"PAR1 junk")
    with pytest.raises(DatasetError, match=r"part-00001.parquet: not a readable part"):
        list(dataset.cases())


def test_a_split_is_checked_against_its_data_set(tmp_path: Path) -> None:
    dataset = imported(tmp_path, tmp_path / "out")
    made = dataset.write_split(make_split(dataset, "all-test"))
    assert dataset.split("all-test") == made
    path = tmp_path / "out" / "splits" / "all-test.json"
    before = path.read_bytes()
    dataset.write_split(make_split(dataset, "all-test"))
    assert path.read_bytes() == before
    for update, message in (
        ({"test": ("k0", "nobody")}, "keys without a case in .*: 1, such as 'nobody'"),
        ({"train": ("k0",)}, "keys that occur twice: 1, such as 'k0'"),
        ({"dataset_hash": "0" * 64}, "made for made with hash 0000"),
        ({"test": ("k0",)}, "contains a different split"),
    ):
        with pytest.raises(DatasetError, match=message):
            dataset.write_split(made.model_copy(update=update))
    path.write_bytes(before.replace(b'"k1"', b'"k2"'))
    with pytest.raises(DatasetError, match="was changed after it was made"):
        dataset.split("all-test")
    path.write_bytes(b"{}")
    with pytest.raises(DatasetError, match="Field required"):
        dataset.split("all-test")
    with pytest.raises(DatasetError, match="no split 'clean'; found all-test"):
        dataset.split("clean")
