"""Checkpoints of the hub that amrg was built for, each held to one commit.

Where the shapes of its tensors are recorded (`tests/models/published`), the commit is the one its sources name.
"""

from __future__ import annotations

from amrg.core.values import Value

_HAI_DEF = "Health AI Developer Foundations terms of use"
_APACHE = "Apache 2.0"


class CatalogEntry(Value):
    """A hub checkpoint: its family, the commit that amrg takes, whose terms it comes under, whether it is gated.

    `gated`: its terms must be accepted on the hub before it can be downloaded.
    """

    name: str
    family: str
    revision: str | None
    licence: str
    gated: bool = False
    what: str


KNOWN: tuple[CatalogEntry, ...] = (
    CatalogEntry(
        name="google/medgemma-4b-it",
        family="gemma3",
        revision="290cda5eeccbee130f987c4ad74a59ae6f196408",
        licence=_HAI_DEF,
        gated=True,
        what="MedGemma 4B; medical, untuned for mammography",
    ),
    CatalogEntry(
        name="google/medgemma-1.5-4b-it",
        family="gemma3",
        revision="91850547d9f0b2fdd21aa7c5f4f3d1a8a52c243b",
        licence=_HAI_DEF,
        gated=True,
        what="MedGemma 1.5 4B; medical, untuned for mammography",
    ),
    CatalogEntry(
        name="google/medgemma-27b-it",
        family="gemma3",
        revision="2d3e00ea38b50018bf5dd3aa1009457cd2d5a48f",
        licence=_HAI_DEF,
        gated=True,
        what="MedGemma 27B; medical, untuned for mammography",
    ),
    CatalogEntry(
        name="Qwen/Qwen2.5-VL-3B-Instruct",
        family="qwen2_5_vl",
        revision="66285546d2b821cf421d4f5eb2576359d3770cd3",
        licence="Qwen Research Licence: not for commercial use",
        what="Qwen2.5-VL 3B; general",
    ),
    CatalogEntry(
        name="Qwen/Qwen2.5-VL-7B-Instruct",
        family="qwen2_5_vl",
        revision="cc594898137f460bfe9f0759e9844b3ce807cfb5",
        licence=_APACHE,
        what="Qwen2.5-VL 7B; general",
    ),
    CatalogEntry(
        name="Qwen/Qwen3-VL-4B-Instruct",
        family="qwen3_vl",
        revision="ebb281ec70b05090aa6165b016eac8ec08e71b17",
        licence=_APACHE,
        what="Qwen3-VL 4B; general",
    ),
    CatalogEntry(
        name="Qwen/Qwen3-VL-8B-Instruct",
        family="qwen3_vl",
        revision="0c351dd01ed87e9c1b53cbc748cba10e6187ff3b",
        licence=_APACHE,
        what="Qwen3-VL 8B; general",
    ),
    CatalogEntry(
        name="microsoft/Phi-3.5-vision-instruct",
        family="phi3_v",
        revision="4a0d683eba9f1d0cbfb6151705d1ee73c25a80ca",
        licence="MIT",
        what="Phi-3.5-vision; general",
    ),
    CatalogEntry(
        name="HuggingFaceTB/SmolVLM2-500M-Video-Instruct",
        family="smolvlm",
        revision="7b375e1b73b11138ff12fe22c8f2822d8fe03467",
        licence=_APACHE,
        what="SmolVLM2 500M; general, for those with little memory",
    ),
    CatalogEntry(
        name="HuggingFaceTB/SmolVLM2-256M-Video-Instruct",
        family="smolvlm",
        revision="067788b187b95ebe7b2e040b3e4299e342e5b8fd",
        licence=_APACHE,
        what="SmolVLM2 256M; general, the smallest",
    ),
)


def pinned_revision(name: str) -> str | None:
    """The hub commit that amrg takes a checkpoint at; None where it is not one that amrg knows."""
    return next((k.revision for k in KNOWN if k.name == name), None)
