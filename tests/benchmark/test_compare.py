"""Systems compared on the same cases only, with Holm's correction; tables that Markdown and LaTeX can read."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from amrg.benchmark.pages.table import Table, TableValue, build_table, escaped, latex, markdown
from amrg.benchmark.references import References
from amrg.benchmark.scoring.compare import ALL, compare, read_runs
from amrg.benchmark.scoring.read_run import read_scores
from amrg.benchmark.scoring.score_run import Submission, score_submission
from amrg.benchmark.scoring.scoring import ScoringOptions
from amrg.benchmark.submissions import Outputs
from amrg.metrics.errors import BenchmarkError
from amrg.metrics.scores import Scores
from amrg.metrics.statistics import holm
from amrg.metrics.strict import EVERY_CASE
from tests.benchmark.fixtures import CASES, PERFECT, REFERENCES, TURNED

NAME = "sys_A & 50% #1 {x} ~^\\$"


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Three runs on the same cases, one on others, one on the same under another part."""
    folder = tmp_path_factory.mktemp("runs")
    mixed = Outputs((*PERFECT.predictions[:6], *TURNED.predictions[6:]))
    fewer = replace(REFERENCES, cases=CASES[:8])
    made: dict[str, tuple[str, References, Outputs]] = {
        "turned": ("turned", REFERENCES, TURNED),
        "mixed": (NAME, REFERENCES, mixed),
        "perfect": ("turned", REFERENCES, PERFECT),
        "fewer": ("fewer", fewer, Outputs(PERFECT.predictions[:8])),
        "validation": ("other", replace(REFERENCES, part="validation"), PERFECT),
    }
    for name, (system, references, outputs) in made.items():
        path = folder / f"{name}.jsonl"
        path.write_text("{}", encoding="utf-8")
        score_submission(Submission(path, references, outputs), folder / name, ScoringOptions(system, resamples=200))
    return {name: folder / name for name in made}


def test_every_run_is_compared_with_the_first_and_all_tests_are_corrected_together(runs: dict[str, Path]) -> None:
    scored = read_runs([runs["turned"], runs["mixed"], runs["perfect"]])
    found = compare(scored, ["rouge_l_f1_stemmed", "finding_f1_by_lesion"])
    assert [(c.metric, c.second) for c in found] == [
        ("rouge_l_f1_stemmed", NAME),
        ("finding_f1_by_lesion", NAME),
        ("rouge_l_f1_stemmed", str(runs["perfect"])),
        ("finding_f1_by_lesion", str(runs["perfect"])),
    ]
    scores = read_scores(runs["turned"]).systems["turned"].metrics["rouge_l_f1_stemmed"]
    assert found[0].first_value == found[2].first_value == pytest.approx(scores.value)
    assert found[2].second_value == 1.0
    for c in found:
        assert c.value == pytest.approx((c.second_value or 0) - (c.first_value or 0))
        assert c.n == 12
        assert c.low is not None
        assert c.value is not None
        assert c.value > 0
    assert [c.p_holm for c in found] == pytest.approx(holm([c.p or 0 for c in found]))


def test_the_main_metrics_are_compared_by_default(runs: dict[str, Path]) -> None:
    two = read_runs([runs["turned"], runs["mixed"]])
    main, every = compare(two), compare(two, [ALL])
    assert {"birads_accuracy_7_worst", "rouge_l_f1_stemmed"} <= {c.metric for c in main}
    assert len(every) > 3 * len(main)
    with pytest.raises(BenchmarkError, match="no metric 'rouge_l'; did you mean rouge_l_f1"):
        compare(two, ["rouge_l"])


@pytest.mark.parametrize(
    ("other", "message"),
    [("fewer", r"data of n 8, and .*turned on data of n 12"), ("validation", "data of part 'validation'")],
)
def test_runs_on_other_data_are_refused(other: str, message: str, runs: dict[str, Path]) -> None:
    with pytest.raises(BenchmarkError, match=message):
        read_runs([runs["turned"], runs[other]])


def test_runs_that_cannot_be_compared_are_refused(runs: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match="found 1 run, expected two or more"):
        read_runs([runs["turned"]])
    with pytest.raises(BenchmarkError, match="the same run is given twice"):
        read_runs([runs["turned"], runs["turned"]])
    with pytest.raises(BenchmarkError, match=r"no scores\.json"):
        read_runs([runs["turned"], tmp_path])


def test_cases_changed_after_scoring_are_refused(runs: dict[str, Path], tmp_path: Path) -> None:
    for file in runs["turned"].glob("*.json*"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    retained = tmp_path / "cases.jsonl"
    retained.write_text(retained.read_text(encoding="utf-8").replace("Image 3", "Image 4"), encoding="utf-8")
    with pytest.raises(BenchmarkError, match="not those of its scores"):
        read_runs([runs["turned"], tmp_path])


@pytest.fixture(scope="module")
def scores(runs: dict[str, Path]) -> list[Scores]:
    return [read_scores(runs[name]) for name in ("mixed", "turned")]


def test_markdown_reads_back(scores: list[Scores]) -> None:
    lines = markdown(build_table(scores, ["rouge_l_f1_stemmed", "contradictions_a_report"])).splitlines()
    rows = [re.split(r"(?<!\\) ?\| ?", line)[1:-1] for line in lines if line.startswith("|")]
    assert rows[0] == ["system", "n", "rouge_l_f1_stemmed", "contradictions_a_report"]
    assert [row[0] for row in rows[2:]] == [
        "constant (blind)", "sampled (blind)", "prior (blind)", "oracle", NAME, "turned",
    ]  # fmt: skip
    assert {len(row) for row in rows} == {4}
    value = scores[0].systems[NAME].metrics["rouge_l_f1_stemmed"]
    assert rows[6][2] == f"{value.value:.3f} [{value.low:.3f}, {value.high:.3f}]"
    assert "- lower is better: contradictions_a_report" in lines


def test_latex_reads_back_and_holds_no_bare_sign(scores: list[Scores]) -> None:
    made = build_table(scores, ["rouge_l_f1_stemmed"], TableValue.SKILL)
    text = latex(made)
    assert text.count("{") == text.count("}")
    assert re.findall(r"\\(begin|end){tabular}", text) == ["begin", "end"]
    inside = text.split(r"\toprule")[1].split(r"\bottomrule")[0]
    rows = [row.strip() for row in inside.replace(r"\midrule", "").split(r"\\") if row.strip()]
    assert len(rows) == len(made.rows) + 1
    assert "{lrr}" in text
    assert all(len(re.findall(r"(?<!\\)&", row)) == 2 for row in rows)
    assert not re.search(r"(?<!\\)[%#_^~]|\N{MINUS SIGN}", inside)
    assert all(line.startswith("%") for line in text.split(r"\begin")[0].splitlines())


def test_latex_escapes_every_sign_of_its_own() -> None:
    assert escaped(NAME) == (r"sys\_A \& 50\% \#1 \{x\} \textasciitilde{}\textasciicircum{}\textbackslash{}\$")
    assert latex(Table(("system",), (("[x]",),), ())).splitlines()[-3] == r"{[}x] \\"


def test_a_metric_that_scores_fewer_cases_says_so(scores: list[Scores]) -> None:
    system = scores[1].systems["turned"]
    seven = system.metrics["finding_f1_by_lesion"].model_copy(update={"n": 7, "unscored": 5})
    changed = system.model_copy(update={"metrics": {**system.metrics, "finding_f1_by_lesion": seven}})
    run = scores[1].model_copy(update={"systems": {"turned": changed}})
    made = build_table([run], ["rouge_l_f1_stemmed", "finding_f1_by_lesion"], baselines=False)
    assert made.header == ("system", "n", "rouge_l_f1_stemmed", "finding_f1_by_lesion_strict", "finding_f1_by_lesion")
    ((_, n, *whole, part),) = made.rows
    assert n == "12"
    assert not any("(n " in cell for cell in whole)
    assert part.endswith("] (n 7)")
    assert EVERY_CASE in made.notes


def test_rows_of_different_data_are_labelled(runs: dict[str, Path]) -> None:
    made = build_table([read_scores(runs[n]) for n in ("turned", "fewer")], baselines=False)
    assert made.header[:3] == ("system", "data", "n")
    assert [row[2] for row in made.rows] == ["12", "8"]
    assert "rows are on different cases: do not compare across data" in made.notes
