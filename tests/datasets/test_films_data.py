"""The shared real mammograms as data set folders: what a case says follows from the labels of its views."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from films_data import SOURCES, ViewsTable, WrittenSet, sets_to_write, write_views
from PIL import Image

from amrg.birads import Category, Kind, Laterality, Margin, Shape, View
from amrg.datasets.case import Case, ReferenceSource
from amrg.datasets.import_dataset import import_dataset
from amrg.datasets.store import open_dataset
from amrg.training.tower.films import ListedFilm

HELD_OUT = 3
MASS = {"kind": "mass", "assessment": 4, "shape": "OVAL", "margins": "SPICULATED", "box": [100.0, 200.0, 180.0, 260.0]}


def film(folder: Path, name: str, view: str, **record: Any) -> ListedFilm:
    """A listed view of 800 x 800 stored pixels."""
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.zeros((800, 800), np.uint8)).save(file)
    return ListedFilm({"file": name, "patient": "P1", "laterality": "L", "view": view, **record}, folder)


def cases(source: str, films: list[ListedFilm], folder: Path) -> list[Case]:
    """The cases that the views make."""
    written = WrittenSet(source, source, lambda listed: listed.fold == HELD_OUT)
    write_views(films, written.part, folder / "views")
    list(import_dataset(ViewsTable(SOURCES[source]), folder / "views", folder / "data"))
    return list(open_dataset(folder / "data").cases())


def test_a_mass_on_two_films_is_one_finding_with_a_box_on_each(tmp_path: Path) -> None:
    lesions = {"lesions": [MASS], "boxes": [MASS["box"]], "density": 3, "aspect": 0.5}
    films = [film(tmp_path, f"cbis/{view}.jpg", view, **lesions) for view in ("CC", "MLO")]
    (case,) = cases("cbis", films, tmp_path)
    (finding,) = case.reference.findings
    assert case.source is ReferenceSource.LABELS
    assert (finding.kind, finding.shape, finding.margin) == (Kind.MASS, Shape.OVAL, Margin.SPICULATED)
    assert (finding.laterality, set(finding.views)) == (Laterality.LEFT, {View.CC, View.MLO})
    assert case.reference.worst is Category.SUSPICIOUS
    assert str(case.reference.composition) == "c"
    for image in case.images:
        with Image.open(tmp_path / "views" / image.file) as written:
            assert written.size == (400, 800)
    assert {(box.left, box.right, box.top) for box in finding.boxes} == {(50.0, 90.0, 200.0)}


def test_of_a_digital_view_the_radiologists_words_are_read(tmp_path: Path) -> None:
    words = "High density mass with microlobulated margin"
    views = [film(tmp_path, "cesm/a.jpg", "CC", findings_text=words, assessment="5", density=2)]
    (case,) = cases("cesm", views, tmp_path)
    (finding,) = case.reference.findings
    assert (finding.kind, finding.margin) == (Kind.MASS, Margin.MICROLOBULATED)
    assert case.reference.worst is Category.HIGHLY_SUGGESTIVE
    assert json.loads(case.labels["a.png"])["findings_text"] == words


def test_a_patient_is_in_one_part_and_the_fold_held_out_in_test(tmp_path: Path) -> None:
    labels = {"findings_text": "Mass", "assessment": "4", "density": 2}
    views = [film(tmp_path, f"cesm/{n}.jpg", "CC", patient=f"P{n % 20}", **labels) for n in range(40)]
    held_out = {view.record["patient"] for view in views if view.fold == HELD_OUT}
    found = {case.key: case.published_split for case in cases("cesm", views, tmp_path)}
    assert len(found) == 20
    assert {patient for patient, part in found.items() if part == "test"} == held_out


def test_half_of_the_patients_of_the_hospital_are_for_testing(tmp_path: Path) -> None:
    (hospital,) = (written for written in sets_to_write() if written.name == "hospital")
    patients = [ListedFilm({"file": f"cesm/{n}.jpg", "patient": f"P{n}"}, tmp_path) for n in range(400)]
    assert 160 < sum(map(hospital.tested, patients)) < 240
