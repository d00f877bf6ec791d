"""The results of the experiment next to the published ones: `reproduced.json`, `.md`, `.html`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import product
from pathlib import Path

from amrg import __version__
from amrg.benchmark.pages.html import jinja_environment
from amrg.benchmark.pages.table import Table, markdown
from amrg.benchmark.pages.verdict import verdict
from amrg.core.files import write_text
from amrg.core.values import Value
from amrg.datasets import Info
from amrg.experiments.reproduction.published_results import COMPARABLE, NOT_COMPARABLE, PUBLISHED, PublishedResult
from amrg.experiments.sweep.definition import Sweep
from amrg.experiments.sweep.page import split_lines
from amrg.metrics.display import number, with_interval
from amrg.metrics.scores import MetricScore, Role, Scores
from amrg.metrics.strict import headings, leading

SCHEMA = 2
NAME = "reproduced"

COLUMNS = {
    "rouge_l_f1_stemmed": "ROUGE-L",
    "rouge_1_f1_stemmed": "ROUGE-1",
    "meteor_nltk": "METEOR",
    "cider_d_ptb": "CIDEr",
    "birads_accuracy_7_worst": "BI-RADS",
}
_BASELINE_ROLES = (Role.BLIND, Role.RETRIEVAL, Role.ORACLE)


class BackboneResult(Value):
    """The best configuration of one backbone by the validation part of one split, scored on its test part."""

    split: str
    base: str
    configuration: str
    seed: int
    scores: Scores


class Reproduction(Value):
    """`reproduced.json`: what was swept, what each best scored on its test part, what is published."""

    schema_version: int = SCHEMA
    software: str
    dataset_hash: str
    cases: int
    sweep: Sweep
    splits: tuple[str, ...] = ()
    tested: tuple[BackboneResult, ...]
    published: tuple[PublishedResult, ...] = PUBLISHED
    comparable: tuple[str, ...] = COMPARABLE
    not_comparable: tuple[str, ...] = NOT_COMPARABLE

    @classmethod
    def of(cls, info: Info, sweep: Sweep, splits: tuple[str, ...], tested: Sequence[BackboneResult]) -> Reproduction:
        """Of a finished experiment."""
        return cls(
            software=f"amrg {__version__}",
            dataset_hash=info.hash,
            cases=info.counts["cases"],
            sweep=sweep,
            splits=splits,
            tested=tuple(tested),
        )

    @property
    def untested(self) -> list[str]:
        """Backbones none of whose configurations finished, each with its split."""
        done = {(one.split, one.base) for one in self.tested}
        pairs = product(self.splits, (base.name for base in self.sweep.bases))
        return [f"{base} on {split}" for split, base in pairs if (split, base) not in done]


def write_reproduction(folder: Path, reproduction: Reproduction) -> None:
    """Write all three into the experiment's folder.

    Raises:
        OSError: they cannot be written.
    """
    environment = jinja_environment()
    environment.filters["split_lines"] = split_lines
    table, warnings = compare_with_published(reproduction), tuple(_warnings(reproduction))
    verdicts = [(f"{t.configuration}, {t.split}", verdict(t.scores).headline) for t in reproduction.tested]
    variables = {"reproduction": reproduction, "table": table, "verdicts": verdicts, "warnings": warnings}
    write_text(folder / f"{NAME}.json", [reproduction.model_dump_json(indent=1)])
    write_text(folder / f"{NAME}.md", _document(table, verdicts, warnings))
    write_text(folder / f"{NAME}.html", [environment.get_template("reproduced.html").render(variables).strip("\n")])


def compare_with_published(reproduction: Reproduction) -> Table:
    """The published results, then ours: split by split the baselines, then the backbones."""
    names = _columns(reproduction)
    header = ("work", "backbone", "cases", *names.values(), "BI-RADS skill")
    published = (_published(of, names) for of in reproduction.published)
    return Table(header, (*published, *_ours(reproduction, names)), tuple(_notes(reproduction)))


def _columns(reproduction: Reproduction) -> dict[str, str]:
    """The metrics of the table, by name, and their headings; all of them where nothing was tested."""
    return headings(COLUMNS, *(s.metrics for t in reproduction.tested for s in t.scores.systems.values())) or COLUMNS


def _published(of: PublishedResult, names: Iterable[str]) -> tuple[str, ...]:
    """A paper's row; its numbers stand below the plain metrics, since papers do not say which cases they skip."""
    values = dict(zip(COLUMNS, (of.rouge_l, of.rouge_1, of.meteor, of.cider, of.birads), strict=True))
    cells = ("" if (v := values.get(name)) is None else f"{v:g}" for name in names)
    return (of.work, of.backbone, of.on, *cells, "")


def _ours(reproduction: Reproduction, names: Iterable[str]) -> Iterator[tuple[str, ...]]:
    splits: set[str] = set()
    for one in reproduction.tested:
        data = one.scores.data
        on = f"{data.name}, {one.split}, {data.n} test cases"
        if one.split not in splits:
            splits.add(one.split)
            for name, system in one.scores.systems.items():
                if system.role in _BASELINE_ROLES:
                    yield (f"amrg: {name} ({system.role.value})", "none", on, *_cells(system.metrics, names), "")
        metrics = one.scores.systems[one.scores.system].metrics
        yield (f"amrg: {one.configuration}", one.base, on, *_cells(metrics, names), _skill(metrics))


def _cells(metrics: dict[str, MetricScore], names: Iterable[str]) -> tuple[str, ...]:
    return tuple(_cell(metrics.get(name)) for name in names)


def _cell(of: MetricScore | None) -> str:
    """A value with its interval, and n where cases are unscored."""
    if of is None or of.value is None:
        return "no value"
    return with_interval(of) + (f" (n {of.n})" if of.unscored else "")


def _skill(metrics: dict[str, MetricScore]) -> str:
    of = metrics.get(leading("birads_accuracy_7_worst", metrics))
    return with_interval(of.skill) if of is not None and of.skill is not None else "no value"


def _notes(reproduction: Reproduction) -> Iterator[str]:
    yield f"published numbers are as printed in the papers; ours are of {reproduction.cases} DMID cases"
    yield "in square brackets, 95 % intervals by a bootstrap of whole groups; the papers give none"
    yield "n is given with a value where fewer cases are scored: no draft, or one that has nothing to score"
    yield "each of ours was selected on the validation part of its split and scored on the test part once"
    yield "skill: (value - blind) / (perfect - blind), blind is the best blind baseline"
    yield from (f"can be compared: {line}" for line in reproduction.comparable)
    yield from (f"cannot be compared: {line}" for line in reproduction.not_comparable)


def _warnings(reproduction: Reproduction) -> Iterator[str]:
    """The warnings of scoring, each once a split."""
    by_warning: dict[tuple[str, str], list[str]] = {}
    for t in reproduction.tested:
        for warning in t.scores.warnings:
            by_warning.setdefault((t.split, warning), []).append(t.base)
    for (split, warning), bases in by_warning.items():
        all_of_split = len(bases) == sum(t.split == split for t in reproduction.tested)
        yield f"{split}: {warning}" if all_of_split else f"{split}, {', '.join(bases)}: {warning}"
    if reproduction.untested:
        yield f"no configuration finished, so not tested: {', '.join(reproduction.untested)}"


def _document(table: Table, verdicts: Sequence[tuple[str, str]], warnings: Sequence[str]) -> Iterator[str]:
    """The table with the verdicts and warnings that go with it."""
    yield "# AMRG's experiment on DMID, compared with the published results"
    yield ""
    yield markdown(table).rstrip("\n")
    yield ""
    yield "Were the images read?"
    yield ""
    yield from (f"- {name}: {headline}" for name, headline in verdicts)
    if warnings:
        yield ""
        yield "Warnings:"
        yield ""
        yield from (f"- {line}" for line in warnings)


def main_cells(reproduction: Reproduction) -> Iterator[tuple[str, str, str, str]]:
    """Configuration, split, ROUGE-L and BI-RADS accuracy over every case of each that was tested, for a terminal."""
    for one in reproduction.tested:
        metrics = one.scores.systems[one.scores.system].metrics
        names = (leading(name, metrics) for name in ("rouge_l_f1_stemmed", "birads_accuracy_7_worst"))
        rouge, birads = (number(metrics[name].value) for name in names)
        yield one.configuration, one.split, rouge, birads
