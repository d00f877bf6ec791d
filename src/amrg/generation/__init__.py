"""Drafting: engines, evidence by place, and the guard's word. Knows no service."""

from amrg.generation.drafting import Draft, OutsideDomain, draft_report
from amrg.generation.engine import Engine, load_engine

__all__ = ["Draft", "Engine", "OutsideDomain", "draft_report", "load_engine"]
