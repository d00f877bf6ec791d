"""Drafting: engines, evidence by place, the guard's word, and what a draft leaves behind. Knows no service."""

from amrg.generation.drafting import Draft, OutsideDomain, draft_report
from amrg.generation.engines.local import Engine, load_engine
from amrg.generation.outputs import draft_document, render_draft, write_draft
from amrg.generation.report_image import report_picture

__all__ = [
    "Draft",
    "Engine",
    "OutsideDomain",
    "draft_document",
    "draft_report",
    "load_engine",
    "render_draft",
    "report_picture",
    "write_draft",
]
