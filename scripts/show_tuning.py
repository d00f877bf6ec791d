"""Write docs/show: what fine-tuning the embedded model changed, on held-out exams, with paired intervals.

The last step of `make show-tuning` and `make show-hospital`: the runs of the untuned and the tuned model exist already.
On drawn exams: `style`, a second report style (the conclusion first) on the population that the model knows, and
`shifted`, another site's population in the style that the model knows. On real mammograms: `dmid-words`, films with
reports in DMID's words, and `hospital`, one hospital's digital views and words. The model's own text is scored.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from markdown_page import table, write_page

from amrg.benchmark.references import References, read_references
from amrg.benchmark.scoring.compare import MetricComparison, compare, read_runs
from amrg.benchmark.scoring.measure import OptionalMetrics
from amrg.benchmark.scoring.score_run import load_submission, score_submission
from amrg.benchmark.scoring.scoring import ScoringOptions
from amrg.metrics.display import interval, number, p_value
from amrg.training.data.examples import target_text
from amrg.training.outputs.artifacts import TrainingRecord, read_training
from amrg.training.recipe import Recipe

FACTS = ("birads_accuracy_7_worst", "birads_kappa_quadratic_7_worst", "density_accuracy", "finding_f1_by_lesion")
RENDERED = OptionalMetrics(label_texts=True)  # the references are the recipe's own renderings
TEXTS = ("rouge_l_f1_stemmed", "cider_d_ptb")


@dataclass(frozen=True)
class Show:
    """One show: its name, what was changed, its metrics, the data set and split of its test part, what it beats."""

    name: str
    title: str
    metrics: tuple[str, ...]
    data: str
    split: str = "published"
    others: tuple[str, ...] = ("untuned",)
    target: str = "show-hospital"


SHOWS = (
    Show("style", "To a second report style", TEXTS + FACTS, "style-test", "all-test", target="show-tuning"),
    Show("shifted", "To another site's population", FACTS + TEXTS, "shifted-test", "all-test", target="show-tuning"),
    Show("dmid-words", "To DMID's words, on films of CBIS-DDSM", TEXTS + FACTS, "films/cbis"),
    Show(
        "hospital",
        "From films to one hospital's digital views and words, those of CDD-CESM",
        FACTS + TEXTS,
        "films/hospital",
        others=("untuned", "scratch"),
    ),
)


def references_of(show: Show, recipe: Recipe, folder: Path) -> References:
    """The test part's exams, with the recipe's target text as references."""
    read = read_references(folder / show.data, show.split, "test", 0)
    cases = [case.model_copy(update={"text": target_text(case, recipe)}) for case in read.cases]
    return replace(read, cases=tuple(cases))


def compared(show: Show, recipe: Recipe, folder: Path) -> Iterator[tuple[str, MetricComparison]]:
    """All runs scored against the same references, and the tuned one compared with each other one."""
    references = references_of(show, recipe, folder)

    def scored(system: str) -> Path:
        out = folder / f"{show.name}-{system}-scored"
        submission = load_submission(folder / f"{show.name}-{system}", references)
        score_submission(submission, out, ScoringOptions(system, extras=RENDERED))
        return out

    tuned = scored("tuned")
    for other in show.others:
        yield from (
            (other, found) for found in compare(read_runs([scored(other), tuned]), show.metrics, extras=RENDERED)
        )


def page(
    show: Show, found: Iterable[tuple[str, MetricComparison]], training: TrainingRecord, recipe: Recipe
) -> list[str]:
    """The page of one show, as Markdown lines."""
    lora = recipe.lora
    header = ["metric", "against", "other", "tuned", "difference, 95 % interval", "p (Holm)", "n"]
    return [
        f"# {show.title}",
        "",
        f"LoRA {lora.modules.value}, rank {lora.rank}, alpha {lora.alpha}, learning rate {recipe.learning_rate:g}, "
        f"{recipe.steps} steps of {recipe.batch_size} exams ("
        f"{training.data.n_train} training cases, {training.data.n_validation} validation cases); "
        f"{training.trainable:,} parameters, {training.seconds / 60:.0f} minutes on {training.hardware.device}; best "
        f"by {training.metric.value} on the validation part after step {training.best_step}.",
        "",
        *table(header, (_row(other, comparison) for other, comparison in found), numbers=5),
        "",
        "Exams that neither the model nor the tuning was trained on, drafted greedily; intervals by a paired "
        f"bootstrap over exams, p by approximate randomisation. `make {show.target}` measures it again.",
    ]


def _row(other: str, c: MetricComparison) -> list[str]:
    difference = f"{number(c.value, signed=True)} {interval(c, signed=True)}"
    return [c.metric, other, number(c.first_value), number(c.second_value), difference, p_value(c.p_holm), str(c.n)]


def main(arguments: Sequence[str] | None = None) -> None:
    """Write a page a show, and print its table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="folder of data sets, adapters and runs: runs/show")
    parser.add_argument("shows", nargs="+", choices=[show.name for show in SHOWS])
    parser.add_argument("--out", type=Path, default=Path("docs") / "show", help="folder of the pages")
    given = parser.parse_args(arguments)
    given.out.mkdir(parents=True, exist_ok=True)
    for show in SHOWS:
        if show.name not in given.shows:
            continue
        adapter = given.folder / show.name
        recipe = Recipe.model_validate_json((adapter / "recipe.json").read_text(encoding="utf-8"))
        lines = page(show, compared(show, recipe, given.folder), read_training(adapter), recipe)
        write_page(given.out / f"{show.name}.md", lines)


if __name__ == "__main__":
    main()
