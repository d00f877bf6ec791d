"""Exams with known truth: drawn four-view mammography studies and their reference reports."""

from amrg.phantom.categories import category_of
from amrg.phantom.devices import Devices
from amrg.phantom.exam import DrawnLesion, DrawnView, PhantomExam, draw_exam, draw_without
from amrg.phantom.files import CASES, SetProgress, case_of, draw_set, write_exam
from amrg.phantom.population import (
    ASYMMETRIC,
    CLASSES,
    FAINT_RICH,
    FAINT_SCREENING,
    POPULATIONS,
    RICH,
    SCREENING,
    SHIFTED,
    VARIED_ASYMMETRIC,
    VARIED_RICH,
    VARIED_SCREENING,
    LesionClass,
    PhantomError,
    Population,
    Size,
)

__all__ = [
    "ASYMMETRIC",
    "CASES",
    "CLASSES",
    "FAINT_RICH",
    "FAINT_SCREENING",
    "POPULATIONS",
    "RICH",
    "SCREENING",
    "SHIFTED",
    "VARIED_ASYMMETRIC",
    "VARIED_RICH",
    "VARIED_SCREENING",
    "Devices",
    "DrawnLesion",
    "DrawnView",
    "LesionClass",
    "PhantomError",
    "PhantomExam",
    "Population",
    "SetProgress",
    "Size",
    "case_of",
    "category_of",
    "draw_exam",
    "draw_set",
    "draw_without",
    "write_exam",
]
