"""What all importers of public data sets hold to, over miniature replicas of their published layouts."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from amrg.birads import flaws, parse
from amrg.datasets import ReferenceSource
from amrg.datasets.import_dataset import import_dataset
from amrg.datasets.importer import DatasetError, Oddity
from amrg.datasets.importers.registry import importer_of
from amrg.datasets.store import open_dataset
from amrg.datasets.studies import study_of
from amrg.datasets.tables.grouping import Row, group_rows
from tests.datasets.published import imported
from tests.datasets.replicas_digital import embed, rsna, vindr_mammo
from tests.datasets.replicas_film import cbis_ddsm, inbreast, mini_mias
from tests.datasets.replicas_sheets import cdd_cesm, cmmd, kau_bcmd

Build = Callable[[Path], Path]
REPLICAS: dict[str, Build] = {
    "cbis-ddsm": cbis_ddsm,
    "cdd-cesm": cdd_cesm,
    "cmmd": cmmd,
    "embed": embed,
    "inbreast": inbreast,
    "kau-bcmd": kau_bcmd,
    "mini-mias": mini_mias,
    "rsna": rsna,
    "vindr-mammo": vindr_mammo,
}
EXPECTED = {
    "cbis-ddsm": "mass_case_description_train_set.csv",
    "cdd-cesm": "Radiology-manual-annotations.xlsx",
    "cmmd": "CMMD_clinicaldata_revision.xlsx",
    "embed": "EMBED_OpenData_clinical.csv",
    "inbreast": "INbreast.csv",
    "kau-bcmd": "Birad1",
    "mini-mias": "Info.txt",
    "rsna": "train.csv",
    "vindr-mammo": "breast-level_annotations.csv",
}
MISSING_COLUMN = {
    "inbreast": ("INbreast.csv", "missing columns"),
    "mini-mias": ("Info.txt", "no line of a film"),
    "rsna": ("train.csv", "missing columns site_id"),
    "vindr-mammo": ("breast-level_annotations.csv", "missing columns study_id"),
}


@pytest.fixture(params=sorted(REPLICAS))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_the_same_folder_gives_the_same_cases(name: str, tmp_path: Path) -> None:
    root = REPLICAS[name](tmp_path)
    first = imported(name, root)
    assert imported(name, root) == first
    cases = first[0]
    assert len({case.key for case in cases}) == len(cases) >= 2
    about = importer_of(name).about
    assert {(case.dataset, case.licence) for case in cases} == {(name, about.licence)}
    assert about.name == name
    assert all((about.title, about.licence, about.citation, about.url))


def test_a_rendered_reference_says_what_its_labels_say(name: str, tmp_path: Path) -> None:
    cases, _ = imported(name, REPLICAS[name](tmp_path))
    rendered = [case for case in cases if case.source is ReferenceSource.LABELS]
    assert rendered
    for case in rendered:
        assert flaws(case.reference) == []
        assert parse(case.text).report.stated() == case.reference.stated()
        assert case.reference.recommendation is None
        assert case.reference.negatives == ()


def test_every_image_of_a_case_is_there_and_reads_as_a_study(name: str, tmp_path: Path) -> None:
    root = REPLICAS[name](tmp_path)
    cases, _ = imported(name, root)
    case = next(case for case in cases if case.images)
    read = {(m.laterality, m.view) for m in study_of(case, root).mammograms}
    stated = {(image.laterality, image.view) for image in case.images if image.view is not None}
    assert read
    assert stated <= read
    assert not any(m.flipped for m in study_of(case, root).mammograms)  # each hangs as its side asks


def test_an_image_that_is_not_there_is_counted(name: str, tmp_path: Path) -> None:
    root = REPLICAS[name](tmp_path)
    cases, before = imported(name, root)
    case = next(case for case in cases if case.images and " | " not in case.labels.get("LeftRight", ""))
    (root / case.images[0].file).unlink()
    after = imported(name, root)[1]
    assert sum(o.missing_image for o in after) == sum(o.missing_image for o in before) + 1


def test_another_folder_is_refused_by_what_it_lacks(name: str, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=EXPECTED[name]):
        imported(name, tmp_path)
    if name in MISSING_COLUMN:
        file, message = MISSING_COLUMN[name]
        (tmp_path / file).write_text("one,two\n1,2\n", encoding="utf-8")
        with pytest.raises(DatasetError, match=message):
            imported(name, tmp_path)


def test_an_import_keeps_cases_and_oddities(name: str, tmp_path: Path) -> None:
    root = REPLICAS[name](tmp_path / "published")
    cases, oddities = imported(name, root)
    list(import_dataset(importer_of(name), root, tmp_path / "out"))
    assert list(open_dataset(tmp_path / "out").cases()) == cases
    lines = (tmp_path / "out" / "oddities.jsonl").read_text(encoding="utf-8").splitlines()
    assert [Oddity.model_validate_json(line) for line in lines] == oddities


def test_rows_that_stand_apart_come_together_in_bounded_memory() -> None:
    count, cases = 20_000, 5_000

    def rows() -> Iterator[tuple[str, Row]]:
        return ((f"case-{n % cases}", {"number": str(n), "cell": "x" * 200}) for n in range(count))

    tracemalloc.start()
    try:
        row_count = 0
        for number, item in enumerate(group_rows(rows())):
            assert item.key == f"case-{number}"
            assert [int(row["number"]) for row in item.rows] == list(range(number, count, cases))
            row_count += len(item.rows)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert row_count == count
    assert peak < count * 200 / 4  # the rows are on disk, not here
