"""The README's two pictures: a drafted phantom exam with its marks, and the benchmark's verdict on the example run.

Run as `make pictures`, which makes the example run first (`make example`).
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from amrg.benchmark.pages.plots import BLUE, GREY, ORANGE, VERMILLION
from amrg.benchmark.pages.verdict import Evidence, verdict
from amrg.metrics.scores import Number, Scores

FIGURES = Path(__file__).parents[1] / "docs" / "figures"
COLOURS = 200  # of a picture's palette: the grey levels of four views and a few accents


def main() -> None:
    """Write `draft.png` and `verdict.png` into docs/figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path, help="a run folder with scores.json, as `make example` leaves it")
    parser.add_argument("--seed", type=int, default=1000004, help="seed of the phantom exam that is drafted")
    given = parser.parse_args()
    FIGURES.mkdir(exist_ok=True)
    draw_draft(given.seed, FIGURES / "draft.png")
    scores = Scores.model_validate_json((given.run / "scores.json").read_bytes())
    draw_verdict(scores, FIGURES / "verdict.png")


def draw_draft(seed: int, path: Path) -> None:
    """The report picture of one phantom exam, made by the commands that a user runs."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        _amrg("phantom", folder / "exam", "--count", "1", "--seed", str(seed))
        _amrg("report", folder / "exam", "--out", folder / "report", "--format", "png")
        (picture,) = folder.glob("report/*/report.png")
        with Image.open(picture) as image:
            image.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(path, optimize=True)


def _amrg(*arguments: str | Path) -> None:
    subprocess.run([sys.executable, "-m", "amrg.cli", *map(str, arguments)], check=True, stdout=subprocess.DEVNULL)


def draw_verdict(scores: Scores, path: Path) -> None:
    """The main metrics of a run: the model, the best blind baseline, and the model on images that do not help."""
    answer = verdict(scores)
    rows = [e for e in answer.evidence if e.score.value is not None and e.score.high is not None and e.score.high <= 1]
    with mpl.rc_context({"font.size": 10, "svg.fonttype": "none", "axes.spines.left": False}):
        figure = Figure(figsize=(9.2, 1.5 + 0.52 * len(rows)), dpi=120)
        axes = figure.add_axes((0.31, 1.0 / (1.5 + 0.52 * len(rows)), 0.66, 1 - 1.75 / (1.5 + 0.52 * len(rows))))
        for y, evidence in enumerate(rows):
            _row(axes, -y, evidence, scores)
        axes.set_yticks([-y for y in range(len(rows))], [e.metric for e in rows])
        axes.set_xlim(-0.02, 1.02)
        axes.tick_params(left=False)
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="x", color="#dddddd", linewidth=0.6)
        axes.set_axisbelow(True)
        figure.text(0.02, 0.985, answer.headline, fontsize=12, fontweight="bold", va="top")
        handles, labels = axes.get_legend_handles_labels()
        figure.legend(handles[:4], labels[:4], loc="lower left", ncols=2, frameon=False, fontsize=9)
        figure.savefig(path, metadata={"Software": None})


def _row(axes: Axes, y: int, evidence: Evidence, scores: Scores) -> None:
    """One metric: four marks with their 95 % intervals on one line."""
    marks: list[tuple[Number | None, str, str, str]] = [
        (evidence.score, f"{scores.system}, {scores.data.n} exams", BLUE, "o"),
        (evidence.blind, "best blind baseline: written without any image", GREY, "^"),
    ]
    for name, colour, marker, label in (
        ("shuffled", ORANGE, "D", "the model shown another patient's images"),
        ("blanked", VERMILLION, "s", "the model shown black images"),
    ):
        if name in scores.perturbed:
            of = scores.perturbed[name]
            marks.append((of.metrics.get(evidence.metric), f"{label}, {of.n} exams", colour, marker))
    for place, (number, label, colour, marker) in enumerate(marks):
        if number is not None and number.value is not None:
            height = y + 0.24 - 0.16 * place  # intervals under each other
            low, high = (number.value if end is None else end for end in (number.low, number.high))
            axes.plot((low, high), (height, height), color=colour, linewidth=2, alpha=0.5, solid_capstyle="butt")
            axes.plot(number.value, height, marker, color=colour, markersize=6, label=label, linestyle="none")


if __name__ == "__main__":
    main()
