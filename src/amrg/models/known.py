"""Checkpoints of the hub that amrg was built for, each held to one commit."""

from __future__ import annotations

from amrg.birads.report import Value


class Known(Value):
    """A hub checkpoint: its family, the commit that amrg takes, whose terms it comes under, whether it is gated."""

    name: str
    family: str
    revision: str | None
    licence: str
    gated: bool = False
    what: str


KNOWN: tuple[Known, ...] = (
    Known(
        name="google/medgemma-4b-it",
        family="gemma3",
        revision=None,
        licence="Health AI Developer Foundations terms of use",
        gated=True,
        what="MedGemma 4B (gated on the hub: accept its terms first); untuned for mammography",
    ),
)


def pinned_revision(name: str) -> str | None:
    """The hub commit that amrg takes a checkpoint at; None where it is not one that amrg knows."""
    return next((k.revision for k in KNOWN if k.name == name), None)
