"""A made-up run for the page: numbers in, a valid run folder out."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from amrg.benchmark import Prediction
from amrg.birads import parse
from amrg.datasets import Case, ReferenceSource
from amrg.metrics.families import Family
from amrg.metrics.scores import (
    CaseScores,
    Confusion,
    DataScored,
    MetricChange,
    MetricScore,
    PerturbationScores,
    Role,
    Scores,
    Skill,
    SystemScores,
)

NORMAL = "Breast composition: ACR B. BIRADS: 1. No abnormal soft opacity or microcalcification seen."
MASS = "Breast composition: ACR C. BIRADS: 4c. A spiculated mass is seen in the upper outer quadrant of left breast."


FAMILIES = {
    "mammogreen_score": Family.GREEN,
    "mammogreen_false_findings": Family.GREEN,
    "rouge_l_f1_stemmed": Family.TEXT,
    "birads_accuracy_7_worst": Family.BIRADS,
    "density_accuracy": Family.BIRADS,
}
"""Of the rows' metrics; all others look at findings."""


@dataclass(frozen=True)
class Row:
    """A metric of the tested system: value, best blind value, intervals of its skill and of its changes, their p."""

    value: float
    blind: float
    skill: tuple[float, float] | None = None
    changes: dict[str, tuple[float, float]] | None = None
    higher: bool = True
    p: float | None = 0.03


READ = Row(0.8, 0.5, (0.4, 0.7), {"blanked": (-0.4, -0.2), "shuffled": (-0.5, -0.1)})
GUESSED = Row(0.5, 0.5, (-0.2, 0.2), {"blanked": (-0.1, 0.1), "shuffled": (-0.1, 0.1)})
ROWS = {
    "birads_accuracy_7_worst": READ,
    "mammogreen_score": GUESSED,
    "mammogreen_false_findings": Row(0.3, 0.6, (0.1, 0.8), higher=False),
    "rouge_l_f1_stemmed": Row(0.62, 0.6, (-0.01, 0.1)),
    "something_new": Row(0.5, 0.4),
}


def measured(name: str, row: Row, value: float, skill: bool = False, groups: int = 39) -> MetricScore:
    made = None
    if skill and row.skill is not None:
        low, high = row.skill
        made = Skill(value=(low + high) / 2, low=low, high=high, blind="constant")
    return MetricScore(
        value=value,
        low=value - 0.1,
        high=value + 0.1,
        n=39,
        groups=min(39, groups),
        unscored=1,
        family=FAMILIES.get(name, Family.FINDINGS),
        about="how it was computed",
        higher_is_better=row.higher,
        skill=made,
    )


def system_of(rows: dict[str, Row], role: Role, groups: int = 39) -> SystemScores:
    metrics = {
        name: measured(name, row, row.value if role is Role.SYSTEM else row.blind, role is Role.SYSTEM, groups)
        for name, row in rows.items()
    }
    return SystemScores(role=role, n=40, failed=1 if role is Role.SYSTEM else 0, metrics=metrics)


def perturbed_of(rows: dict[str, Row], n: int = 40, groups: int = 40) -> dict[str, PerturbationScores]:
    found = {}
    for how in sorted({how for row in rows.values() for how in row.changes or {}}):
        changed = {name: row.changes[how] for name, row in rows.items() if row.changes and how in row.changes}
        found[how] = PerturbationScores(
            n=n,
            metrics={
                name: measured(name, rows[name], rows[name].value + sum(ends) / 2) for name, ends in changed.items()
            },
            change={
                name: MetricChange(
                    value=sum(ends) / 2, low=ends[0], high=ends[1], groups=min(n, groups), p=rows[name].p
                )
                for name, ends in changed.items()
            },
        )
    return found


def cases_of(greens: Sequence[float | None]) -> tuple[CaseScores, ...]:
    return tuple(
        CaseScores(
            key=f"case-{i}",
            group=f"group-{i}",
            subgroups={"density": "B" if i % 2 else "C", "view": "CC"},
            values={"mammogreen_score": green, "rouge_l_f1_stemmed": 0.5, "mammogreen_false_findings": float(i)},
        )
        for i, green in enumerate(greens)
    )


def scores_of(
    rows: dict[str, Row] | None = None, system: str = "a model", groups: int = 40, perturbed: int = 40
) -> Scores:
    given = ROWS if rows is None else rows
    tested = system_of(given, Role.SYSTEM, groups)
    cases = cases_of([0.0, 0.25, 0.5, 1.0, None])
    return Scores(
        software="amrg 0.1.0",
        system=system,
        predictions_hash="cd" * 32,
        data=DataScored(name="made-up", split="clean", part="test", hash="ab" * 32, n=40, groups=groups),
        systems={"constant": system_of(given, Role.BLIND), system: tested, "perfect": system_of(given, Role.PERFECT)},
        subgroups={"density": {"B": tested, "C": system_of(given, Role.BLIND)}},
        perturbed=perturbed_of(given, perturbed, groups),
        confusions={"birads": Confusion(labels=("0", "1", "4"), counts=((0, 0, 0, 0), (0, 31, 7, 2), (0, 3, 11, 1)))},
        cases=cases,
        warnings=("made up for a test",),
    )


def write_run(folder: Path, scores: Scores, texts: Mapping[str, tuple[str, str | None]] | None = None) -> Path:
    """A run folder of these scores; `texts` holds reference and draft of some cases."""
    given = texts or {}
    cases, predictions = [], []
    for scored in scores.cases:
        reference, draft = given.get(scored.key, (MASS, NORMAL))
        cases.append(
            Case(
                key=scored.key,
                dataset=scores.data.name,
                group=scored.group,
                source=ReferenceSource.RADIOLOGIST,
                licence="CC0",
                images=(),
                reference=parse(reference).report,
                text=reference,
            ).model_dump_json()
        )
        predictions.append(Prediction(key=scored.key, text=draft).model_dump_json())
    folder.mkdir(exist_ok=True)
    for name, lines in (("cases.jsonl", cases), ("predictions.jsonl", predictions)):
        (folder / name).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    (folder / "scores.json").write_text(scores.model_dump_json(), encoding="utf-8")
    manifest = {"model": {"name": scores.system, "seed": 0}, "versions": {"amrg": "0.1.0"}}
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    return folder
