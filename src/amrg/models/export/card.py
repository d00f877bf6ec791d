"""The card of an export: `README.md` for people and the hub, `card.json` for `amrg model card`, `NOTICE`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

from amrg import __version__
from amrg.datasets.training_set import TrainingSet
from amrg.models.adapters.files import (
    RECIPE_FILE,
    TRAINING_FILE,
    is_adapter,
    read_training_file,
    stored_shapes,
)
from amrg.models.card import FILE_NAME, ModelCard, value_with_interval
from amrg.models.checkpoint import folder_hash, weight_files
from amrg.models.export.notices import Terms, notice_text
from amrg.models.export.verifying import ExportComparison

INTENDED = "Research on drafting mammography reports. Every draft is unverified until a radiologist signs it."
LIMITS = (
    "Not for clinical use: no authority has approved it, and its safety was not measured.",
    "The validation scores selected this adapter, so they are optimistic and do not predict scores on other data.",
    "High text scores are possible without using the image: compare with blind baselines (`amrg benchmark run`).",
)


@dataclass(frozen=True)
class Origin:
    """The origin of an export: the adapter's folder, its base with its terms, warnings about serving, all sets that
    adapter and base were trained on, and whose data and weights the base is made of; a merged folder has no other
    record of them."""

    name: str
    folder: Path
    base: str
    revision: str | None
    architecture: str
    terms: Terms
    warnings: tuple[str, ...]
    trained_on: tuple[TrainingSet, ...]
    attribution: tuple[str, ...]

    def stored(self, name: str) -> dict[str, Any]:
        """A JSON document written by training; empty if there is none."""
        return read_training_file(self.folder, name)

    @property
    def base_name(self) -> str:
        """The base's name; for a folder only its last part, because a path is local to a machine."""
        return self.base if self.base.count("/") == 1 and not Path(self.base).exists() else Path(self.base).name


def write_card(folder: Path, origin: Origin, comparison: ExportComparison) -> None:
    """Write the card into an export's folder, and the NOTICE if the base's terms or its makers' sources require one."""
    card = _card(folder, origin)
    (folder / FILE_NAME).write_text(card.model_dump_json(indent=2) + "\n", encoding="utf-8")
    (folder / "README.md").write_text(_page(folder, origin, card, comparison), encoding="utf-8")
    if origin.terms.notice or origin.attribution:
        text = notice_text(origin.terms, origin.base_name, origin.attribution)
        (folder / "NOTICE").write_text(text, encoding="utf-8")


def _card(folder: Path, origin: Origin) -> ModelCard:
    what = "adapter for" if is_adapter(folder) else "adapter merged into"
    return ModelCard(
        name=origin.name,
        summary=f"LoRA {what} {origin.base_name} ({origin.architecture}), for drafting BI-RADS reports.",
        intended_use=INTENDED,
        limits=(*LIMITS, *origin.terms.restrictions),
        parameters=sum(prod(shape) for file in weight_files(folder) for shape in stored_shapes(file).values()),
        weights_sha256=folder_hash(folder),
        licence=origin.terms.name,
        attribution=origin.attribution,
        training=_training_facts(origin),
        trained_on=origin.trained_on,
        metrics=(),
    )


def _training_facts(origin: Origin) -> dict[str, str | int | float]:
    """Data, recipe and validation scores as one table, as far as training recorded them."""
    recipe, training = origin.stored(RECIPE_FILE), origin.stored(TRAINING_FILE)
    data, lora = training.get("data", {}), recipe.get("lora", {})
    facts = {
        **{f"data {name}": value for name, value in data.items()},
        **{f"references: {source}": count for source, count in training.get("references", {}).items()},
        **{name: training.get(name) for name in ("answer", "without_list")},
        **{f"lora {name}": value for name, value in lora.items()},
        **{
            name: recipe.get(name)
            for name in ("target_text", "steps", "batch_size", "learning_rate", "quantization", "precision", "seed")
        },
        **{f"validation {name}": value for name, value in _metrics(training).items()},
        "validation cases": training.get("n"),
        **{name: training.get(name) for name in ("best_step", "unscored", "stopped")},
        "software": f"amrg {__version__}",
    }
    return {name: value for name, value in facts.items() if isinstance(value, str | int | float)}


def _metrics(training: Mapping[str, Any]) -> dict[str, str]:
    """Validation metrics, with their intervals if recorded."""
    between = training.get("intervals", {})
    return {
        name: value_with_interval(value, between.get(name))
        for name, value in training.get("metrics", {}).items()
        if value is not None
    }


def _page(folder: Path, origin: Origin, card: ModelCard, comparison: ExportComparison) -> str:
    """`README.md`, as the hub displays it."""
    parts = [
        _front(folder, origin),
        f"# {card.name}",
        f"{card.summary} It differs from its base by fine-tuning with amrg {__version__}.",
        f"Base: {origin.base_name}" + (f" at {origin.revision}" if origin.revision else ""),
        f"## Intended use\n\n{card.intended_use}",
        "## Limits\n\n" + _bullets(LIMITS),
        f"## Licence\n\n{_licence(origin)}",
        "## Training and validation\n\n" + _training_table(origin, card),
        "## Base, adapter and export compared\n\n" + _compared(comparison),
    ]
    if origin.warnings:
        parts.append("## Serving\n\n" + _bullets(origin.warnings))
    return "\n\n".join(parts) + "\n"


def _front(folder: Path, origin: Origin) -> str:
    """The front matter for the hub: licence, base, library."""
    lines = [f"base_model: {origin.base_name}", f"library_name: {'peft' if is_adapter(folder) else 'transformers'}"]
    lines += ["pipeline_tag: image-text-to-text", "tags: [mammography, bi-rads, radiology]"]
    own_tags = ("apache-2.0", "mit", "gemma")
    tag = origin.terms.tag
    lines += [f"license: {tag}"] if tag in own_tags else ["license: other", f"license_name: {tag}"]
    if origin.terms.address:
        lines.append(f"license_link: {origin.terms.address}")
    return "\n".join(["---", *lines, "---"])


def _licence(origin: Origin) -> str:
    """The terms of the base, and whose data and weights it is made of."""
    terms, sources = origin.terms, ""
    if origin.attribution:
        sources = "\n\nThe weights of its base were trained from:\n\n" + _bullets(origin.attribution)
    named = f"{terms.name} ({terms.address})." if terms.address else f"{terms.name}."
    notice = f"\n\n> {terms.notice}" if terms.notice else ""
    return named + notice + ("\n\n" + _bullets(terms.restrictions) if terms.restrictions else "") + sources


def _training_table(origin: Origin, card: ModelCard) -> str:
    """A table of data, recipe and validation scores; the licence of the cases is not recorded by a run."""
    rows = "\n".join(f"| {name} | {value} |" for name, value in card.training.items())
    after = "The training cases are under their publisher's licence; this folder contains only weights trained on them."
    if not origin.stored(TRAINING_FILE):
        after = "The run has no `training.json`: its data and scores are unknown. " + after
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
    lines += ["", "| part | weights trained | changed by the export |", "|---|---|---|"]
    lines += [f"| {part.part} | {part.trained} | {part.changed} |" for part in found.parts]
    how = f"On {found.positions} tokens of answers to {found.probes} studies of drawn images, stored as {found.stored}"
    return "\n".join(lines) + f"\n\n{how}; the allowed difference from the adapter is {found.tolerance:.0e}."


def _bullets(lines: tuple[str, ...]) -> str:
    return "\n".join(f"- {line}" for line in lines)
