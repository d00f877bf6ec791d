"""Miniature CBIS-DDSM, INbreast and mini-MIAS in their published layouts, an oddity or more in each."""

from __future__ import annotations

import plistlib
from pathlib import Path

from tests.datasets.replicas_digital import write_csv
from tests.datasets.small_images import write_dicom, write_image

_SHARED = ("left or right breast", "image view", "abnormality id", "abnormality type")
_JUDGED = ("assessment", "pathology", "subtlety", "image file path", "cropped image file path", "ROI mask file path")
CBIS_IMAGES = "manifest-ZkhPvrLo5216730872708713142/CBIS-DDSM"


def cbis_ddsm(root: Path) -> Path:
    """Two patients: a mass on two views; calcifications of a patient in train and test tables."""
    mass = ("patient_id", "breast_density", *_SHARED, "mass shape", "mass margins", *_JUDGED)
    calc = ("patient_id", "breast density", *_SHARED, "calc type", "calc distribution", *_JUDGED)
    opaque = ("P_00001", "3", "LEFT")
    rest = ("1", "mass", "IRREGULAR-ARCHITECTURAL_DISTORTION", "ILL_DEFINED-SPICULATED", "4", "MALIGNANT", "4")
    write_csv(
        root / "mass_case_description_train_set.csv",
        mass,
        [(*opaque, view, *rest, *_paths(f"Mass-Training_P_00001_LEFT_{view}")) for view in ("CC", "MLO")],
    )
    node = ("P_00002", "0", "RIGHT", "CC", "1", "mass", "LYMPH_NODE", "N/A", "2", "BENIGN_WITHOUT_CALLBACK", "4")
    write_csv(root / "mass_case_description_test_set.csv", mass, [node + _paths("Mass-Test_P_00002_RIGHT_CC")])
    calcium, film = ("P_00002", "2", "RIGHT", "CC", "1", "calcification"), "Calc-Training_P_00002_RIGHT_CC"
    write_csv(
        root / "calc_case_description_train_set.csv",
        calc,
        [
            (*calcium, "PLEOMORPHIC-AMORPHOUS", "CLUSTERED", "0", "BENIGN", "3", *_paths(film)),
            (*calcium, "SPARKLING", "N/A", "4", "MALIGNANT", "3", *_paths(film, f"{film}_2")),
        ],
    )
    write_csv(root / "calc_case_description_test_set.csv", calc, [])
    for subject, side, view in (
        ("Mass-Training_P_00001_LEFT_CC", "L", "CC"),
        ("Mass-Training_P_00001_LEFT_MLO", "L", "MLO"),
        ("Mass-Test_P_00002_RIGHT_CC", "R", "CC"),
        ("Calc-Training_P_00002_RIGHT_CC", "R", "CC"),
    ):
        _film(root / CBIS_IMAGES / subject, side, view)
        _lesion(root / CBIS_IMAGES / f"{subject}_1", swapped=view == "MLO")
    return root


def _paths(film: str, lesion: str = "") -> tuple[str, str, str]:
    """The path columns as published: UIDs that are no folders, and a line break at the end."""
    uids = "1.3.6.1.4.1.9590.100.1.2.1/1.3.6.1.4.1.9590.100.1.2.2"
    lesion = lesion or f"{film}_1"
    return f"{film}/{uids}/000000.dcm", f"{lesion}/{uids}/000001.dcm", f"{lesion}/{uids}/000000.dcm\n"


def _film(subject: Path, side: str, view: str) -> None:
    write_dicom(subject / "07-20-2016-DDSM-NA-74994" / "1.000000-full mammogram images-24515" / "1-1.dcm", side, view)


def _lesion(subject: Path, swapped: bool) -> None:
    """A crop and a mask, which is larger, under names that say nothing of which is which. Both stay unopened."""
    folder = subject / "07-21-2016-DDSM-NA-18515" / "1.000000-ROI mask images-18515"
    folder.mkdir(parents=True)
    for name, size in (("1-1.dcm", 10), ("1-2.dcm", 90)) if swapped else (("1-1.dcm", 90), ("1-2.dcm", 10)):
        (folder / name).write_bytes(b"\0" * size)


INBREAST_PATIENT = "6c613a14b80a8591"


def inbreast(root: Path) -> Path:
    """A patient with contours of every kind, and an image whose DICOM file is missing."""
    names = ("Patient ID", "Patient age", "Laterality", "View", "Acquisition date", "File Name", "ACR", "Bi-Rads")
    rows = [
        ("removed", "removed", "R", "CC", "201001", "20586908", "2", "4a"),
        ("removed", "removed", "R", "MLO", "201001", "20586934", "2", "5"),
        ("removed", "removed", "L", "CC", "201001", "20586960", "", "1"),
        ("removed", "removed", "L", "FB", "201001", "20586986", "3", "1"),
        ("removed", "removed", "L", "CC", "200812", "22427840", "4", "x"),
    ]
    write_csv(root / "INbreast.csv", names, rows, delimiter=";")
    for row in rows[:4]:
        view = row[3] if row[3] != "FB" else "CC"
        write_dicom(root / "AllDICOMs" / f"{row[5]}_{INBREAST_PATIENT}_MG_{row[2]}_{row[3]}_ANON.dcm", row[2], view)
    _contours(root / "AllXML" / "20586908.xml", [("Mass", (10, 20, 30, 50)), ("Spiculated region", (25, 45, 40, 60))])
    points = [("Calcification", (n, n, n, n)) for n in (70, 80)]
    cluster = [("Cluster", (60, 60, 90, 90)), ("Unnamed", (1, 1, 2, 2))]
    _contours(root / "AllXML" / "20586934.xml", [*points, *cluster])
    (root / "AllXML" / "20586960.xml").write_text("<plist><dict>", encoding="utf-8")
    (root / "MedicalReports").mkdir()
    (root / "MedicalReports" / f"{INBREAST_PATIENT}_2010_01.txt").write_text("Bi-Rads - 5", encoding="latin-1")
    return root


def _contours(path: Path, regions: list[tuple[str, tuple[int, int, int, int]]]) -> None:
    """A property list as OsiriX writes it, each contour a box of four points."""
    path.parent.mkdir(parents=True, exist_ok=True)
    written = []
    for number, (name, (left, top, right, bottom)) in enumerate(regions):
        corners = [(left, top), (right, top), (right, bottom), (left, bottom)]
        points = [f"({x:.6f}, {y:.6f})" for x, y in corners]
        written.append({"Name": name, "IndexInImage": number, "NumberOfPoints": len(points), "Point_px": points})
    image = {"ImageIndex": 0, "NumberOfROIs": len(written), "ROIs": written}
    path.write_bytes(plistlib.dumps({"Images": [image]}))


def mini_mias(root: Path) -> Path:
    """Five films, one with two lesions, one with calcium all over, one without its centre; one image is missing."""
    lines = [
        "REFNUM BG CLASS SEVERITY X Y RADIUS",
        "mdb001 G CIRC B 535 425 197",
        "mdb003 D NORM ",
        "mdb005 F CIRC B 477 133 30",
        "mdb005 F CIRC B 500 168 26",
        "mdb059 F CIRC B",
        "mdb216 D CALC M *NOTE 3*",
        "mdb216 D WART M 1 2 3",
    ]
    root.mkdir(parents=True, exist_ok=True)
    (root / "Info.txt").write_text("\n".join(lines) + "\n", encoding="ascii")
    for name in ("mdb001", "mdb003", "mdb005", "mdb216"):
        write_image(root / "all-mias" / f"{name}.pgm", "L" if name == "mdb216" else "R")
    return root
