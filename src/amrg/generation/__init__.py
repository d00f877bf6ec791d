"""Drafting: engines, evidence by place, and what a draft leaves behind. Knows no service.

Listed here is what loads no model library. `amrg.generation.engines.loading.load_engine` loads a model on this machine.
"""

from amrg.generation.batch import (
    Drafted,
    NotDrafted,
    Outcome,
    Prepared,
    Refused,
    Unreadable,
    draft_prepared,
    draft_studies,
    prepare_study,
)
from amrg.generation.drafting import DraftOptions, NoAnswer, NotAMammogram, draft_report
from amrg.generation.engines.base import Engine, Generation, ImageFeatures, ModelIdentity, Request, Unanswered
from amrg.generation.identifiers import name_patient
from amrg.generation.outputs import FORMATS, render_draft, study_folder, withdraw_draft, write_draft
from amrg.generation.report_image import report_picture
from amrg.generation.saving import Saved

__all__ = [
    "FORMATS",
    "DraftOptions",
    "Drafted",
    "Engine",
    "Generation",
    "ImageFeatures",
    "ModelIdentity",
    "NoAnswer",
    "NotAMammogram",
    "NotDrafted",
    "Outcome",
    "Prepared",
    "Refused",
    "Request",
    "Saved",
    "Unanswered",
    "Unreadable",
    "draft_prepared",
    "draft_report",
    "draft_studies",
    "name_patient",
    "prepare_study",
    "render_draft",
    "report_picture",
    "study_folder",
    "withdraw_draft",
    "write_draft",
]
