"""Files to studies and mammograms, framing of the breast, and writing MG DICOM. Knows no model."""

from amrg.imaging.errors import ImagingError
from amrg.imaging.evidence.identity import EvidenceJudgement, EvidenceSource, EvidenceVerdict
from amrg.imaging.evidence.kinds import ImageKind
from amrg.imaging.framing import FramedBreast, frame_breast
from amrg.imaging.image import PresentationImage
from amrg.imaging.intake import read_studies
from amrg.imaging.nipple import NippleView, find_nipple
from amrg.imaging.reading import NamedPatient, read_mammogram, read_patient
from amrg.imaging.sheet import MARKS, Mark, around_breast, contact_sheet, finding_marks, mark_legend
from amrg.imaging.study import (
    SCREENING_VIEWS,
    Intake,
    Intent,
    Mammogram,
    Problem,
    SetAside,
    Study,
    hanging_order,
    in_order_of_date,
    missing_views,
)
from amrg.imaging.writing import MammogramToWrite, write_mammogram

__all__ = [
    "MARKS",
    "SCREENING_VIEWS",
    "EvidenceJudgement",
    "EvidenceSource",
    "EvidenceVerdict",
    "FramedBreast",
    "ImageKind",
    "ImagingError",
    "Intake",
    "Intent",
    "Mammogram",
    "MammogramToWrite",
    "Mark",
    "NamedPatient",
    "NippleView",
    "PresentationImage",
    "Problem",
    "SetAside",
    "Study",
    "around_breast",
    "contact_sheet",
    "find_nipple",
    "finding_marks",
    "frame_breast",
    "hanging_order",
    "in_order_of_date",
    "mark_legend",
    "missing_views",
    "read_mammogram",
    "read_patient",
    "read_studies",
    "write_mammogram",
]
