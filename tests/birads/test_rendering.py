from __future__ import annotations

import pytest
from hypothesis import given, settings

from amrg.birads import (
    WORDINGS,
    Assessment,
    Category,
    Comparison,
    Composition,
    Facility,
    Laterality,
    Report,
    Style,
    parse,
    render,
)
from tests.birads.strategies import reports


@pytest.mark.parametrize("wording", range(WORDINGS))
@pytest.mark.parametrize("style", Style)
@settings(derandomize=True, deadline=None, max_examples=300)
@given(report=reports())
def test_reads_back_what_it_writes(style: Style, wording: int, report: Report) -> None:
    text = render(report, style, wording)
    parsed = parse(text)
    assert parsed.report.stated() == report.stated(), text
    assert not parsed.unread, (text, parsed.unread)


@pytest.mark.parametrize("style", [Style.CLINICAL, Style.IMPRESSION_FIRST])
@settings(derandomize=True, deadline=None, max_examples=300)
@given(report=reports())
def test_wording_fixed_by_law_reads_back(style: Style, report: Report) -> None:
    text = render(report, style, facility=Facility.US)
    parsed = parse(text)
    assert parsed.report.stated() == report.stated(), text
    assert not parsed.unread, (text, parsed.unread)
    assert not parsed.other_categories


def test_the_words_that_21_cfr_900_12_fixes() -> None:
    words = {
        "0": "Incomplete: Need additional imaging evaluation",
        "1": "Negative",
        "2": "Benign",
        "3": "Probably Benign",
        "4B": "Suspicious",
        "5": "Highly Suggestive of Malignancy",
        "6": "Known Biopsy-Proven Malignancy",
    }
    for category, word in words.items():
        right = Assessment(category=Category(category), laterality=Laterality.RIGHT)
        report = Report(composition=Composition.C, assessments=(right,))
        text = render(report, facility=Facility.US)
        assert f"Right breast: {word} (BI-RADS {category}).\n" in text
        assert "The breast is heterogeneously dense, which may obscure small masses.\n" in text
        left = Assessment(category=Category.NEGATIVE, laterality=Laterality.LEFT)
        both = report.model_copy(update={"assessments": (right, left), "composition": Composition.D})
        text = render(both, facility=Facility.US)
        assert "The breasts are extremely dense, which lowers the sensitivity of mammography.\n" in text
    priors = Report(comparison=Comparison(available=False), assessments=(Assessment(category=Category.INCOMPLETE),))
    assert "Overall: Incomplete: Need prior mammograms for comparison (BI-RADS 0).\n" in render(
        priors, facility=Facility.US
    )
    for composition, sentence in (
        (Composition.A, "The breasts are almost entirely fatty."),
        (Composition.B, "There are scattered areas of fibroglandular density."),
    ):
        assert f": {sentence}\n" in render(Report(composition=composition), facility=Facility.US)
    with pytest.raises(ValueError, match="dmid has no wording for facility us"):
        render(priors, Style.DMID, facility=Facility.US)
