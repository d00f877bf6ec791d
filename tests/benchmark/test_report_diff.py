"""Marked differences: no word lost, nothing marked without reason, facts compared as the metrics do."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amrg.benchmark import Pair
from amrg.benchmark.pages.report_diff import MAX_WORDS, FactDifference, FactError, diff_facts, diff_words, is_cut
from amrg.birads import parse
from amrg.datasets import ReferenceSource

TEXTS = st.text(st.sampled_from("abAB 1.\n,<é"), max_size=80)


@given(TEXTS, TEXTS)
def test_runs_put_together_are_the_texts(reference: str, draft: str) -> None:
    left, right = diff_words(reference, draft)
    assert "".join(run.text for run in left) == reference
    assert "".join(run.text for run in right) == draft
    unmarked = [[w.casefold() for r in runs if not r.marked for w in _words(r.text)] for runs in (left, right)]
    assert unmarked[0] == unmarked[1]


def _words(text: str) -> list[str]:
    return "".join(c if c.isalnum() else " " for c in text).split()


@given(TEXTS)
def test_case_and_spaces_are_no_difference(text: str) -> None:
    for other in (text.upper(), text.replace(" ", "  ")):
        assert not any(run.marked for runs in diff_words(text, other) for run in runs)


def test_neighbouring_words_are_one_mark_without_what_surrounds_them() -> None:
    left, right = diff_words("BIRADS: 4c. A small mass, seen.", "BIRADS: 1. Seen.")
    assert [run.text for run in left if run.marked] == ["4c. A small mass"]
    assert [run.text for run in right if run.marked] == ["1"]


def test_very_long_texts_are_cut_and_marked_as_cut() -> None:
    text = " ".join(f"w{i}" for i in range(MAX_WORDS + 5))
    left, right = diff_words(text, text.upper())
    assert is_cut(text)
    assert not is_cut(" ".join(f"w{i}" for i in range(MAX_WORDS)))
    assert (
        len("".join(run.text for run in left).split()) == len("".join(run.text for run in right).split()) == MAX_WORDS
    )


HEAD = "Breast composition: ACR B. BIRADS: 4c. "
MASS = HEAD + "An irregular spiculated mass is seen in the upper outer quadrant of left breast."


@pytest.mark.parametrize(
    ("draft", "found"),
    [
        (MASS, []),
        (MASS.replace("4c", "2"), [(FactError.CATEGORY, "BI-RADS 4C", "BI-RADS 2")]),
        (MASS.replace("BIRADS: 4c. ", ""), [(FactError.NOT_STATED, "BI-RADS 4C", "no BI-RADS category")]),
        (MASS.replace("ACR B", "ACR D"), [(FactError.DENSITY, "density B", "density D")]),
        (
            MASS.replace("left", "right"),
            [(FactError.LOCATION, "mass: left breast, upper outer quadrant", "right breast, upper outer quadrant")],
        ),
        (
            MASS.replace("upper outer", "lower inner"),
            [(FactError.LOCATION, "mass: left breast, upper outer quadrant", "left breast, lower inner quadrant")],
        ),
        (
            MASS.replace("spiculated", "circumscribed"),
            [(FactError.DESCRIPTOR, "mass, margin: spiculated", "circumscribed")],
        ),
        (MASS.replace("spiculated ", ""), [(FactError.NOT_STATED, "mass, margin: spiculated", "no margin")]),
        (HEAD, [(FactError.MISSING_FINDING, "irregular spiculated mass, left breast, upper outer quadrant", "")]),
        (
            MASS + " Architectural distortion is seen in right breast.",
            [(FactError.FALSE_FINDING, "", "architectural distortion, right breast")],
        ),
    ],
)
def test_facts_that_differ(draft: str, found: list[tuple[FactError, str, str]]) -> None:
    pair = Pair("k", "g", ReferenceSource.RADIOLOGIST, MASS, parse(MASS).report, draft, parse(draft).report)
    assert list(diff_facts(pair)) == [FactDifference(*f) for f in found]


def test_categories_of_the_wrong_breasts_are_wrong() -> None:
    differences = "Impression: Right breast: BI-RADS {}. Left breast: BI-RADS {}."
    texts = differences.format(3, 2), differences.format(2, 3)
    reference, draft = (parse(text).report for text in texts)
    found = diff_facts(Pair("k", "g", ReferenceSource.RADIOLOGIST, texts[0], reference, texts[1], draft))
    assert found == (
        FactDifference(FactError.CATEGORY, "right BI-RADS 3, left BI-RADS 2", "right BI-RADS 2, left BI-RADS 3"),
    )


def test_a_failed_case_has_no_facts_to_differ() -> None:
    assert diff_facts(Pair("k", "g", ReferenceSource.RADIOLOGIST, MASS, parse(MASS).report, None, None)) == ()
