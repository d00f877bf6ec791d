"""MammoGREEN: each kind of error alone, the rules that stop counting twice, and the examples of docs/mammogreen.md."""

from __future__ import annotations

import math
from dataclasses import asdict
from pathlib import Path

import pytest

from amrg.birads import Assessment, Category, Comparison, Finding, Kind, Laterality, Location, Quadrant, Report
from amrg.metrics.clinical.mammogreen import Errors, errors_of
from amrg.metrics.clinical.matching import match_findings
from tests.benchmark.making import made, values, written

LEFT, RIGHT = Laterality.LEFT, Laterality.RIGHT
PAGE = Path(__file__).parents[2] / "docs" / "mammogreen.md"
NORMAL = "ACR B. BIRADS: 1. No abnormal soft opacity or microcalcification seen."
REFERENCE = "ACR B. BIRADS: 4b. Irregular mass with spiculated margins in the upper outer quadrant of the left breast."


def _errors(reference: str, draft: str, has_prior: bool = False) -> dict[str, int]:
    """What is not zero, by kind."""
    pair = written(reference, draft)
    return _of(pair.reference, pair.report, has_prior)


def _of(reference: Report, draft: Report | None, has_prior: bool = False) -> dict[str, int]:
    assert draft is not None
    pair = made(reference, draft, has_prior=has_prior)
    return {k: v for k, v in asdict(errors_of(pair, draft, match_findings(pair, draft))).items() if v}


@pytest.mark.parametrize(
    ("was", "becomes", "expected"),
    [
        ("", "", {"matched": 1}),
        ("left breast.", "left breast. Skin thickening is seen.", {"matched": 1, "false_findings": 1}),
        ("Irregular mass with spiculated margins", "No mass", {"missing_findings": 1}),
        ("spiculated", "circumscribed", {"mischaracterised": 1}),
        ("left", "right", {"wrong_location": 1}),
        ("upper outer", "lower inner", {"wrong_location": 1}),
        ("4b", "4c", {"matched": 1, "wrong_birads": 1}),
        ("BIRADS: 4b. ", "", {"matched": 1, "wrong_birads": 1}),
        ("ACR B", "ACR C", {"matched": 1, "wrong_density": 1}),
        ("upper outer quadrant", "upper quadrant", {"matched": 1}),
        (" in the upper outer quadrant of", " in", {"matched": 1}),
        ("upper outer quadrant", "2 o'clock position", {"matched": 1, "mischaracterised": 1}),
        ("quadrant of", "quadrant, posterior depth, of", {"matched": 1, "mischaracterised": 1}),
        ("Irregular mass", "Irregular 12 mm mass", {"matched": 1, "mischaracterised": 1}),
        ("Irregular mass", "Irregular high density mass", {"matched": 1, "mischaracterised": 1}),
        ("Irregular mass with spiculated margins", "Mass", {"matched": 1}),
    ],
)
def test_one_change_makes_one_error(was: str, becomes: str, expected: dict[str, int]) -> None:
    assert was in REFERENCE
    assert _errors(REFERENCE, REFERENCE.replace(was, becomes, 1)) == expected


def _examples() -> list[list[str]]:
    """Lines of the table of examples: draft, matched, errors, score."""
    lines = PAGE.read_text(encoding="utf-8").split("## Examples")[1].split("\n## ")[0].splitlines()
    cells = [[c.strip() for c in line.strip("|").split("|")] for line in lines if line.startswith("| ")]
    return cells[1:]


@pytest.mark.parametrize(("draft", "matched", "errors", "score"), _examples())
def test_the_examples_of_the_page(draft: str, matched: str, errors: str, score: str) -> None:
    reference = NORMAL if draft.startswith("normal: ") else REFERENCE
    drafted = draft.removeprefix("normal: ")
    names = errors.replace("finding", "findings").replace("BI-RADS", "birads").replace(" ", "_").split(",_")
    expected = {"matched": int(matched), **{name: 1 for name in names if name}}
    assert _errors(reference, drafted) == {k: v for k, v in expected.items() if v}
    assert values([written(reference, drafted)])["mammogreen_score"] == pytest.approx(float(score), abs=5e-4)


def test_the_page_has_the_reference_of_its_examples() -> None:
    page = " ".join(PAGE.read_text(encoding="utf-8").split())
    assert f"*{REFERENCE}*" in page
    assert f"*{NORMAL}*" in page


def test_plain_four_agrees_with_its_letters() -> None:
    for a, b in (("4b", "4"), ("4", "4b")):
        assert _errors(REFERENCE.replace("4b", a), REFERENCE.replace("4b", b)) == {"matched": 1}
    assert _errors(REFERENCE.replace("4b", "5"), REFERENCE.replace("4b", "4"))["wrong_birads"] == 1


def test_a_comparison_without_a_prior_is_one_false_finding() -> None:
    compared = REFERENCE.replace("Irregular", "Stable irregular") + " Compared with the prior mammogram of 2019-01-02."
    assert _errors(REFERENCE, compared) == {"matched": 1, "false_findings": 1}
    assert _errors(REFERENCE, compared, has_prior=True) == {"matched": 1}
    assert _errors(compared, compared) == {"matched": 1}
    assert _errors(REFERENCE, REFERENCE + " No interval change.") == {"matched": 1, "false_findings": 1}
    assert _errors(REFERENCE, REFERENCE + " No prior study is available for comparison.") == {"matched": 1}


def test_denials_count_only_where_they_contradict() -> None:
    assert _errors(REFERENCE, REFERENCE + " No skin thickening. No axillary lymph nodes.") == {"matched": 1}
    assert _errors(REFERENCE + " No skin thickening.", REFERENCE + " Skin thickening is seen.") == {
        "matched": 1,
        "false_findings": 1,
    }


def test_two_negative_reports_match_and_an_empty_one_is_none() -> None:
    assert _errors(NORMAL, "ACR B. BIRADS: 1. No mass.") == {"matched": 1}
    assert _errors(NORMAL, "ACR B. BIRADS: 1.") == {"matched": 1}
    assert _errors(NORMAL, "ACR B.") == {"wrong_birads": 1}
    assert _errors(NORMAL, "") == {"wrong_birads": 1, "wrong_density": 1}
    assert _errors(NORMAL, REFERENCE) == {"false_findings": 1, "wrong_birads": 1}


def test_a_mass_called_asymmetry_in_the_same_place_is_one_error_and_not_two() -> None:
    place = Location(quadrant=Quadrant.UPPER_OUTER)
    mass = Finding(kind=Kind.MASS, laterality=LEFT, location=place)
    other = mass.model_copy(update={"kind": Kind.DISTORTION})
    assert _of(Report(findings=(mass,)), Report(findings=(other,))) == {"mischaracterised": 1}
    elsewhere = other.model_copy(update={"location": Location(quadrant=Quadrant.LOWER_INNER)})
    assert _of(Report(findings=(mass,)), Report(findings=(elsewhere,))) == {"false_findings": 1, "missing_findings": 1}


def test_lengths_agree_within_five_mm_or_a_quarter() -> None:
    def mass(size: int) -> Report:
        return Report(findings=(Finding(kind=Kind.MASS, laterality=LEFT, size_mm=size),))

    wrong = [_of(mass(a), mass(b)).get("mischaracterised", 0) for a, b in [(10, 15), (10, 16), (40, 50), (40, 51)]]
    assert wrong == [0, 1, 0, 1]


def test_one_lesion_in_the_wrong_place_and_wrongly_described_is_two_errors() -> None:
    draft = REFERENCE.replace("upper outer", "lower inner").replace("spiculated", "circumscribed")
    assert _errors(REFERENCE, draft) == {"wrong_location": 1, "mischaracterised": 1}


def test_the_score_is_the_mean_over_reports() -> None:
    assert Errors(matched=2, false_findings=1, wrong_density=1).score == 0.5
    assert math.isnan(Errors().score)
    pairs = [written(REFERENCE, REFERENCE), written(REFERENCE, REFERENCE.replace("4b", "5")), written(REFERENCE, None)]
    assert values(pairs)["mammogreen_score"] == (1 + 1 / 2) / 2


def test_categories_of_breasts_are_compared_only_where_both_name_the_same() -> None:
    def report(**sides: Category) -> Report:
        named = {"R": RIGHT, "L": LEFT, "both": None}
        return Report(assessments=tuple(Assessment(category=c, laterality=named[s]) for s, c in sides.items()))

    one, five = Category.NEGATIVE, Category.HIGHLY_SUGGESTIVE
    assert _of(report(R=one, L=five), report(R=five, L=one))["wrong_birads"] == 1
    assert "wrong_birads" not in _of(report(R=one, L=five), report(both=five))
    assert "wrong_birads" not in _of(report(), report(both=five))


def test_a_prior_known_from_the_reference_is_no_invention() -> None:
    with_prior = Report(comparison=Comparison(available=True))
    assert "false_findings" not in _of(with_prior, with_prior)
    assert _of(Report(), with_prior)["false_findings"] == 1
