"""VinDr-Mammo, RSNA and EMBED: every case and every oddity of their replicas."""

from __future__ import annotations

from pathlib import Path

import pytest

from amrg.birads import (
    Category,
    Composition,
    Density,
    Depth,
    Distribution,
    Finding,
    Indication,
    Kind,
    Location,
    Margin,
    Morphology,
    Quadrant,
    Shape,
    View,
)
from amrg.datasets.case import NO_FINDINGS
from tests.datasets.published import LEFT, RIGHT, box, found_by_place, imported, judged
from tests.datasets.replicas_digital import embed, rsna, vindr_mammo, write_csv


def test_vindr_mammo(tmp_path: Path) -> None:
    (first, second), oddities = imported("vindr-mammo", vindr_mammo(tmp_path))
    assert (first.key, first.group, first.published_split) == ("aa11", "aa11", "training")
    assert (second.key, second.group, second.published_split) == ("bb22", "bb22", "test")
    assert [i.file for i in first.images] == [f"images/aa11/aa11{v}.dicom" for v in ("rcc", "lcc", "rmlo", "lmlo")]
    assert [(i.laterality, i.view) for i in second.images] == [(RIGHT, View.CC), (LEFT, View.CC), (RIGHT, View.MLO)]
    assert first.reference.assessments == judged("1", "4")
    assert first.reference.composition is Composition.C
    assert first.notes == ("composition is the denser of side R b, side L c",)
    on_cc = box(LEFT, View.CC, 10.5, 20, 40, 60)
    assert first.reference.findings == (
        Finding(
            kind=Kind.MASS,
            laterality=LEFT,
            views=(View.CC, View.MLO),
            category=Category.SUSPICIOUS,
            boxes=(on_cc, box(LEFT, View.MLO, 12, 30, 44, 170)),
        ),
        Finding(
            kind=Kind.SKIN_RETRACTION, laterality=LEFT, views=(View.CC,), category=Category.SUSPICIOUS, boxes=(on_cc,)
        ),
    )
    assert first.text == (
        "TECHNIQUE: Mammography, BI-RADS 5th edition.\n"
        "BREAST COMPOSITION: The breasts are heterogeneously dense (ACR C).\n"
        "FINDINGS:\n"
        "Left breast: mass, on CC and MLO views (BI-RADS 4).\n"
        "Left breast: skin retraction, on CC view (BI-RADS 4).\n"
        "IMPRESSION:\nRight breast: BI-RADS 1.\nLeft breast: BI-RADS 4.\n"
    )
    assert [(f.kind, f.benign_looking, f.category) for f in second.reference.findings] == [
        (Kind.CALCIFICATIONS, False, Category.PROBABLY_BENIGN)
    ]
    assert first.labels["breast_birads"] == "BI-RADS 1 | BI-RADS 4 | BI-RADS 1 | BI-RADS 4"
    assert first.labels["finding 1"] == "['Mass', 'Skin Retraction'], BI-RADS 4, 10.5, 20, 40, 60"
    assert found_by_place(oddities) == [
        ("finding_annotations.csv line 5, xmax", "44.0, 170.0"),
        ("finding_annotations.csv line 6, finding_categories", "Cyst"),
        ("images/bb22/bb22lmlo.dicom", "no such file"),
    ]


def test_vindr_boxes_alike_on_one_view_stay_apart(tmp_path: Path) -> None:
    root = vindr_mammo(tmp_path)
    table = root / "finding_annotations.csv"
    lines = table.read_text(encoding="utf-8").splitlines()
    again = next(line for line in lines if "aa11lmlo" in line).replace("12,30,44,170", "60,70,80,90")
    table.write_text("\n".join([*lines, again]) + "\n", encoding="utf-8")
    first = imported("vindr-mammo", root)[0][0]
    masses = [f for f in first.reference.findings if f.kind is Kind.MASS]
    assert [(f.views, len(f.boxes)) for f in masses] == [((View.CC,), 1), ((View.MLO,), 1), ((View.MLO,), 1)]


def test_rsna(tmp_path: Path) -> None:
    cases, oddities = imported("rsna", rsna(tmp_path))
    first, second, third = cases
    assert [case.key for case in cases] == [case.group for case in cases] == ["10006", "10011", "10020"]
    assert [i.file for i in first.images] == [
        f"train_images/10006/{image}.dcm" for image in ("462822612", "1459541791", "1864590858")
    ]
    assert first.reference.assessments == judged("0", "2")
    assert first.reference.composition is Composition.C
    assert first.notes == (NO_FINDINGS,)
    assert second.reference.assessments == ()
    assert second.labels["cancer"] == "1"
    assert second.notes[1:] == ("the data set gives no category for this exam; see `cancer` in its labels",)
    assert third.reference.assessments == judged(None, "0")
    assert not any(case.reference.findings or case.published_split for case in cases)
    assert found_by_place(oddities) == [
        ("train.csv line 6, view", "AT; the image is skipped"),
        ("10020, category of side L", "1 by train.csv line 7, 0 by train.csv line 8; the highest is taken"),
    ]


def test_embed(tmp_path: Path) -> None:
    cases, oddities = imported("embed", embed(tmp_path))
    recall, diagnostic = cases
    assert [(case.key, case.group) for case in cases] == [("501", "77"), ("502", "88")]
    assert [(i.file, i.view) for i in recall.images] == [
        ("images/cohort_1/77/501/a.dcm", View.CC),
        ("images/cohort_1/77/501/c.dcm", View.MLO),  # a C-view, since there is no 2D image of it
    ]
    assert recall.reference.indication is Indication.SCREENING
    assert recall.reference.composition is Composition.B
    assert recall.reference.assessments == judged("1", "0")
    assert recall.reference.findings == (
        Finding(
            kind=Kind.MASS,
            laterality=LEFT,
            location=Location(clock=10, depth=Depth.POSTERIOR, nipple_distance_mm=40),
            shape=Shape.IRREGULAR,
            margin=Margin.SPICULATED,
            density=Density.HIGH,
            size_mm=12,
            category=Category.INCOMPLETE,
            boxes=(box(LEFT, View.CC, 10, 30, 40, 60),),
        ),
    )
    assert diagnostic.reference.indication is Indication.DIAGNOSTIC
    assert [i.file for i in diagnostic.images] == ["images/cohort_1/88/502/d.dcm"]
    assert diagnostic.reference.assessments == judged("4", "4")
    described = [(f.kind, f.laterality, f.location.quadrant, f.morphology) for f in diagnostic.reference.findings]
    assert described == [
        (kind, side, Quadrant.UPPER_OUTER, morphology)
        for side in (RIGHT, LEFT)
        for kind, morphology in ((Kind.FOCAL_ASYMMETRY, None), (Kind.CALCIFICATIONS, Morphology.AMORPHOUS))
    ]
    assert diagnostic.reference.findings[1].distribution is Distribution.GROUPED
    assert diagnostic.notes == ("1 marks on side R for 2 findings: not tied to any",)
    assert recall.labels["asses"] == "A | N"
    assert found_by_place(oddities) == [
        ("EMBED_OpenData_clinical.csv line 5, otherfind", "P"),
        ("EMBED_OpenData_clinical.csv line 4, tissueden", "5"),
        ("EMBED_OpenData_clinical.csv line 5, tissueden", "5"),
        ("503", "1 files"),
    ]


@pytest.mark.parametrize(("letter", "category"), list(zip("ANBPSMK", "0123456", strict=True)))
def test_embed_assessment_letters(letter: str, category: str, tmp_path: Path) -> None:
    names = ("empi_anon", "acc_anon", "asses", "tissueden", "side")
    write_csv(tmp_path / "tables" / "EMBED_OpenData_clinical_reduced.csv", names, [("7", "5", letter, "1", "L")])
    files = ("acc_anon", "anon_dicom_path", "FinalImageType", "ImageLateralityFinal", "ViewPosition")
    write_csv(tmp_path / "tables" / "EMBED_OpenData_metadata_reduced.csv", files, [])
    (case,), _ = imported("embed", tmp_path)
    assert case.reference.assessments == judged(None, category)
