"""Blind baselines: fitted on training cases only, the same with any other cases, as strong as claimed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from dmid_data import DMID, dmid_reports
from rouge_score.rouge_scorer import RougeScorer

from amrg.benchmark.baselines.retrieval import LINES, ROWS, embed_images, load_embeddings, retrieval_baseline
from amrg.benchmark.baselines.suite import fit_baselines, load_baselines, save_baselines
from amrg.benchmark.baselines.text_baselines import (
    blind_baselines,
    medoid,
    oracle_baseline,
    oracle_rules,
    perfect_baseline,
)
from amrg.benchmark.references import References, fitted_on
from amrg.benchmark.sampling import sample
from amrg.birads import Assessment, Category, Composition, Laterality, Report, View, parse
from amrg.datasets.case import Case, ReferenceSource
from amrg.imaging import ImagingError, Mammogram, Study
from amrg.metrics.errors import BenchmarkError

C, D = Category, Composition


def case(key: str, text: str, category: Category | None = None, density: Composition | None = None) -> Case:
    assessments = () if category is None else (Assessment(category=category),)
    return Case(
        key=key,
        dataset="made",
        group=key,
        source=ReferenceSource.RADIOLOGIST,
        licence="none",
        images=(),
        reference=Report(composition=density, assessments=assessments),
        text=text,
    )


def real() -> list[Case]:
    if not DMID.is_dir():
        pytest.skip("the real DMID reports are not here")
    return [
        case(key, text).model_copy(update={"reference": parse(text).report}) for key, text in dmid_reports().items()
    ]


def rouge_l(reference: str, text: str) -> float:
    return float(RougeScorer(["rougeL"], use_stemmer=True).score(reference, text)["rougeL"].fmeasure)


def test_the_constant_is_the_best_of_all_by_the_reference_package() -> None:
    cases = real()[:25]
    best = max({c.text for c in cases}, key=lambda text: sum(rouge_l(c.text, text) for c in cases))
    assert sum(rouge_l(c.text, medoid(cases, 0)) for c in cases) == pytest.approx(
        sum(rouge_l(c.text, best) for c in cases)
    )


def test_one_constant_report_reaches_the_published_score_of_dmid() -> None:
    cases = real()
    constant = blind_baselines(cases[:348], [c.key for c in cases[348:]], 0)["constant"]
    assert len({p.text for p in constant}) == 1
    assert float(np.mean([rouge_l(c.text, p.text or "") for c, p in zip(cases[348:], constant, strict=True)])) > 0.55


def test_a_case_gets_the_same_report_with_any_other_cases() -> None:
    training = [case(f"t{i}", f"report {i}") for i in range(40)]
    keys = [f"k{i}" for i in range(30)]
    whole = {p.key: p.text for p in blind_baselines(training, keys, 3)["sampled"]}
    part = {p.key: p.text for p in blind_baselines(training, keys[20:], 3)["sampled"]}
    assert part.items() <= whole.items()
    assert len(set(whole.values())) > 10
    assert whole != {p.key: p.text for p in blind_baselines(training, keys, 4)["sampled"]}


def test_the_prior_has_the_most_frequent_category_and_density() -> None:
    training = [
        case("a", "one b", C.NEGATIVE, D.B),
        case("b", "four c", C.SUSPICIOUS, D.C),
        case("c", "four c too", C.SUSPICIOUS, D.C),
        case("d", "one c", C.NEGATIVE, D.C),
        case("e", "one d", C.NEGATIVE, D.D),
    ]
    assert [p.text for p in blind_baselines(training, ["x", "y"], 0)["prior"]] == ["one c", "one c"]


def test_the_oracle_shares_what_it_can_with_the_reference() -> None:
    training = [
        case("a", "1 b", C.NEGATIVE, D.B),
        case("b", "1 b again", C.NEGATIVE, D.B),
        case("c", "4A c", C.LOW_SUSPICION, D.C),
        case("d", "5 a", C.HIGHLY_SUGGESTIVE, D.A),
    ]
    queries = [
        case("both", "", C.NEGATIVE, D.B),
        case("letter", "", C.HIGH_SUSPICION, D.C),
        case("category", "", C.HIGHLY_SUGGESTIVE, D.D),
        case("density", "", C.BENIGN, D.C),
        case("nothing", ""),
    ]
    found = {p.key: p.text for p in oracle_baseline(training, queries, 0)}
    assert found["both"] in ("1 b", "1 b again")
    assert [found[k] for k in ("letter", "category", "density")] == ["4A c", "5 a", "4A c"]
    assert found["nothing"] in {c.text for c in training}
    assert list(oracle_rules(training, queries).values()) == [1, 1, 1, 1, 1]


def test_the_references_are_perfect_and_no_training_cases_are_refused() -> None:
    (perfect,) = perfect_baseline([case("a", "text", C.BENIGN)])
    assert (perfect.text, perfect.report and perfect.report.worst) == ("text", C.BENIGN)
    with pytest.raises(BenchmarkError, match="no training case"):
        blind_baselines([], ["a"], 0)
    with pytest.raises(BenchmarkError, match="no training case"):
        oracle_baseline([], [], 0)


def test_a_sample_keeps_its_order_and_all_where_there_are_few() -> None:
    drawn = sample(range(100), 10, "s")
    assert len(drawn) == 10 == len(set(drawn))
    assert drawn == sorted(drawn)
    assert drawn != sample(range(100), 10, "t")
    assert sample(range(3), 10, "s") == [0, 1, 2]


class Drawn(Mammogram):
    """A breast at its chest wall with a spot, drawn and never on disk."""

    spot: tuple[int, int]

    def pixels(self) -> npt.NDArray[np.float32]:
        y, x = np.mgrid[: self.rows, : self.columns]
        inside = ((y - self.rows / 2) / (0.42 * self.rows)) ** 2 + (x / (0.7 * self.columns)) ** 2 < 1
        near = np.exp(-((y - self.spot[0]) ** 2 + (x - self.spot[1]) ** 2) / 400)
        image = np.where(inside, 0.4 + 0.6 * near, 0).astype(np.float32)
        return image[:, ::-1].copy() if self.laterality is Laterality.RIGHT else image


Spots = dict[tuple[Laterality, View], tuple[int, int]]
RCC, LCC, LMLO = (Laterality.RIGHT, View.CC), (Laterality.LEFT, View.CC), (Laterality.LEFT, View.MLO)


def opener(studies: dict[str, Spots]) -> Callable[[Case], Study]:
    def opened(case: Case) -> Study:
        if case.key not in studies:
            raise ImagingError(f"{case.key}.dcm: gone")
        views = tuple(
            Drawn(
                sop_instance_uid="1",
                laterality=side,
                view=view,
                pixel_spacing_mm=None,
                rows=160,
                columns=120,
                source=Path("nowhere"),
                spot=spot,
            )
            for (side, view), spot in studies[case.key].items()
        )
        return Study(study_instance_uid="1", patient_key="k", date=None, mammograms=views)

    return opened


TRAINING: dict[str, Spots] = {
    "up": {RCC: (50, 30), LCC: (50, 30)},
    "down": {RCC: (110, 30), LCC: (110, 30)},
    "right only": {RCC: (60, 30)},
}
QUERIES: dict[str, Spots] = {
    "a little below up": {RCC: (55, 30), LCC: (55, 30)},
    "a little above down": {LCC: (105, 35)},
    "as right only": {RCC: (61, 30)},
    "of a view unknown": {LMLO: (50, 30)},
}


def embed(folder: Path, studies: dict[str, Spots], *more: str) -> list[Case]:
    cases = [case(key, f"report of {key}") for key in (*studies, *more)]
    assert list(embed_images(cases, opener(studies), folder))[-1] == len(cases)
    return cases


def test_the_report_of_the_nearest_images_is_retrieved(tmp_path: Path) -> None:
    training = embed(tmp_path / "training", TRAINING, "lost")
    embed(tmp_path / "queries", QUERIES, "gone")
    found = retrieval_baseline(training, load_embeddings(tmp_path / "training"), load_embeddings(tmp_path / "queries"))
    assert [p.text and p.text.removeprefix("report of ") for p in found] == ["up", "down", "right only", None, None]
    assert [p.error for p in found[3:]] == [
        "no training image of the views LLMO".replace("LLMO", "LMLO"),
        "gone.dcm: gone",
    ]


def test_a_case_is_never_its_own_neighbour(tmp_path: Path) -> None:
    training = embed(tmp_path, TRAINING)
    known = load_embeddings(tmp_path)
    found = retrieval_baseline(training, known, known)
    assert all(p.text != f"report of {p.key}" for p in found)


@pytest.mark.parametrize("cut", [(LINES, 5), (ROWS, 1), (ROWS, 5000), (LINES, 10_000)])
def test_embedding_resumes_where_it_was_interrupted(cut: tuple[str, int], tmp_path: Path) -> None:
    cases = embed(tmp_path, TRAINING, "lost")
    before = {name: (tmp_path / name).read_bytes() for name in (LINES, ROWS)}
    (tmp_path / cut[0]).write_bytes(before[cut[0]][: -cut[1]])
    list(embed_images(cases, opener(TRAINING), tmp_path))
    assert {name: (tmp_path / name).read_bytes() for name in (LINES, ROWS)} == before
    assert list(embed_images(cases, opener({}), tmp_path)) == [len(cases)], "nothing is opened again"
    with pytest.raises(BenchmarkError, match="contains a different run"):
        list(embed_images(cases[1:], opener(TRAINING), tmp_path))


def test_that_baselines_know_scored_texts_is_stored_with_them(tmp_path: Path) -> None:
    """A run is scored again from its folder, where the other data set is not."""
    scored = References("set", tuple(case(key, f"{key} is normal.") for key in "abc"))
    training = (case("t", "B is Normal"), case("u", "a mass"))
    save_baselines(tmp_path, fit_baselines(fitted_on(scored, "other", training)))
    (line,) = load_baselines(tmp_path, scored).warnings
    assert line.startswith("baselines know scored texts: 1 of 3 cases have their patient or their reference's text")
    assert "among the cases of other" in line
