"""Miniature CDD-CESM, KAU-BCMD and CMMD in their published layouts, an oddity or more in each."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Sequence
from pathlib import Path
from xml.sax.saxutils import escape

from openpyxl import Workbook

from tests.datasets.replicas_digital import FOUR, write_csv
from tests.datasets.small_images import write_dicom, write_image

MAMMOGRAPHY_PART = """PATIENT NO.1
DIGITALIZED LOW DOSE SOFT TISSUE MAMMOGRAPHY REVEALED:
ACR C: Heterogeneously dense breasts.
Left Breast:
Upper architectural distortion is seen.
OPINION:
Left Breast:
Upper architectural distortion (BIRADS 4).
"""
CONTRAST_PART = """CONTRAST ENHANCED SPECTRAL MAMMOGRAPHY REVEALED:
Left Breast:
Upper heterogeneous non mass enhancement (BIRADS 4).
"""


def write_xlsx(path: Path, sheets: dict[str, Sequence[Sequence[object]]]) -> None:
    """A workbook of named sheets."""
    path.parent.mkdir(parents=True, exist_ok=True)
    book = Workbook()
    book.remove(book.worksheets[0])
    for name, rows in sheets.items():
        page = book.create_sheet(name)
        for row in rows:
            page.append(list(row))
    book.save(path)


def cdd_cesm(root: Path) -> Path:
    """A patient with a report, one whose report is missing, one whose report is broken."""
    shared = ("Image_name", "Patient_ID", "Side", "Type", "Age", "Breast density (ACR)", "BIRADS", "Findings", "View")
    names = (*shared, "Tags", "Machine", "Pathology Classification/ Follow up")

    def row(patient: int, view: str, kind: str, birads: str, findings: str) -> tuple[object, ...]:
        image = f"P{patient}_L_{'DM' if kind == 'DM' else 'CM'}_{view}"
        density = "C" if kind == "DM" else "_"
        return (image, patient, "L", kind, 53, density, birads, findings, view, "tag", 1, "Malignant")

    rows = [
        row(1, "CC", "DM", "4", "Architectural distortion"),
        row(1, "MLO", "DM", "4", "Architectural distortion"),
        row(1, "CC", "CESM", "4", "Non mass enhancement"),
        row(2, "CC", "DM", "5$2", "Mass$Calcifications"),
        row(2, "MLO", "DM", "five", "Mass"),
        row(3, "CC", "DM", "1", "Normal"),
    ]
    found = ("Image_name", "Patient_ID", "Side", "View", "Mass shape")
    masses = [(f"P2_L_DM_{view}", 2, "L", view, "irregular") for view in ("CC", "MLO")]
    sheets: dict[str, Sequence[Sequence[object]]] = {
        "all": [names, *rows],
        "mass_description": [found, *masses],
        "distortion": [found],
        "asymmetry": [found],
    }
    write_xlsx(root / "Radiology-manual-annotations.xlsx", sheets)
    columns = ("#filename", "file_size", "file_attributes", "region_count", "region_id", "region_shape_attributes")
    marks = [
        ("P1_L_DM_CC.jpg", {"name": "polygon", "all_points_x": [10, 30, 20], "all_points_y": [40, 50, 60]}),
        ("P1_L_CM_CC.jpg", {"name": "circle", "cx": 1, "cy": 1, "r": 1}),
        ("P2_L_DM_CC.jpg", {"name": "ellipse", "cx": 50, "cy": 60, "rx": 10, "ry": 5}),
        ("P2_L_DM_MLO .jpg", {"name": "circle", "cx": 40, "cy": 40, "r": 8.5}),
        ("P2_L_DM_MLO .jpg", {"name": "blob"}),
    ]
    lines = [(name, "1", "{}", "1", "0", json.dumps(shape)) for name, shape in marks]
    write_csv(root / "Radiology_hand_drawn_segmentations_v2.csv", columns, lines)
    flat = root / "CDD-CESM" / "Low energy images of CDD-CESM"
    for name in ("P1_L_DM_CC", "P1_L_DM_MLO ", "P2_L_DM_CC"):
        write_image(flat / f"{name}.jpg")
    reports = root / "Medical reports for cases "
    reports.mkdir()
    (reports / "~$P1.docx").write_bytes(b"lock")
    write_docx(reports / "P1.docx", MAMMOGRAPHY_PART + CONTRAST_PART)
    (reports / "P3.docx").write_bytes(b"not a document")
    return root


def write_docx(path: Path, text: str) -> None:
    """A document of one run a paragraph, the second half of each line in a run of its own."""
    runs = [(line[: len(line) // 2], line[len(line) // 2 :]) for line in text.splitlines()]
    run = '<w:r><w:t xml:space="preserve">{}</w:t></w:r>'
    body = "".join(f"<w:p>{''.join(run.format(escape(half)) for half in line)}</w:p>" for line in runs)
    space = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("word/document.xml", f'<w:document xmlns:w="{space}"><w:body>{body}</w:body></w:document>')


def kau_bcmd(root: Path) -> Path:
    """An exam of four views, and one whose views lie in two folders; one name that says nothing."""
    for side, view in FOUR:
        folder = root / ("Birad4/b4" if side == "R" else "BIRAD1/b1")
        write_image(folder / f"2019_BC0026061_ {view}_{side}.jpg", side)
    for place in ("Birad4/b4", "Birad5/Birad5"):
        write_image(root / place / "2018_BC005421_ CC_R.jpg", "R")
    write_image(root / "BIRAD1/b1" / "scan7.jpg")
    (root / "BIRAD1/b1" / "._2019_BC0026061_ CC_L.jpg").write_bytes(b"")
    density = "Percentage of\n grandular tissue(density)"
    names = (density, "PatientID", "Patient age ", "Breast  type", "Breast view", "Assesment", "Image path")
    rows = [
        ("51%-75%", "BC0026061", "48Y", "R", "CC", "BI-RADS 4", "/Birad4/2019_BC0026061_ CC_R.dcm"),
        ("26%-50%", "BC0026061", "48Y", "L", "CC", "BI-RADS 1", "/BIRAD1/2019_BC0026061_ CC_L.dcm"),
        ("much", "BC005421", "60Y", "R", "CC", "BI-RADS 5", "/Birad5/2018_BC005421_ CC_R.dcm"),
        (">75%", "BC0099999", "60Y", "R", "CC", "BI-RADS 5", "/Birad5/2017_BC0099999_ CC_R.dcm"),
    ]
    write_xlsx(root / "correctSheetlast.xlsx", {"tabel ": [("x",)], "correctSheet": [names, *rows]})
    return root


CMMD_IMAGES = "manifest-1616439774456/CMMD"


def cmmd(root: Path) -> Path:
    """A patient with both breasts, one with fewer files than published, one without any."""
    names = ("ID1", "LeftRight", "Age", "number", "abnormality", "classification", "subtype")
    rows = [
        ("D2-0001", "L", 44, 2, "both", "Malignant", "Luminal A"),
        ("D1-0002", "R", 55, 4, "calcification", "Benign", None),
        ("D2-0001", "R", 44, 2, "mass", "Benign", None),
        ("D1-0003", "L", 61, 2, "lump", "Benign", None),
    ]
    write_xlsx(root / "CMMD_clinicaldata_revision.xlsx", {"Sheet1": [names, *rows]})
    for patient, views in (("D2-0001", FOUR), ("D1-0002", FOUR[:1])):
        folder = root / CMMD_IMAGES / patient / "07-18-2010-NA-NA-79377" / "1.000000-NA-70244"
        for number, (side, view) in enumerate(views, start=1):
            write_dicom(folder / f"1-{number}.dcm", side, view, patient)
    return root
