"""The card of an export: `README.md` for people and the hub, `card.json` for `amrg model card`, `NOTICE` for terms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

from amrg import __version__
from amrg.models.adapters import RECIPE_FILE, TRAINING_FILE, WEIGHTS_FILE, is_adapter, read_training_file, stored_shapes
from amrg.models.card import FILE_NAME, ModelCard, figure_words
from amrg.models.export.notices import Terms, notice_text
from amrg.models.export.verifying import ExportComparison
from amrg.models.hubnames import weight_files
from amrg.models.load import folder_hash

INTENDED = "Research on drafting mammography reports. Drafts are unverified until a radiologist signs them."
LIMITS = (
    "Not for clinical use: no authority has authorised it, and nothing here measures its safety.",
    "Scores on a validation part chose this adapter; they are no estimate of its scores on other data.",
    "A model can reach high text scores without looking: compare it with blind baselines (`amrg benchmark run`).",
)


@dataclass(frozen=True)
class Origin:
    """Where an export comes from: the adapter's folder and its base, with the base's terms; what to know of serving."""

    name: str
    folder: Path
    base: str
    revision: str | None
    architecture: str
    terms: Terms
    warnings: tuple[str, ...]

    def stored(self, name: str) -> dict[str, Any]:
        """A JSON document that training left, empty where it did not."""
        return read_training_file(self.folder, name)

    @property
    def shown_base(self) -> str:
        """The base's name; of a folder the last part alone, for a path is a machine's own."""
        return self.base if self.base.count("/") == 1 and not Path(self.base).exists() else Path(self.base).name


def write_card(folder: Path, origin: Origin, comparison: ExportComparison) -> None:
    """Write the card beside an export's weights, and the NOTICE where the base's terms ask for one."""
    card = _card(folder, origin)
    (folder / FILE_NAME).write_text(card.model_dump_json(indent=2) + "\n", encoding="utf-8")
    (folder / "README.md").write_text(_page(folder, origin, card, comparison), encoding="utf-8")
    if origin.terms.notice:
        (folder / "NOTICE").write_text(notice_text(origin.terms, origin.shown_base), encoding="utf-8")


def _card(folder: Path, origin: Origin) -> ModelCard:
    files = [folder / WEIGHTS_FILE] if is_adapter(folder) else weight_files(folder)
    what = "adapter for" if is_adapter(folder) else "adapter merged into"
    return ModelCard(
        name=origin.name,
        summary=f"LoRA {what} {origin.shown_base} ({origin.architecture}), which drafts BI-RADS reports.",
        intended_use=INTENDED,
        limits=(*LIMITS, *origin.terms.restrictions),
        parameters=sum(prod(shape) for file in files for shape in stored_shapes(file).values()),
        weights_sha256=folder_hash(folder),
        licence=origin.terms.name,
        training=_trained(origin),
        figures=(),
    )


def _trained(origin: Origin) -> dict[str, str | int | float]:
    """Data, recipe and validation scores, flat, as far as training told."""
    recipe, training = origin.stored(RECIPE_FILE), origin.stored(TRAINING_FILE)
    data, lora = training.get("data", {}), recipe.get("lora", {})
    told = {
        **{f"data {name}": value for name, value in data.items()},
        **{f"lora {name}": value for name, value in lora.items()},
        **{
            name: recipe.get(name)
            for name in ("target_text", "steps", "batch_size", "learning_rate", "quantization", "precision", "seed")
        },
        **{f"validation {name}": value for name, value in _figures(training).items()},
        "validation cases": training.get("n"),
        **{name: training.get(name) for name in ("best_step", "unscored", "stopped")},
        "software": f"amrg {__version__}",
    }
    return {name: value for name, value in told.items() if isinstance(value, str | int | float)}


def _figures(training: Mapping[str, Any]) -> dict[str, str]:
    """What was reached on the validation part, with intervals as far as training left them."""
    between = training.get("intervals", {})
    return {
        name: figure_words(value, between.get(name))
        for name, value in training.get("figures", {}).items()
        if value is not None
    }


def _page(folder: Path, origin: Origin, card: ModelCard, comparison: ExportComparison) -> str:
    """The card as the hub shows it."""
    parts = [
        _front(folder, origin),
        f"# {card.name}",
        f"{card.summary} Changed from its base by fine-tuning with amrg {__version__}.",
        f"Base: {origin.shown_base}" + (f" at {origin.revision}" if origin.revision else ""),
        f"## Intended use\n\n{card.intended_use}",
        "## Limits\n\n" + _listed(LIMITS),
        f"## Licence\n\n{_licence(origin.terms)}",
        "## Training and validation\n\n" + _training_told(origin, card),
        "## Base, adapter and export compared\n\n" + _compared(comparison),
    ]
    if origin.warnings:
        parts.append("## Serving\n\n" + _listed(origin.warnings))
    return "\n\n".join(parts) + "\n"


def _front(folder: Path, origin: Origin) -> str:
    """What the hub reads: licence, base, library."""
    lines = [f"base_model: {origin.shown_base}", f"library_name: {'peft' if is_adapter(folder) else 'transformers'}"]
    lines += ["pipeline_tag: image-text-to-text", "tags: [mammography, bi-rads, radiology]"]
    own_tags = ("apache-2.0", "mit", "gemma")
    tag = origin.terms.tag
    lines += [f"license: {tag}"] if tag in own_tags else ["license: other", f"license_name: {tag}"]
    if origin.terms.address:
        lines.append(f"license_link: {origin.terms.address}")
    return "\n".join(["---", *lines, "---"])


def _licence(terms: Terms) -> str:
    named = f"{terms.name} ({terms.address})." if terms.address else f"{terms.name}."
    notice = f"\n\n> {terms.notice}" if terms.notice else ""
    return named + notice + ("\n\n" + _listed(terms.restrictions) if terms.restrictions else "")


def _training_told(origin: Origin, card: ModelCard) -> str:
    """A table of what decided the run; the licence of its cases is their publisher's, and no part of a run."""
    rows = "\n".join(f"| {name} | {value} |" for name, value in card.training.items())
    after = "The cases come under their publisher's licence; nothing of them is in this folder but what was learned."
    if not origin.stored(TRAINING_FILE):
        after = "The run left no `training.json`: its data and scores are not known. " + after
    return f"| | |\n|---|---|\n{rows}\n\n{after}"


def _compared(found: ExportComparison) -> str:
    rows = {
        "adapter from base": found.adapter_from_base,
        "export from base": found.export_from_base,
        "export from adapter": found.export_from_adapter,
    }
    lines = ["| logits of | largest difference | relative | same text |", "|---|---|---|---|"]
    lines += [
        f"| {name} | {d.largest:.2e} | {d.relative:.2e} | {'yes' if d.same_text else 'no'} |"
        for name, d in rows.items()
    ]
    how = (
        f"On {found.positions} tokens of answers to {found.probes} studies of drawn pictures, stored as {found.stored}"
    )
    return "\n".join(lines) + f"\n\n{how}; at most {found.tolerance:.0e} from the adapter is allowed."


def _listed(lines: tuple[str, ...]) -> str:
    return "\n".join(f"- {line}" for line in lines)
