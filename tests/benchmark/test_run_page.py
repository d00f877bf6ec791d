"""The page: one file that opens offline, says what the numbers say, and lets no text out of its place."""

from __future__ import annotations

import base64
import io
import re
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import matplotlib as mpl
import pytest
from PIL import Image

from amrg.benchmark.pages.case_selection import select_cases
from amrg.benchmark.pages.run_page import write_run_page
from amrg.benchmark.pages.verdict import Support, VerdictAnswer, verdict
from amrg.datasets import Case
from amrg.metrics.errors import BenchmarkError
from amrg.metrics.families import Family, families, main_metrics
from amrg.metrics.pairs import Pair
from amrg.metrics.scores import CaseScores
from amrg.metrics.statistics import FEW_GROUPS
from tests.benchmark.example import GUESSED, MASS, NORMAL, READ, ROWS, Row, cases_of, measured, scores_of, write_run

HOSTILE = "<script>alert('$x$')</script> & 乳腺"


class Read(HTMLParser):
    """Every element of a page with its attributes, and its text."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.words: list[str] = []
        self.feed(page.read_text(encoding="utf-8"))
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.elements if name == tag]


def image(_: Case, __: Pair) -> Image.Image:
    return Image.new("L", (2000, 1000), 90)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run_page(write_run(tmp_path_factory.mktemp("run"), scores_of()), image)


def test_the_page_asks_for_nothing_from_anywhere(made: Path) -> None:
    page, raw = Read(made), made.read_text(encoding="utf-8")
    points = [value for _, a in page.elements for name, value in a.items() if name in ("src", "href", "xlink:href")]
    assert points
    assert [p for p in points if not p.startswith(("#", "data:image/jpeg;base64,"))] == []
    assert {tag for tag, _ in page.elements} & {"script", "link", "iframe", "object", "embed", "base", "form"} == set()
    assert re.findall(r"https?:|@import|url\((?!#)", raw) == []
    assert len(raw) < 1_500_000


def test_ids_stand_once_and_every_pointer_has_its_target(made: Path) -> None:
    page = Read(made)
    ids = Counter(a["id"] for _, a in page.elements if "id" in a)
    assert [i for i, times in ids.items() if times > 1] == []
    raw = made.read_text(encoding="utf-8")
    wanted = set(re.findall(r'(?:href="|url\()#([^")]+)|aria-labelledby="([^"]+)', raw))
    assert {first or second for first, second in wanted} <= ids.keys()


def test_charts_images_and_tables_are_accessible(made: Path) -> None:
    page = Read(made)
    charts = page.all("svg")
    assert len(charts) > 5
    assert all(c["role"] == "img" and len(c["aria-label"]) > 20 for c in charts)
    assert all(a["alt"] for a in page.all("img"))
    assert all(a.get("scope") in ("row", "col") for a in page.all("th"))


def test_the_same_folder_makes_the_same_bytes(made: Path) -> None:
    before = made.read_bytes()
    with mpl.rc_context({"font.size": 30, "svg.fonttype": "path"}):
        assert write_run_page(made.parent, image).read_bytes() == before


def test_no_name_and_no_text_gets_out_of_its_place(tmp_path: Path) -> None:
    scores = scores_of(system=HOSTILE)
    scores = scores.model_copy(
        update={
            "warnings": (HOSTILE,),
            "subgroups": {HOSTILE: {HOSTILE: scores.systems[HOSTILE], "else": scores.systems["constant"]}},
        }
    )
    texts = {"case-0": (MASS + HOSTILE, NORMAL + HOSTILE)}
    page = Read(write_run_page(write_run(tmp_path, scores, texts)))
    assert page.all("script") == []
    assert page.text.count(HOSTILE) >= 5


def test_head_warnings_and_numbers_are_on_the_page(made: Path) -> None:
    text = Read(made).text
    for words in (
        "UNVERIFIED. Not for clinical use.",
        "a model on made-up, test part",
        "40 cases in 40 groups",
        "made up for a test",
        "0.800 [0.700, 0.900]",
        "ab" * 32,
        "model.seed",
        "how it was computed",
        "In part: 1 of 3 main metrics shows that the images were read.",
    ):
        assert words in text


def test_the_page_states_groups_intervals_and_tests_as_they_are(made: Path) -> None:
    text = Read(made).text
    for words in (
        "40 cases in 40 groups (patients, or cases with the same text)",
        "by bootstrap, or after Clopper and Pearson where every resample is the same",
        "the outputs of whole groups are swapped together",
    ):
        assert words in text
    assert "near-duplicates" not in text


def test_counts_of_confusions_and_their_unscored_column(made: Path) -> None:
    text = Read(made).text
    assert "reference \\ draft 1 4 unscored 1 31 7 2 4 3 11 1" in text  # 0 is named by nobody


def test_drafts_on_training_cases_are_called_that_everywhere(tmp_path: Path) -> None:
    scores = scores_of()
    trained = scores.data.model_copy(update={"trained_on": True, "part": "train"})
    text = Read(write_run_page(write_run(tmp_path, scores.model_copy(update={"data": trained})))).text
    assert "Scored on training cases." in text
    assert "shows that the images were read (on training data)." in text


def test_a_metric_without_a_value_is_named_and_not_zero(tmp_path: Path) -> None:
    scores = scores_of()
    system = scores.systems["a model"]
    none = {"value": None, "low": None, "high": None, "n": 0, "unscored": 5, "skill": None}
    metrics = {name: m.model_copy(update=none) for name, m in system.metrics.items()}
    systems = scores.systems | {"a model": system.model_copy(update={"metrics": metrics})}
    empty = scores.model_copy(update={"systems": systems, "perturbed": {}, "cases": cases_of([None])})
    text = Read(write_run_page(write_run(tmp_path, empty))).text
    assert "no value for 5 metrics: birads_accuracy_7_worst" in text
    assert "This run cannot tell whether the images were read" in text


def test_images_are_drawn_for_cases_on_the_page_only_and_made_small(tmp_path: Path) -> None:
    drawn_cases: list[str] = []

    def some(case: Case, pair: Pair) -> Image.Image | None:
        assert pair.key == case.key
        drawn_cases.append(case.key)
        return Image.new("RGB", (900, 900)) if case.key == "case-0" else None

    page = Read(write_run_page(write_run(tmp_path, scores_of()), some))
    assert sorted(drawn_cases) == ["case-0", "case-1", "case-2", "case-3"]  # case-4 has no score of its own
    (on_page,) = page.all("img")
    data = base64.b64decode(on_page["src"].removeprefix("data:image/jpeg;base64,"))
    assert Image.open(io.BytesIO(data)).size == (300, 300)


def test_facts_and_words_that_differ_are_marked(tmp_path: Path) -> None:
    page = write_run_page(write_run(tmp_path, scores_of()))
    raw = page.read_text(encoding="utf-8")
    assert "ACR <del>C</del>. BIRADS: <del>4c. A spiculated mass" in raw
    assert "ACR <ins>B</ins>. BIRADS: <ins>1" in raw
    text = Read(page).text
    assert "wrong category : reference: BI-RADS 4C; draft: BI-RADS 1" in text
    assert "wrong density : reference: density C; draft: density B" in text
    assert "missing finding : spiculated mass, left breast, upper outer quadrant" in text


@pytest.mark.parametrize(
    ("file", "message"), [("scores.json", "score"), ("predictions.jsonl", "case"), ("cases.jsonl", "case")]
)
def test_a_missing_or_broken_file_is_named(tmp_path: Path, file: str, message: str) -> None:
    run = write_run(tmp_path, scores_of())
    whole = (run / file).read_text(encoding="utf-8")
    (run / file).unlink()
    with pytest.raises(BenchmarkError, match=rf"no {file} in the run folder"):
        write_run_page(run)
    (run / file).write_text(whole[:40], encoding="utf-8")
    with pytest.raises(BenchmarkError, match=rf"{file}(?: line 1)?: no JSON"):
        write_run_page(run)
    (run / file).write_text(whole.replace("case-0", "case-x").replace('"schema_version":1', '"schema_version":9'))
    with pytest.raises(BenchmarkError, match=rf"{file}.*{message}"):
        write_run_page(run)


@pytest.mark.parametrize(
    ("rows", "answer"),
    [
        ({"birads_accuracy_7_worst": READ, "density_accuracy": READ}, VerdictAnswer.YES),
        ({"birads_accuracy_7_worst": READ, "density_accuracy": GUESSED}, VerdictAnswer.PARTLY),
        ({"birads_accuracy_7_worst": GUESSED}, VerdictAnswer.NO),
        # Better than blind, but as good with black images: memory of the labels, not reading.
        ({"birads_accuracy_7_worst": Row(0.8, 0.5, (0.4, 0.7), {"blanked": (-0.1, 0.1)})}, VerdictAnswer.NO),
        ({"birads_accuracy_7_worst": Row(0.8, 0.5, (0.4, 0.7))}, VerdictAnswer.YES),
        ({"birads_accuracy_7_worst": Row(0.8, 0.5)}, VerdictAnswer.UNKNOWN),
        ({"mammogreen_false_findings": READ}, VerdictAnswer.UNKNOWN),  # no main metric
        # Fewer errors are better: images that matter make them more.
        ({"finding_f1_by_lesion": Row(0.2, 0.5, (0.4, 0.7), {"blanked": (0.1, 0.3)}, higher=False)}, VerdictAnswer.YES),
        (
            {"finding_f1_by_lesion": Row(0.2, 0.5, (0.4, 0.7), {"blanked": (-0.3, -0.1)}, higher=False)},
            VerdictAnswer.NO,
        ),
    ],
)
def test_the_verdict_follows_the_numbers(rows: dict[str, Row], answer: VerdictAnswer) -> None:
    assert verdict(scores_of(rows)).answer is answer


@pytest.mark.parametrize(
    ("groups", "perturbed", "answer"),
    [
        (1, 40, VerdictAnswer.UNKNOWN),
        (FEW_GROUPS - 1, 40, VerdictAnswer.UNKNOWN),
        (40, 2, VerdictAnswer.UNKNOWN),
        (40, FEW_GROUPS - 1, VerdictAnswer.UNKNOWN),
        (FEW_GROUPS, FEW_GROUPS, VerdictAnswer.YES),
    ],
)
def test_few_groups_of_cases_allow_no_verdict(
    tmp_path: Path, groups: int, perturbed: int, answer: VerdictAnswer
) -> None:
    scores = scores_of({"birads_accuracy_7_worst": READ}, groups=groups, perturbed=perturbed)
    found = verdict(scores)
    assert found.answer is answer
    green = (Read(write_run_page(write_run(tmp_path, scores))).all("span")).count({"class": "sign yes"})
    if answer is VerdictAnswer.UNKNOWN:
        assert "20 groups are required" in found.headline
        assert "0 of 1 main metric get worse" in " ".join(found.sentences)
        assert green == (1 if groups >= FEW_GROUPS else 0)  # the skill alone, over enough groups
    else:
        assert green == 3


@pytest.mark.parametrize("p", [0.5, 0.0501, None])
def test_a_change_whose_p_is_above_the_limit_shows_nothing(tmp_path: Path, p: float | None) -> None:
    scores = scores_of({"birads_accuracy_7_worst": replace(READ, p=p), "density_accuracy": replace(READ, p=0.05)})
    found = verdict(scores)
    assert found.answer is VerdictAnswer.PARTLY
    assert [list(e.worse.values()) for e in found.evidence] == [[Support.NONE] * 2, [Support.YES] * 2]
    assert "1 of 2 main metrics gets worse" in " ".join(found.sentences)
    assert Read(write_run_page(write_run(tmp_path, scores))).text.count("not distinguishable") >= 2


def test_a_metric_over_few_cases_shows_nothing_next_to_others() -> None:
    scores = scores_of({"birads_accuracy_7_worst": READ, "density_accuracy": READ})
    system = scores.systems["a model"]
    few = {"density_accuracy": system.metrics["density_accuracy"].model_copy(update={"groups": 7})}
    systems = scores.systems | {"a model": system.model_copy(update={"metrics": system.metrics | few})}
    found = verdict(scores.model_copy(update={"systems": systems}))
    assert found.headline == "In part: 1 of 2 main metrics shows that the images were read."
    assert "Fewer than 20 groups of cases show nothing" in " ".join(found.sentences)


def test_the_verdict_counts_and_names_what_it_rests_on() -> None:
    found = verdict(scores_of({"birads_accuracy_7_worst": READ, "density_accuracy": GUESSED}))
    assert found.headline == "In part: 1 of 2 main metrics shows that the images were read."
    assert (
        "1 of 2 main metrics gets worse, beyond the 95 % interval and with p at most 0.05 (birads_accuracy_7_worst)"
        in " ".join(found.sentences)
    )
    assert "not run on perturbed images" not in " ".join(found.sentences)
    untested = verdict(scores_of({"birads_accuracy_7_worst": Row(0.8, 0.5, (0.4, 0.7))}))
    assert "not run on perturbed images" in " ".join(untested.sentences)


def _extremes(cases: tuple[CaseScores, ...], lengths: dict[str, int]) -> tuple[str, list[str], list[str]]:
    metrics = {name: measured(name, row, row.value) for name, row in ROWS.items()}
    found = select_cases(cases, metrics, lengths)
    assert found is not None
    return found.rule, [c.key for c, _ in found.worst], [c.key for c, _ in found.best]


def test_extremes_by_mammogreen_longer_references_first_and_one_a_group() -> None:
    cases = cases_of([0.5, 0.0, 1.0, 1.0, None, 0.0])
    twin = cases[1].model_copy(update={"key": "twin"})
    rule, worst, best = _extremes((*cases, twin), {"case-3": 50, "case-2": 20, "case-1": 9, "case-5": 30})
    assert rule.startswith("by mammogreen_score")
    assert worst == ["case-5", "case-1", "case-0"]
    assert best == ["case-3", "case-2"]


def test_extremes_without_mammogreen_go_by_mean_rank_in_each_metrics_direction() -> None:
    rule, worst, best = _extremes(cases_of([None] * 4), {})
    assert rule.startswith("by the mean rank")
    assert (worst, best) == (["case-3", "case-2"], ["case-0", "case-1"])  # fewer false findings are better


def test_no_case_of_its_own_no_extremes() -> None:
    assert select_cases(tuple(c.model_copy(update={"values": {}}) for c in cases_of([1.0])), {}, {}) is None


def test_metrics_are_grouped_by_the_family_that_they_carry() -> None:
    metrics = {name: measured(name, READ, 0.5) for name in ("rouge_l_f1_stemmed", "new", "density_accuracy")}
    found = families(metrics)
    assert list(found) == [Family.BIRADS, Family.FINDINGS, Family.TEXT]
    assert found[Family.FINDINGS] == ["new"]  # as its score says, whatever its name
    assert main_metrics(["rouge_l_f1_stemmed", "finding_f1_by_lesion", "new"]) == [
        "finding_f1_by_lesion",
        "rouge_l_f1_stemmed",
    ]
