"""`summary.html` and `summary.md`: a finished run on one page that opens offline, and what to do with it next."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from amrg.core.files import write_text
from amrg.core.values import flatten
from amrg.metrics.validation import WatchedMetric
from amrg.models.card import figure_words
from amrg.training.data.samples import Sample
from amrg.training.outputs.artifacts import Training
from amrg.training.outputs.curves import Curve, chart, defined, smoothed
from amrg.training.outputs.logs import LOG, VALIDATION
from amrg.training.recipe import Recipe

PAGE, TEXT = "summary.html", "summary.md"
_SHOWN = 5  # drafts beside their references

Rows = dict[str, list[float]]


@dataclass(frozen=True)
class DraftRow:
    """A case of the validation part: what was to be written, and what was."""

    key: str
    reference: str
    text: str


def write_summary(
    folder: Path, recipe: Recipe, training: Training, samples: Sequence[Sample], texts: Sequence[str]
) -> None:
    """Write the page and the text of a run into its folder, from its logs and how it went.

    Raises:
        OSError: they cannot be written.
    """
    taken, watched = (rows_of(folder / name) for name in (LOG, VALIDATION))
    drafts = [DraftRow(s.key, s.text, t) for s, t in zip(samples[:_SHOWN], texts, strict=False)]
    given = {
        "name": folder.resolve().name,
        "training": training,
        "recipe": list(flatten(recipe.model_dump(mode="json"))),
        "figures": {
            name: "not defined" if value is None else figure_words(value, training.intervals.get(name))
            for name, value in training.figures.items()
        },
        "facts": facts(training, len(samples), taken),
        "charts": charts(taken, watched),
        "drafts": drafts,
        "next": list(advice(recipe, training, watched)),
    }
    for file in (PAGE, TEXT):
        write_text(folder / file, _environment().get_template(file).render(given).splitlines())


def rows_of(path: Path) -> Rows:
    """The columns of a log."""
    with path.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return {name: [float(row[name]) for row in rows] for name in (rows[0] if rows else ())}


def facts(training: Training, watched: int, taken: Rows) -> dict[str, str]:
    """A run in a few lines."""
    seconds = sum(taken["seconds"]) or math.nan
    cases = sum(rate * time for rate, time in zip(taken["exams_per_second"], taken["seconds"], strict=True))
    tokens = sum(rate * time for rate, time in zip(taken["tokens_per_second"], taken["seconds"], strict=True))
    return {
        "base": training.base + (f" at {training.revision}" if training.revision else ""),
        "data": f"{training.data.name}, split {training.data.split}: {training.data.n_train} cases learned, "
        f"{watched} of {training.data.n_validation} validation cases watched",
        "left out": f"{len(training.left_out)} cases",
        "best": f"{training.metric.value} {training.best:.3f} (n = {watched}) after step {training.best_step}",
        "ended": f"after {training.steps} steps: {training.stopped}",
        "drafts without a category": f"{training.unscored} of {watched}, counted as not right",
        "parameters trained": f"{training.trainable:,}",
        "time": f"{training.seconds:.0f} s with validation",
        "held at once": f"{training.micro_batch_size} exams a device, at the end",
        "throughput": f"{cases / seconds:.2f} exams/s, {tokens / seconds:.0f} tokens/s",
        "peak memory": f"{training.peak_bytes / 2**30:.2f} GiB",
        "hardware": f"{training.hardware.device} ({training.hardware.machine})",
        "processes": str(training.hardware.processes),
        "software": ", ".join(f"{name} {version}" for name, version in training.software.items()),
    }


def charts(taken: Rows, watched: Rows) -> dict[str, Markup]:
    """Loss, what is watched, rate, throughput and memory over the steps."""
    steps, looked = [int(s) for s in taken["step"]], [int(s) for s in watched["step"]]
    metrics = [Curve(m.value, *defined(looked, watched[m.value]), marked=True) for m in WatchedMetric]
    memory = [b / 2**30 for b in taken["peak_bytes"]]
    shown = {
        "Loss, nats a token": [
            Curve("training, smoothed", steps, smoothed(taken["loss"])),
            Curve("validation", looked, watched["loss"], marked=True),
        ],
        "Validation": metrics,
        "Learning rate": [Curve("learning rate", steps, taken["learning_rate"])],
        "Exams a second": [Curve("exams a second", steps, smoothed(taken["exams_per_second"]))],
        "Peak memory, GiB": [Curve("GiB", steps, memory)],
    }
    return {title: chart(f"c{i}", _told(title, of), of) for i, (title, of) in enumerate(shown.items())}


def _told(title: str, curves: Sequence[Curve]) -> str:
    ends = (f"{c.label} from {c.values[0]:.3g} to {c.values[-1]:.3g}" for c in curves if c.values)
    return f"{title} over the steps: {'; '.join(ends)}."


def advice(recipe: Recipe, training: Training, watched: Rows) -> Iterator[str]:
    """What to do next, by how the run went."""
    yield (
        "These figures chose the adapter, so they flatter it: score it on the test part, once, with "
        f"`amrg benchmark run --data DATA --split {training.data.split} --model FOLDER`, which gives intervals."
    )
    if training.best_step == training.steps == recipe.steps:
        yield f"The last step was the best: more steps may still gain (steps is {recipe.steps})."
    if watched["loss"][-1] > 1.05 * min(watched["loss"]):
        yield "The validation loss rose again: fewer steps, a lower rate or more dropout may keep more of the gain."
    if training.unscored:
        yield f"{training.unscored} drafts name no BI-RADS category: read them below before trusting any mean."
    if training.best == 0.0:
        yield "Nothing that is watched was right: look at the drafts; train longer, or raise rate or lora.rank."
    yield "Compare ranks and scalings on the same split with `amrg sweep`; hand the adapter on with `amrg export`."


def _environment() -> Environment:
    """Templates that escape all they are given where they are HTML, and refuse a name that they are not given."""
    environment = Environment(
        loader=PackageLoader("amrg.training.outputs"),
        autoescape=lambda name: name is not None and name.endswith(".html"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["commands_marked"] = commands_marked
    return environment


def commands_marked(line: str) -> Markup:
    """HTML of a line whose commands stand between backticks."""
    parts = (Markup("<code>{}</code>" if i % 2 else "{}").format(part) for i, part in enumerate(line.split("`")))
    return Markup("").join(parts)
