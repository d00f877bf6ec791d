"""CBIS-DDSM, INbreast and mini-MIAS: every case and every oddity of their replicas."""

from __future__ import annotations

from pathlib import Path

from amrg.birads import Category, Composition, Distribution, Finding, Kind, Margin, Morphology, Shape, View
from amrg.datasets import is_patient
from tests.datasets.published import LEFT, RIGHT, box, found_by_place, imported, judged
from tests.datasets.replicas_film import CBIS_IMAGES, INBREAST_PATIENT, cbis_ddsm, inbreast, mini_mias


def test_cbis_ddsm(tmp_path: Path) -> None:
    cases, _ = imported("cbis-ddsm", cbis_ddsm(tmp_path))
    first, second = cases
    assert [(c.key, c.group, c.published_split) for c in cases] == [
        ("P_00001", "P_00001", "train"),
        ("P_00002", "P_00002", "test"),
    ]
    assert [(i.laterality, i.view) for i in first.images] == [(LEFT, View.CC), (LEFT, View.MLO)]
    masks = [mask.removeprefix(f"{CBIS_IMAGES}/").split("/") for i in first.images for mask in i.masks]
    assert [(parts[0], parts[-1]) for parts in masks] == [
        ("Mass-Training_P_00001_LEFT_CC_1", "1-1.dcm"),  # the larger file, whatever its number
        ("Mass-Training_P_00001_LEFT_MLO_1", "1-2.dcm"),
    ]
    assert first.reference.composition is Composition.C
    assert first.reference.assessments == judged(None, "4")
    assert first.reference.findings == (
        Finding(
            kind=Kind.MASS,
            laterality=LEFT,
            shape=Shape.IRREGULAR,
            margin=Margin.SPICULATED,
            associated=(Kind.DISTORTION,),
            views=(View.CC, View.MLO),
            category=Category.SUSPICIOUS,
        ),
    )
    assert [(f.kind, f.morphology, f.distribution, f.category) for f in second.reference.findings] == [
        (Kind.INTRAMAMMARY_NODE, None, None, Category.BENIGN),
        (Kind.CALCIFICATIONS, Morphology.FINE_PLEOMORPHIC, Distribution.GROUPED, Category.INCOMPLETE),
        (Kind.CALCIFICATIONS, None, None, Category.SUSPICIOUS),
    ]
    assert second.reference.assessments == judged("4", None)
    assert len(second.images) == 1
    assert len(second.images[0].masks) == 2
    assert second.labels["pathology"] == "BENIGN_WITHOUT_CALLBACK | BENIGN | MALIGNANT"


def test_cbis_ddsm_separates_lesions_by_their_number(tmp_path: Path) -> None:
    root = cbis_ddsm(tmp_path)
    table = root / "mass_case_description_train_set.csv"
    text = table.read_bytes().decode()
    header, rows = text.split("\r\n", 1)
    table.write_bytes("\r\n".join((header, rows + rows.replace(",1,mass,", ",2,mass,"))).encode())
    first = imported("cbis-ddsm", root)[0][0]
    assert [(f.kind, f.views) for f in first.reference.findings] == [(Kind.MASS, (View.CC, View.MLO))] * 2


def test_cbis_ddsm_lists_what_is_odd(tmp_path: Path) -> None:
    # a row ends on the line after its last path, which holds a line break
    _, oddities = imported("cbis-ddsm", cbis_ddsm(tmp_path))
    film = "07-20-2016-DDSM-NA-74994/1.000000-full mammogram images-24515/1-1.dcm"
    assert found_by_place(oddities) == [
        ("mass_case_description_train_set.csv line 3, mass margins", "ILL_DEFINED-SPICULATED; SPICULATED is taken"),
        ("mass_case_description_train_set.csv line 5, mass margins", "ILL_DEFINED-SPICULATED; SPICULATED is taken"),
        ("mass_case_description_test_set.csv line 3, breast_density", "0"),
        (
            f"{CBIS_IMAGES}/Calc-Training_P_00002_RIGHT_CC/{film}",
            f"the film of {CBIS_IMAGES}/Mass-Test_P_00002_RIGHT_CC/{film} again",
        ),
        (
            "calc_case_description_train_set.csv line 5, ROI mask file path",
            "no file in Calc-Training_P_00002_RIGHT_CC_2",
        ),
        (
            "P_00002, split",
            "test by mass_case_description_test_set.csv line 3, train by calc_case_description_train_set.csv line 3, "
            "train by calc_case_description_train_set.csv line 5; kept in test",
        ),
        ("calc_case_description_train_set.csv line 3, calc type", "PLEOMORPHIC-AMORPHOUS; PLEOMORPHIC is taken"),
        ("calc_case_description_train_set.csv line 5, calc type", "SPARKLING"),
    ]


def test_inbreast(tmp_path: Path) -> None:
    cases, oddities = imported("inbreast", inbreast(tmp_path))
    exam, alone = cases
    assert (exam.key, exam.group) == (f"{INBREAST_PATIENT}_201001", INBREAST_PATIENT)
    assert (alone.key, alone.images) == ("image-22427840_200812", ())
    assert [i.file for i in exam.images] == [
        f"AllDICOMs/20586908_{INBREAST_PATIENT}_MG_R_CC_ANON.dcm",
        f"AllDICOMs/20586934_{INBREAST_PATIENT}_MG_R_MLO_ANON.dcm",
        f"AllDICOMs/20586960_{INBREAST_PATIENT}_MG_L_CC_ANON.dcm",
    ]
    assert exam.reference.assessments == judged("5", "1")
    assert exam.reference.composition is Composition.C
    assert exam.reference.findings == (
        Finding(
            kind=Kind.MASS,
            laterality=RIGHT,
            margin=Margin.SPICULATED,
            views=(View.CC,),
            boxes=(box(RIGHT, View.CC, 10, 20, 30, 50),),
        ),
        Finding(
            kind=Kind.CALCIFICATIONS,
            laterality=RIGHT,
            distribution=Distribution.GROUPED,
            views=(View.MLO,),
            boxes=(box(RIGHT, View.MLO, 60, 60, 90, 90),),
        ),
        Finding(kind=Kind.CALCIFICATIONS, laterality=RIGHT, views=(View.MLO,)),  # marked one by one: no box
    )
    assert exam.labels["MedicalReports"] == f"MedicalReports/{INBREAST_PATIENT}_2010_01.txt"
    assert found_by_place(oddities) == [
        ("INbreast.csv line 5, View", "FB; the image is skipped"),
        ("AllXML/20586934.xml, region 3", "'Unnamed' of 4 points"),
        ("AllXML/20586960.xml", "unreadable (no element found: line 1, column 13)"),
        (
            f"{INBREAST_PATIENT}_201001, category of side R",
            "4A by INbreast.csv line 2, 5 by INbreast.csv line 3; the highest is taken",
        ),
        ("INbreast.csv line 6, Bi-Rads", "x"),
        ("INbreast.csv line 6, File Name", "22427840"),
    ]


def test_an_image_of_inbreast_without_its_file_is_of_no_known_patient(tmp_path: Path) -> None:
    """The patient is in the file's name alone: such images are never taken for as many patients."""
    assert [is_patient(case.group) for case in imported("inbreast", inbreast(tmp_path))[0]] == [True, False]


def test_inbreast_reads_a_spiculated_region_as_it_is_misspelt(tmp_path: Path) -> None:
    """Release 1.0 also has `Espiculated Region`."""
    root = inbreast(tmp_path)
    path = root / "AllXML" / "20586908.xml"
    path.write_bytes(path.read_bytes().replace(b"Spiculated region", b"Espiculated Region"))
    cases, oddities = imported("inbreast", root)
    assert cases[0].reference.findings[0].margin is Margin.SPICULATED
    assert not any("20586908" in oddity.where for oddity in oddities)


def test_mini_mias(tmp_path: Path) -> None:
    cases, oddities = imported("mini-mias", mini_mias(tmp_path))
    assert [(c.key, c.group) for c in cases] == [
        ("mdb001", "pair-001"),
        ("mdb003", "pair-002"),
        ("mdb005", "pair-003"),
        ("mdb059", "pair-030"),
        ("mdb216", "pair-108"),
    ]
    one, normal, two, unplaced, everywhere = cases
    assert [(i.file, i.laterality, i.view) for i in one.images] == [("all-mias/mdb001.pgm", RIGHT, View.MLO)]
    mass = Finding(kind=Kind.MASS, laterality=RIGHT, margin=Margin.CIRCUMSCRIBED, views=(View.MLO,))
    placed = mass.model_copy(update={"boxes": (box(RIGHT, View.MLO, 338, 402, 732, 796),)})  # y counts from below
    assert one.reference.findings == (placed,)
    assert normal.reference.findings == ()
    assert [f.boxes[0].top for f in two.reference.findings] == [861, 830]
    assert unplaced.reference.findings == (mass,)
    assert unplaced.images == ()
    assert everywhere.reference.findings == (
        Finding(kind=Kind.CALCIFICATIONS, laterality=LEFT, distribution=Distribution.DIFFUSE, views=(View.MLO,)),
    )
    assert not any(c.reference.assessments or c.reference.composition for c in cases)
    assert (one.labels["BG"], one.labels["SEVERITY"]) == ("G", "B")
    assert found_by_place(oddities) == [
        ("all-mias/mdb059.pgm", "no such file"),
        ("Info.txt line 6, X", "no centre and radius"),
        ("Info.txt line 8, CLASS", "WART"),
    ]
