"""Write docs/show/drawn.md: the embedded model on a thousand drawn exams, on full-size ones, on another population.

The last step of `make drawn-figures`: the three runs of the benchmark exist already.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from markdown_page import table, write_page

from amrg.benchmark.scoring.read_run import read_scores
from amrg.metrics.display import NONE, with_interval
from amrg.metrics.scores import MetricScore, Scores

OUT = Path("docs") / "show" / "drawn.md"
METRICS = {
    "birads_accuracy_7_worst_strict": "BI-RADS accuracy",
    "birads_kappa_quadratic_7_worst_strict": "BI-RADS, quadratic kappa",
    "abnormal_sensitivity_0_3_4_5_6_strict": "sensitivity, category 3 and worse",
    "abnormal_specificity_0_3_4_5_6_strict": "specificity, category 3 and worse",
    "density_accuracy_strict": "density accuracy",
    "finding_f1_by_place_strict": "finding F1 by kind, side and quadrant",
    "finding_f1_by_lesion_strict": "finding F1 by lesion",
    "finding_mass_f1_by_lesion_strict": "of masses",
    "finding_calcifications_f1_by_lesion_strict": "of calcifications",
    "finding_asymmetry_f1_by_lesion_strict": "of asymmetries",
    "finding_distortion_f1_by_lesion_strict": "of distortions",
    "finding_lymph_node_f1_by_lesion_strict": "of lymph nodes",
    "finding_location_accuracy": "side and quadrant right, of findings matched",
    "finding_descriptor_accuracy": "descriptors right, of findings matched",
    "invented_findings_a_report_by_kind": "findings invented, an exam",
    "omitted_findings_a_report": "findings missed, an exam",
    "pointing_hit_rate_same_kind_strict": "boxes with the centre of a drafted one inside",
    "rouge_l_f1_stemmed_strict": "ROUGE-L",
}
PERTURBED = ("refused_share", "birads_accuracy_7_worst_strict", "finding_f1_by_place_strict", "sides_swapped_share")


def _stated(metric: MetricScore | None) -> str:
    return NONE if metric is None else with_interval(metric)


def _rows(known: Scores, others: Sequence[Scores]) -> Iterator[list[str]]:
    """A row a metric: the thousand, skill over the best blind baseline, the others."""
    here, *there = (scores.systems[scores.system].metrics for scores in (known, *others))
    for name, label in METRICS.items():
        skill = here[name].skill
        gained = "" if skill is None else f"{with_interval(skill)} ({skill.blind})"
        yield [f"{label} (`{name}`)", _stated(here[name]), gained, *(_stated(metrics.get(name)) for metrics in there)]


def page(known: Scores, full: Scores, other: Scores) -> list[str]:
    """The page as Markdown lines."""
    perturbed = known.perturbed.values()
    changes = [[f"`{name}`", *(_stated(scores.metrics.get(name)) for scores in perturbed)] for name in PERTURBED]
    return [
        "# A thousand drawn exams",
        "",
        f"The embedded model on {known.data.n:,} small phantoms of the screening population, on {full.data.n:,} of it "
        f"in full size (as `amrg phantom` draws them), and on {other.data.n:,} small ones of another population "
        "(softer, noisier images, other breasts and findings: [the phantoms](../phantom.md)), none of them used for "
        "training. Which findings of them were misplaced was looked at when the margins of decision "
        "[0015](../decisions/0015-the-box-decides-the-place.md) were chosen; for nothing else. "
        "95 % intervals by bootstrap; skill is 0 for the best baseline that reads "
        "no image and 1 for a perfect report. `make drawn-figures` measures it again.",
        "",
        *table(["metric", "screening", "skill", "full size", "shifted"], _rows(known, (full, other)), numbers=4),
        "",
        f"On perturbed images ({next(iter(perturbed)).n} of the thousand; *shuffled*: another exam's):",
        "",
        *table(["metric", *known.perturbed], changes, numbers=len(perturbed)),
    ]


def main() -> None:
    """`drawn_figures.py RUN FULL_SIZE_RUN SHIFTED_RUN`: write the page and print it."""
    write_page(OUT, page(*(read_scores(Path(folder)) for folder in sys.argv[1:4])))


if __name__ == "__main__":
    main()
