"""The terms of a model derived from a base, and what they require for sharing it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from amrg.core.values import Value
from amrg.models.catalog import KNOWN, CatalogEntry
from amrg.models.checkpoint import NAME


class Terms(Value):
    """A licence: the hub's tag, its address, the notice that every copy must include, and its restrictions in short."""

    name: str
    tag: str
    address: str = ""
    notice: str = ""
    restrictions: tuple[str, ...] = ()


APACHE = Terms(name="Apache 2.0", tag="apache-2.0", address="https://www.apache.org/licenses/LICENSE-2.0")
_HAI_DEF = "https://developers.google.com/health-ai-developer-foundations/"
TERMS = (
    APACHE,
    Terms(
        name="Health AI Developer Foundations terms of use",
        tag="health-ai-developer-foundations",
        address=_HAI_DEF + "terms",
        # Section 3.1 requires this sentence in a "Notice" text file.
        notice="HAI-DEF is provided under and subject to the Health AI Developer Foundations Terms of Use found at "
        + _HAI_DEF
        + "terms",
        restrictions=(
            "This is a model derivative: every recipient must be bound by the use restrictions of section 3.2 of the "
            "terms, and receive a copy of them.",
            "No clinical use without approval by the responsible health authorities.",
            f"No use that the prohibited use policy lists ({_HAI_DEF}prohibited-use-policy).",
        ),
    ),
    Terms(
        name="Gemma terms of use",
        tag="gemma",
        address="https://ai.google.dev/gemma/terms",
        notice="Gemma is provided under and subject to the Gemma Terms of Use found at ai.google.dev/gemma/terms",
        restrictions=(
            "This is a model derivative: every recipient must be bound by the use restrictions of section 3.2 of the "
            "terms, and receive a copy of them.",
        ),
    ),
    Terms(
        name="Qwen Research Licence: not for commercial use",
        tag="qwen-research",
        address="https://huggingface.co/Qwen/Qwen2.5-VL-3B-Instruct/blob/main/LICENSE",
        notice="Built with Qwen. Qwen is licensed under the Qwen RESEARCH LICENSE AGREEMENT, Copyright (c) Alibaba "
        "Cloud. All Rights Reserved.",
        restrictions=(
            "For research and evaluation only; no commercial use.",
            "Documentation must say: Built with Qwen.",
        ),
    ),
    Terms(name="MIT", tag="mit", address="https://opensource.org/license/mit"),
)
UNKNOWN = Terms(
    name="unknown to amrg: the base's own licence",
    tag="other",
    restrictions=("The base's licence is unknown to amrg: add it here before you share this model.",),
)


_LICENCE = re.compile(r"^license(?:_name)?:\s*(\S+)", re.MULTILINE)
_GEMMA = "google/gemma-"


def terms_of(base: str, files: Path | None = None) -> Terms:
    """The terms of a base: by its hub name, by a folder named after one, or by the model card among its `files`.

    `UNKNOWN` if none of these gives them. All terms require that changed files say so; the card and the NOTICE do.
    """
    if base == NAME:
        return APACHE
    known = known_base(base)
    if known is not None:
        return next((t for t in TERMS if t.name == known.licence), UNKNOWN)
    tags = {"gemma"} if base.startswith(_GEMMA) else _licence_tags(files)
    return next((t for t in TERMS if t.tag in tags), UNKNOWN)


def _licence_tags(files: Path | None) -> set[str]:
    """The licence tags in the front matter of a model card: `license`, and `license_name` if that is `other`."""
    card = None if files is None else files / "README.md"
    if card is None or not card.is_file():
        return set()
    _, *parts = card.read_text(encoding="utf-8", errors="replace").split("---\n", 2)
    return set(_LICENCE.findall(parts[0])) if len(parts) == 2 else set()


def known_base(base: str) -> CatalogEntry | None:
    """The catalog entry of a hub name or a folder."""
    parts = {base, *Path(base).parts}
    return next(
        (k for k in KNOWN if parts & {k.name, k.name.split("/")[1], "models--" + k.name.replace("/", "--")}), None
    )


def notice_text(terms: Terms, base: str, attribution: Sequence[str] = ()) -> str:
    """The NOTICE file of a model derived from a base; `attribution` is whose data and weights the base is made of."""
    lines = [terms.notice, "", f"This model was modified: it is {base}, fine-tuned with amrg.", *terms.restrictions]
    if attribution:
        lines += ["", "The weights of its base were trained from the following.", *attribution]
    return "\n".join(lines).strip() + "\n"
