"""Miniature VinDr-Mammo, RSNA and EMBED in their published layouts, an oddity or more in each."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from tests.datasets.small_images import write_dicom

_RSNA = (
    "site_id,patient_id,image_id,laterality,view,age,cancer,biopsy,invasive,BIRADS,implant,density,machine_id,"
    "difficult_negative_case"
)
_CLINICAL = (
    "empi_anon,acc_anon,desc,tissueden,asses,numfind,side,massshape,massmargin,massdens,calcfind,calcdistri,"
    "calcnumber,otherfind,location,depth,distance,size,path_severity"
)
_METADATA = "empi_anon,acc_anon,anon_dicom_path,FinalImageType,ImageLateralityFinal,ViewPosition,spot_mag,ROI_coords"
FOUR = (("R", "CC"), ("L", "CC"), ("R", "MLO"), ("L", "MLO"))


def write_csv(path: Path, names: Sequence[str], rows: Sequence[Sequence[str]], delimiter: str = ",") -> None:
    """A table with its header."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, delimiter=delimiter).writerows([names, *rows])


def vindr_mammo(root: Path) -> Path:
    """Two exams; one image is missing, one box leaves its image, one category is unknown."""
    images = ("study_id", "series_id", "image_id", "laterality", "view_position", "height", "width")
    breast = ("breast_birads", "breast_density")
    views, boxes = [], []
    for study, split in (("aa11", "training"), ("bb22", "test")):
        for side, view in FOUR:
            grade = "BI-RADS 4" if (study, side) == ("aa11", "L") else "BI-RADS 1"
            density = "DENSITY C" if side == "L" else "DENSITY B"
            image = (study, f"s{study}", f"{study}{side}{view}".lower(), side, view, "160", "120")
            views.append((*image, grade, density, split))
            if (study, side, view) != ("bb22", "L", "MLO"):
                write_dicom(root / "images" / study / f"{image[2]}.dicom", side, view, study)
            marks = _VINDR_MARKS.get((study, side, view), [("['No Finding']", "", "", "", "", "")])
            boxes += [(*image, grade, density, *mark, split) for mark in marks]
    write_csv(root / "breast-level_annotations.csv", (*images, *breast, "split"), views)
    corners = ("finding_categories", "finding_birads", "xmin", "ymin", "xmax", "ymax", "split")
    write_csv(root / "finding_annotations.csv", (*images, *breast, *corners), boxes)
    return root


_VINDR_MARKS = {
    ("aa11", "L", "CC"): [("['Mass', 'Skin Retraction']", "BI-RADS 4", "10.5", "20", "40", "60")],
    ("aa11", "L", "MLO"): [("['Mass']", "BI-RADS 4", "12", "30", "44", "170")],
    ("bb22", "R", "CC"): [("['Suspicious Calcification', 'Cyst']", "BI-RADS 3", "1", "2", "3", "4")],
}


def rsna(root: Path) -> Path:
    """Three patients: one with categories, one whose breasts contradict themselves, one without any."""
    names = _RSNA.split(",")
    rows = [
        ("1", "10006", "462822612", "L", "CC", "61.0", "0", "0", "0", "2.0", "0", "C", "29", "False"),
        ("2", "10011", "220375232", "L", "CC", "55.0", "1", "1", "1", "", "0", "", "21", "False"),
        ("1", "10006", "1459541791", "L", "MLO", "61.0", "0", "0", "0", "2.0", "0", "C", "29", "False"),
        ("1", "10006", "1864590858", "R", "MLO", "61.0", "0", "0", "0", "0.0", "0", "C", "29", "True"),
        ("1", "10006", "1874946579", "R", "AT", "61.0", "0", "0", "0", "0.0", "0", "C", "29", "True"),
        ("1", "10020", "5", "L", "CC", "x", "0", "0", "0", "1.0", "0", "A", "29", "False"),
        ("1", "10020", "6", "L", "MLO", "x", "0", "0", "0", "0.0", "0", "A", "29", "False"),
    ]
    write_csv(root / "train.csv", names, rows)
    for row in rows:
        view = row[4] if row[4] != "AT" else "CC"
        write_dicom(root / "train_images" / row[1] / f"{row[2]}.dcm", row[3], view, row[1])
    return root


def embed(root: Path) -> Path:
    """Three accessions: a screening recall, a diagnostic exam of both breasts, files without a clinical row."""
    clinical = _CLINICAL.split(",")
    screen, diagnostic = "MG Screening Bilateral", "MG Diagnostic Bilateral w/ CAD"
    rows = [
        ("77", "501", screen, "2.0", "A", "1", "L", "X", "S", "+", "", "", "0", "", "10", "P", "4", "12", "0"),
        ("77", "501", screen, "2.0", "N", "2", "R", "", "", "", "", "", "0", "", "", "", "", "", ""),
        ("88", "502", diagnostic, "5", "S", "1", "B", "F", "", "", "A", "C", "0", "", "W", "", "", "0", ""),
        ("88", "502", diagnostic, "5", "X", "2", "R", "", "", "", "", "", "0", "P", "", "", "", "", ""),
    ]
    write_csv(root / "tables" / "EMBED_OpenData_clinical.csv", clinical, rows)
    names = _METADATA.split(",")
    files = [
        ("77", "501.0", "/mnt/NAS2/mammo/anon_dicom/cohort_1/77/501/a.dcm", "2D", "L", "CC", "", "((30, 10, 60, 40),)"),
        (
            "77",
            "501.0",
            "/mnt/NAS2/mammo/anon_dicom/cohort_1/77/501/b.dcm",
            "cview",
            "L",
            "CC",
            "",
            "((31, 11, 61, 41),)",
        ),
        ("77", "501.0", "/mnt/NAS2/mammo/anon_dicom/cohort_1/77/501/c.dcm", "cview", "R", "MLO", "", "()"),
        ("88", "502.0", "./images/cohort_1/88/502/d.dcm", "2D", "R", "ML", "", "((1, 2, 3, 4),)"),
        ("88", "502.0", "./images/cohort_1/88/502/e.dcm", "2D", "R", "CC", "1", "((1, 2, 3, 4),)"),
        ("99", "503.0", "./images/cohort_2/99/503/f.dcm", "2D", "R", "CC", "", "()"),
    ]
    write_csv(root / "tables" / "EMBED_OpenData_metadata.csv", names, files)
    for row in files:
        write_dicom(root / "images" / row[2][row[2].index("cohort_") :], row[4], row[5], row[1])
    return root
