"""Pictures for the page: of a data set's cases, none where they cannot be had."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from amrg.benchmark.showing import pictures_of
from amrg.birads import Laterality, Report, View
from amrg.datasets import About, Case, ImageRef, ReferenceSource
from amrg.datasets.parquet import PartFacts, hash_of, write_part
from amrg.datasets.store import Info, part_path, write_text


def test_a_case_is_shown_as_its_contact_sheet_where_its_pictures_are(tmp_path: Path) -> None:
    film = np.zeros((640, 480), np.uint8)
    film[150:500, 200:] = 150
    Image.fromarray(film).save(tmp_path / "there.png")
    cases = [_case("there"), _case("gone")]
    facts = PartFacts(
        layout=1, dataset="set", root=str(tmp_path), software="", items="", hash=hash_of(cases), cases=2, images=2
    )
    write_part(part_path(tmp_path, 0), cases, facts)
    info = Info.of(About("set", "", "", "", ""), str(tmp_path), {"cases": 2}, [facts.hash])
    write_text(tmp_path / "dataset.json", [info.as_json()])
    pictures = pictures_of(tmp_path)
    assert pictures is not None
    sheet = pictures("there")
    assert sheet is not None
    assert np.asarray(sheet.convert("L")).max() > 100
    assert pictures("gone") is None
    assert pictures("unknown") is None


def test_without_a_data_set_there_are_no_pictures(tmp_path: Path) -> None:
    assert pictures_of(None) is None
    assert pictures_of(tmp_path) is None


def _case(key: str) -> Case:
    return Case(
        key=key,
        dataset="set",
        group=key,
        source=ReferenceSource.RADIOLOGIST,
        licence="",
        images=(ImageRef(file=f"{key}.png", laterality=Laterality.RIGHT, view=View.CC),),
        reference=Report(),
        text="BIRADS 1.",
    )
