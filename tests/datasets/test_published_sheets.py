"""CDD-CESM, KAU-BCMD and CMMD: every case and every oddity of their replicas."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import pytest

from amrg.birads import Category, Composition, Finding, Kind, Laterality, Location, Quadrant, View
from amrg.datasets import ReferenceSource
from amrg.datasets.case import NO_FINDINGS
from amrg.datasets.importers.docx import text_of
from tests.datasets.published import LEFT, RIGHT, box, found_by_place, imported, judged
from tests.datasets.replicas_sheets import CMMD_IMAGES, CONTRAST_PART, MAMMOGRAPHY_PART, cdd_cesm, cmmd, kau_bcmd


def test_cdd_cesm(tmp_path: Path) -> None:
    cases, oddities = imported("cdd-cesm", cdd_cesm(tmp_path))
    reported, labelled, broken = cases
    assert [(c.key, c.group) for c in cases] == [("P1", "P1"), ("P2", "P2"), ("P3", "P3")]
    flat = "CDD-CESM/Low energy images of CDD-CESM"
    assert [(i.file, i.view) for i in reported.images] == [
        (f"{flat}/P1_L_DM_CC.jpg", View.CC),
        (f"{flat}/P1_L_DM_MLO .jpg", View.MLO),
    ]
    assert reported.source is ReferenceSource.RADIOLOGIST
    assert reported.text == MAMMOGRAPHY_PART
    assert reported.labels["report on contrast enhancement"] == CONTRAST_PART
    assert reported.reference.composition is Composition.C
    assert reported.reference.assessments == judged(None, "4")
    assert reported.reference.findings == (
        Finding(
            kind=Kind.DISTORTION,
            laterality=LEFT,
            location=Location(quadrant=Quadrant.UPPER),
            category=Category.SUSPICIOUS,
            boxes=(box(LEFT, View.CC, 10, 40, 30, 60),),
        ),
    )
    assert labelled.source is broken.source is ReferenceSource.LABELS
    assert labelled.reference.assessments == judged(None, "5")
    assert labelled.reference.findings == (
        Finding(
            kind=Kind.MASS,
            laterality=LEFT,
            views=(View.CC, View.MLO),
            boxes=(box(LEFT, View.CC, 40, 55, 60, 65), box(LEFT, View.MLO, 31.5, 31.5, 48.5, 48.5)),
        ),
    )
    assert labelled.labels["BIRADS"] == "5$2 | five"
    sheet = "Radiology-manual-annotations.xlsx"
    assert found_by_place(oddities) == [
        (
            sheet,
            f"{sheet}: no sheet 'calcifications'; found the sheets all, mass_description, distortion, asymmetry",
        ),
        ("Radiology_hand_drawn_segmentations_v2.csv line 6, region_shape_attributes", '{"name": "blob"}'),
        (f"{sheet} all row 5, Image_name", "P2_L_DM_MLO"),
        ("P2.docx", "no such report"),
        (f"{sheet} all row 5, BIRADS", "five"),
        (f"{sheet} all row 6, Image_name", "P3_L_DM_CC"),
        ("P3.docx", "not a DOCX document (File is not a zip file)"),
    ]


def test_cdd_cesm_reads_the_reports_from_their_zip(tmp_path: Path) -> None:
    root = cdd_cesm(tmp_path)
    folder = root / "Medical reports for cases "
    with zipfile.ZipFile(root / "Medical-reports-for-cases-.zip", "w") as archive:
        archive.write(folder / "P1.docx", "Medical reports for cases /P1.docx")
    shutil.rmtree(folder)
    assert imported("cdd-cesm", root)[0][0].text == MAMMOGRAPHY_PART


def test_what_is_no_docx_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "sheet.docx"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("xl/workbook.xml", "<x/>")
    with pytest.raises(ValueError, match=r"not a DOCX document .*word/document\.xml"):
        text_of(path.read_bytes())


def test_kau_bcmd(tmp_path: Path) -> None:
    cases, oddities = imported("kau-bcmd", kau_bcmd(tmp_path))
    four, doubled = cases
    assert [(c.key, c.group) for c in cases] == [("2019_BC0026061", "BC0026061"), ("2018_BC005421", "BC005421")]
    assert [(i.file, i.laterality, i.view) for i in four.images] == [
        ("BIRAD1/b1/2019_BC0026061_ CC_L.jpg", LEFT, View.CC),
        ("BIRAD1/b1/2019_BC0026061_ MLO_L.jpg", LEFT, View.MLO),
        ("Birad4/b4/2019_BC0026061_ CC_R.jpg", RIGHT, View.CC),
        ("Birad4/b4/2019_BC0026061_ MLO_R.jpg", RIGHT, View.MLO),
    ]
    assert four.reference.assessments == judged("4", "1")
    assert four.reference.composition is Composition.C
    assert four.notes == (NO_FINDINGS, "composition is the denser of side R c, side L b")
    assert [i.file for i in doubled.images] == ["Birad5/Birad5/2018_BC005421_ CC_R.jpg"]
    assert doubled.reference.assessments == judged("5", None)
    assert doubled.reference.composition is None
    assert four.labels["folder"] == "BIRAD1 | BIRAD1 | Birad4 | Birad4"
    sheet = "correctSheetlast.xlsx correctSheet"
    assert found_by_place(oddities) == [
        ("BIRAD1/b1/scan7.jpg", "scan7.jpg"),
        (f"{sheet} row 4", "/Birad5/2017_BC0099999_ CC_R.dcm"),
        (f"{sheet} row 3, Percentage of\n grandular tissue(density)", "much"),
        ("Birad5/Birad5/2018_BC005421_ CC_R.jpg", "also Birad4/b4/2018_BC005421_ CC_R.jpg"),
        (
            "2018_BC005421, category of side R",
            "4 by Birad4/b4/2018_BC005421_ CC_R.jpg, 5 by Birad5/Birad5/2018_BC005421_ CC_R.jpg, "
            f"5 by {sheet} row 3; the highest is taken",
        ),
    ]


def test_kau_bcmd_without_its_sheet(tmp_path: Path) -> None:
    root = kau_bcmd(tmp_path)
    (root / "correctSheetlast.xlsx").unlink()
    cases, oddities = imported("kau-bcmd", root)
    assert [c.reference.composition for c in cases] == [None, None]
    assert [o.expected for o in oddities if o.where == "correctSheetlast.xlsx"] == [
        "the sheet with densities; imported without"
    ]


def test_cmmd(tmp_path: Path) -> None:
    cases, oddities = imported("cmmd", cmmd(tmp_path))
    both, fewer, without_images = cases
    assert [(c.key, c.group) for c in cases] == [(k, k) for k in ("D2-0001", "D1-0002", "D1-0003")]
    folder = f"{CMMD_IMAGES}/D2-0001/07-18-2010-NA-NA-79377/1.000000-NA-70244"
    assert [(i.file, i.view) for i in both.images] == [(f"{folder}/1-{n}.dcm", None) for n in range(1, 5)]

    def found(kind: Kind, side: Laterality) -> Finding:
        return Finding(kind=kind, laterality=side)

    mass, calcium = Kind.MASS, Kind.CALCIFICATIONS
    assert both.reference.findings == (found(mass, LEFT), found(calcium, LEFT), found(mass, RIGHT))
    assert fewer.reference.findings == (found(calcium, RIGHT),)
    assert without_images.reference.findings == ()
    assert without_images.images == ()
    assert both.labels["classification"] == "Malignant | Benign"
    assert not any(c.reference.assessments for c in cases)
    assert found_by_place(oddities) == [
        *((f"CMMD/D1-0002, file {n} of 4", "no such file") for n in (2, 3, 4)),
        *((f"CMMD/D1-0003, file {n} of 2", "no such file") for n in (1, 2)),
        ("CMMD_clinicaldata_revision.xlsx row 4, abnormality", "lump"),
    ]
