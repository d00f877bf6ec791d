"""Splits and leaks: the same seed the same bytes, and nothing of a test report in training."""

from __future__ import annotations

from collections import Counter
from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amrg.birads import Assessment, Category, Report
from amrg.datasets import (
    NEAR,
    Case,
    Dataset,
    DatasetError,
    LeakKind,
    ReferenceSource,
    check_split,
    fold,
    import_dataset,
    importer_of,
    make_split,
    open_dataset,
    patient_group,
    rules_for,
    similarity,
    word_pairs,
)
from amrg.datasets.splits.linked_cases import link_cases
from amrg.datasets.splits.near_duplicates import NearIndex, Pairs, near_links
from amrg.datasets.splits.union_find import DisjointSets
from tests.datasets.fixtures import dataset_of, plain_case
from tests.datasets.replicas import dmid_replica


@pytest.fixture(scope="module")
def dmid(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """The 400 real reports."""
    folder = tmp_path_factory.mktemp("dmid")
    list(import_dataset(importer_of("dmid"), dmid_replica(folder / "as-published", 0), folder / "out"))
    return open_dataset(folder / "out")


def leaks(dataset: Dataset, name: str, seed: int | None = None) -> dict[tuple[str, str, LeakKind], int]:
    found = check_split(dataset, make_split(dataset, name, seed))
    return {(leak.held_out, leak.against, leak.kind): len(leak.cases) for leak in found.leaks}


def test_image_level_splits_of_the_real_reports_leak_and_last_too(dmid: Dataset) -> None:
    counts = [leaks(dmid, "image-407-51-52", seed) for seed in range(5)]
    assert [found["test", "train", LeakKind.EXACT] for found in counts] == [11, 12, 12, 12, 14]
    assert [found["test", "train", LeakKind.NEAR] for found in counts] == [5, 5, 3, 4, 2]
    assert leaks(dmid, "last-52")["test", "train", LeakKind.NEAR] == 1
    assert leaks(dmid, "last-52")["validation", "train", LeakKind.EXACT] == 3


@pytest.mark.parametrize("seed", range(5))
def test_clean_splits_of_the_real_reports_do_not_leak_and_stay_balanced(dmid: Dataset, seed: int) -> None:
    split = make_split(dmid, "clean", seed)
    assert check_split(dmid, split).is_clean
    assert sorted(split.train + split.validation + split.test) == sorted(dmid.keys())
    assert [len(split.keys(part)) for part in ("train", "validation", "test")] == [320, 40, 40]
    words = {part: {fold(dmid.case(key).text) for key in split.keys(part)} for part in ("train", "test")}
    assert not words["train"] & words["test"]
    assert len(words["test"]) > 30  # the test part is no heap of one report
    worst = {part: Counter(dmid.case(key).reference.worst for key in split.keys(part)) for part in ("train", "test")}
    for category, n in worst["test"].items():
        assert abs(worst["train"][category] / 8 - n) < 1.5


def test_near_duplicates_of_the_real_reports_chain_to_no_giant_group(dmid: Dataset) -> None:
    texts = list({fold(case.text): word_pairs(case.text) for case in dmid.cases()}.values())
    assert len(texts) == 325
    sets = DisjointSets()
    for _ in texts:
        sets.add()
    for one, other in near_links(texts):
        sets.join(one, other)
    assert sets.members() == brute_force(texts)
    sizes = sorted((len(group.keys) for group in link_cases(dmid.cases())), reverse=True)
    assert (len(sizes), sizes[:4]) == (286, [19, 18, 18, 9])


def brute_force(texts: list[Pairs]) -> list[list[int]]:
    sets = DisjointSets()
    for _ in texts:
        sets.add()
    for one, other in combinations(range(len(texts)), 2):
        if similarity(texts[one], texts[other]) >= NEAR:
            sets.join(one, other)
    return sets.members()


SENTENCES = st.lists(st.sampled_from("abcd"), min_size=1, max_size=14).map(" ".join)


@given(st.lists(SENTENCES, min_size=1, max_size=12), st.lists(st.integers(0, 5), max_size=3))
def test_near_texts_are_found_as_by_comparing_all(sentences: list[str], cuts: list[int]) -> None:
    texts = [word_pairs(text) for text in sentences + [sentences[0][c:] for c in cuts]]
    sets = DisjointSets()
    for _ in texts:
        sets.add()
    for one, other in near_links(texts):
        sets.join(one, other)
    assert sets.members() == brute_force(texts)
    rest = texts[1:]
    found = NearIndex(rest).near(texts[0])
    assert (found is not None) == any(similarity(texts[0], other) >= NEAR for other in rest)
    assert found is None or similarity(texts[0], rest[found]) >= NEAR


def test_folding_keeps_words_and_numbers_only() -> None:
    assert fold("BIRADS:  4c,\r\nFindings -- No ﬁnding!") == ("birads", "4c", "findings", "no", "finding")
    assert word_pairs("a b a b") != word_pairs("a b")
    text = " ".join(f"w{i}" for i in range(27))
    assert similarity(word_pairs(text), word_pairs(text.replace("w13", "x"))) == pytest.approx(24 / 28)


def test_same_seed_same_bytes_and_other_seed_other_keys(dmid: Dataset) -> None:
    for rule in rules_for("dmid"):
        if rule.name == "published":
            continue
        made = [make_split(dmid, rule.name) for _ in range(2)]
        assert made[0].model_dump_json() == made[1].model_dump_json()
        if rule.seeded:
            assert make_split(dmid, rule.name, 1).test != made[0].test
        else:
            with pytest.raises(DatasetError, match="takes no seed; found seed 1"):
                make_split(dmid, rule.name, 1)
    # Written down: a change of these is a change of version.
    assert make_split(dmid, "clean").test[:4] == ("Img001", "Img056", "Img057", "Img075")
    assert make_split(dmid, "image-407-51-52").test[:4] == ("Img014", "Img022", "Img026", "Img031")


@pytest.mark.parametrize(("n", "sizes"), [(510, [407, 51, 52]), (400, [319, 40, 41]), (7, [5, 1, 1]), (1, [1, 0, 0])])
def test_an_image_level_split_is_407_51_52_or_in_proportion(tmp_path: Path, n: int, sizes: list[int]) -> None:
    split = make_split(dataset_of(tmp_path, (plain_case(f"k{i}") for i in range(n)), "dmid"), "image-407-51-52")
    assert [len(split.keys(part)) for part in ("train", "validation", "test")] == sizes


def test_last_52_are_the_last_by_number(dmid: Dataset, tmp_path: Path) -> None:
    split = make_split(dmid, "last-52")
    assert split.test == tuple(f"Img{n:03d}" for n in range(349, 401))
    assert split.validation == tuple(f"Img{n:03d}" for n in range(298, 349))
    few = dataset_of(tmp_path, (plain_case(f"Img{n:03d}") for n in range(60)), "dmid")
    with pytest.raises(DatasetError, match="60 images; the split last-52 needs more than 104"):
        make_split(few, "last-52")


def test_patients_stay_together_and_are_found_when_they_do_not(tmp_path: Path) -> None:
    cases = [plain_case(f"k{i}", f"report {i * 'very '} {i}", patient_group("made", str(i // 3))) for i in range(60)]
    dataset = dataset_of(tmp_path, cases, "dmid")
    assert leaks(dataset, "clean")["test", "train", LeakKind.PATIENT] == 0
    split = make_split(dataset, "image-407-51-52")
    found = check_split(dataset, split)
    assert found.patients == len(dataset.keys())
    (leak,) = (
        leak for leak in found.leaks if (leak.held_out, leak.against, leak.kind) == ("test", "train", LeakKind.PATIENT)
    )
    train = {key: i // 3 for i, key in enumerate(dataset.keys()) if key in split.train}
    expected = [key for key in split.test if int(key[1:]) // 3 in train.values()]
    assert [shared.key for shared in leak.cases] == expected
    assert all(int(s.key[1:]) // 3 == train[s.other] for s in leak.cases)
    assert leak.share == len(expected) / len(split.test)


def test_rendered_texts_are_no_leak(tmp_path: Path) -> None:
    rendered = [plain_case(f"k{i}").model_copy(update={"source": ReferenceSource.LABELS}) for i in range(40)]
    found = check_split(dataset_of(tmp_path, rendered), make_split(open_dataset(tmp_path / "made"), "clean"))
    assert found.is_clean
    assert found.texts == 0


def test_data_that_cannot_be_split_cleanly_is_refused(tmp_path: Path) -> None:
    same = dataset_of(tmp_path, [plain_case(f"k{i}") for i in range(30)])
    with pytest.raises(DatasetError, match="1 groups of cases, the largest of 30, leave validation and test empty"):
        make_split(same, "clean")
    with pytest.raises(DatasetError, match="publishes no split"):
        make_split(same, "published")
    with pytest.raises(DatasetError, match="no split 'last-52'; expected one of clean, published, all-test"):
        make_split(same, "last-52")


def test_a_published_split_is_taken_as_it_is(tmp_path: Path) -> None:
    stated = ["Training", "test", "val", None, "training"]
    cases = [plain_case(f"k{i}").model_copy(update={"published_split": s}) for i, s in enumerate(stated)]
    split = make_split(dataset_of(tmp_path, cases), "published")
    assert (split.train, split.validation, split.test) == (("k0", "k4"), ("k2",), ("k1",))
    odd = [plain_case("k").model_copy(update={"published_split": "fold 3"})]
    with pytest.raises(DatasetError, match="k: published split 'fold 3'"):
        make_split(dataset_of(tmp_path, odd, "odd"), "published")


def test_rare_categories_go_to_training(tmp_path: Path) -> None:
    def with_category(i: int) -> Case:
        category = Category.KNOWN_MALIGNANCY if i == 7 else Category.NEGATIVE
        case = plain_case(f"k{i}", f"report {'x ' * i}")
        return case.model_copy(update={"reference": Report(assessments=(Assessment(category=category),))})

    split = make_split(dataset_of(tmp_path, map(with_category, range(50))), "clean")
    assert "k7" in split.train
