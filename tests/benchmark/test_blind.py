"""Baselines of a data set: over seeds, once for a rule without a seed."""

from __future__ import annotations

import pytest

from amrg.benchmark.scoring.blind import BlindScores, as_markdown, blind_scores
from amrg.datasets import Dataset, DatasetError, import_dataset, importer_of, open_dataset
from tests.datasets.replicas import dmid_replica


@pytest.fixture(scope="module")
def dmid(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    folder = tmp_path_factory.mktemp("dmid")
    for _ in import_dataset(importer_of("dmid"), dmid_replica(folder / "published", 0, reports=160), folder / "in"):
        pass
    return open_dataset(folder / "in")


def value(found: BlindScores, baseline: str, metric: str) -> float:
    number = found.values[baseline][metric].value
    assert number is not None
    return number


def test_a_constant_report_reaches_the_published_text_scores_on_the_real_texts(dmid: Dataset) -> None:
    found = blind_scores(dmid, "image-407-51-52", range(3))
    assert found.seeds == 3
    assert value(found, "constant", "rouge_l_f1_stemmed") > 0.55  # AMRG: 0.5691
    assert value(found, "oracle", "density_accuracy_strict") > 0.9
    spread = found.values["sampled"]["rouge_l_f1_stemmed"]
    assert spread.low is not None
    assert spread.high is not None
    assert spread.low < value(found, "sampled", "rouge_l_f1_stemmed") < spread.high


def test_a_split_without_a_seed_is_used_once_and_the_table_names_all(dmid: Dataset) -> None:
    found = blind_scores(dmid, "last-52", range(3))
    assert (found.seeds, found.n) == (1, 52)
    lines = list(as_markdown([found]))
    assert len({line.count("|") for line in lines}) == 1
    assert [line.split("|")[2].strip() for line in lines[2:]] == list(found.values)


def test_an_unknown_split_is_refused(dmid: Dataset) -> None:
    with pytest.raises(DatasetError, match="clean"):
        blind_scores(dmid, "cleann", range(1))
