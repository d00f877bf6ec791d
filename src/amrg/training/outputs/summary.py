"""`summary.html` and `summary.md`: a finished run on one page that opens offline, with advice on what to do next."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from amrg.birads import AnswerForm
from amrg.core.files import write_text
from amrg.core.values import flatten
from amrg.metrics.validation import WatchedMetric
from amrg.models.card import value_with_interval
from amrg.training.data.samples import Sample
from amrg.training.outputs.artifacts import TrainingRecord
from amrg.training.outputs.curves import Curve, chart, drop_undefined, smooth
from amrg.training.outputs.logs import LOG, VALIDATION
from amrg.training.recipe import Recipe

PAGE, TEXT = "summary.html", "summary.md"
_MAX_DRAFTS = 5

Columns = dict[str, list[float]]


@dataclass(frozen=True)
class DraftRow:
    """A validation case: its reference text and its draft."""

    key: str
    reference: str
    text: str


def write_summary(
    folder: Path, recipe: Recipe, record: TrainingRecord, samples: Sequence[Sample], texts: Sequence[str]
) -> None:
    """Write both files of a finished run into its folder, from its logs and its record.

    Raises:
        OSError: they cannot be written.
    """
    training, validation = (read_columns(folder / name) for name in (LOG, VALIDATION))
    drafts = [DraftRow(s.key, s.text, t) for s, t in zip(samples[:_MAX_DRAFTS], texts, strict=False)]
    context = {
        "name": folder.resolve().name,
        "record": record,
        "recipe": list(flatten(recipe.model_dump(mode="json"))),
        "metrics": {
            name: "not defined" if value is None else value_with_interval(value, record.intervals.get(name))
            for name, value in record.metrics.items()
        },
        "facts": run_facts(record, len(samples), training),
        "charts": draw_charts(training, validation),
        "drafts": drafts,
        "advice": list(advice(recipe, record, validation)),
    }
    for file in (PAGE, TEXT):
        write_text(folder / file, _environment().get_template(file).render(context).splitlines())


def read_columns(path: Path) -> Columns:
    """The columns of a log."""
    with path.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return {name: [float(row[name]) for row in rows] for name in (rows[0] if rows else ())}


def run_facts(record: TrainingRecord, n: int, training: Columns) -> dict[str, str]:
    """A run in a few lines; `n` validation cases were used."""
    seconds = sum(training["seconds"]) or math.nan
    cases = sum(rate * time for rate, time in zip(training["exams_per_second"], training["seconds"], strict=True))
    tokens = sum(rate * time for rate, time in zip(training["tokens_per_second"], training["seconds"], strict=True))
    return {
        "base": record.base + (f" at {record.revision}" if record.revision else ""),
        "data": f"{record.data.name}, split {record.data.split}: {record.data.n_train} training cases, "
        f"{n} of {record.data.n_validation} validation cases",
        "skipped": f"{len(record.skipped)} cases",
        "references": ", ".join(f"{count} {source}" for source, count in record.references.items()),
        "answer": record.answer.value + _without_list(record),
        "best": f"{record.metric.value} {record.best:.3f} (n = {n}) after step {record.best_step}",
        "ended": f"after {record.steps} steps: {record.stopped}",
        "drafts without a category": f"{record.unscored} of {n}, counted as wrong",
        "trainable parameters": f"{record.trainable:,}",
        "time": f"{record.seconds:.0f} s with validation",
        "micro-batch size": f"{record.micro_batch_size} exams per device at the end",
        "throughput": f"{cases / seconds:.2f} exams/s, {tokens / seconds:.0f} tokens/s",
        "peak memory": f"{record.peak_bytes / 2**30:.2f} GiB",
        "hardware": f"{record.hardware.device} ({record.hardware.machine})",
        "processes": str(record.hardware.processes),
        "software": ", ".join(f"{name} {version}" for name, version in record.software.items()),
    }


def _without_list(record: TrainingRecord) -> str:
    """How many target texts are plain where findings come first."""
    if record.answer is AnswerForm.NARRATIVE:
        return ""
    total = record.data.n_train + record.data.n_validation
    return f"; {record.without_list} of {total} target texts without a list: their references state no fact"


def draw_charts(training: Columns, validation: Columns) -> dict[str, Markup]:
    """Loss, validation metrics, learning rate, throughput and memory over the steps."""
    steps, validated = [int(s) for s in training["step"]], [int(s) for s in validation["step"]]
    metrics = [Curve(m.value, *drop_undefined(validated, validation[m.value]), marked=True) for m in WatchedMetric]
    memory = [b / 2**30 for b in training["peak_bytes"]]
    curves = {
        "Loss, nats per token": [
            Curve("training, smoothed", steps, smooth(training["loss"])),
            Curve("validation", validated, validation["loss"], marked=True),
        ],
        "Validation": metrics,
        "Learning rate": [Curve("learning rate", steps, training["learning_rate"])],
        "Exams per second": [Curve("exams per second", steps, smooth(training["exams_per_second"]))],
        "Peak memory, GiB": [Curve("GiB", steps, memory)],
    }
    return {title: chart(f"c{i}", _describe(title, of), of) for i, (title, of) in enumerate(curves.items())}


def _describe(title: str, curves: Sequence[Curve]) -> str:
    ends = (f"{c.label} from {c.values[0]:.3g} to {c.values[-1]:.3g}" for c in curves if c.values)
    return f"{title} over the steps: {'; '.join(ends)}."


def advice(recipe: Recipe, record: TrainingRecord, validation: Columns) -> Iterator[str]:
    """What to do next, depending on how the run went."""
    yield (
        "These metrics selected the adapter, so they are optimistic: score it on the test part, once, with "
        f"`amrg benchmark run --data DATA --split {record.data.split} --model FOLDER`, which gives intervals."
    )
    if record.best_step == record.steps == recipe.steps:
        yield f"The last step was the best: more steps may improve it (steps is {recipe.steps})."
    if validation["loss"][-1] > 1.05 * min(validation["loss"]):
        yield "The validation loss rose at the end: try fewer steps, a lower learning_rate or more lora.dropout."
    if record.unscored:
        yield f"{record.unscored} drafts name no BI-RADS category: read them below before you trust any mean."
    if record.best == 0.0:
        yield "The monitored metric is 0: read the drafts; train longer, or raise learning_rate or lora.rank."
    yield "Compare ranks and scalings on the same split with `amrg sweep`; export the adapter with `amrg export`."


def _environment() -> Environment:
    """Templates: HTML is escaped, and an undefined name is an error."""
    environment = Environment(
        loader=PackageLoader("amrg.training.outputs"),
        autoescape=lambda name: name is not None and name.endswith(".html"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["mark_commands"] = mark_commands
    return environment


def mark_commands(line: str) -> Markup:
    """HTML of a line with commands between backticks."""
    parts = (Markup("<code>{}</code>" if i % 2 else "{}").format(part) for i, part in enumerate(line.split("`")))
    return Markup("").join(parts)
