"""The texts that the embedded model is trained to write."""

from __future__ import annotations

import re
from collections import Counter
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given, settings

from amrg.birads import (
    WORDINGS,
    AnswerForm,
    Category,
    Composition,
    Density,
    Depth,
    Distribution,
    Finding,
    Kind,
    Laterality,
    Location,
    Margin,
    Morphology,
    Quadrant,
    Report,
    Shape,
    Style,
    flaws,
    parse,
    read_findings,
)
from amrg.training.embedded.wordings import Wording, as_dmid_states, dmid_texts, instruction, training_text
from tests.birads.strategies import reports

SHARED = Path(__file__).parents[2].parent / "shared/data"
DMID = range(WORDINGS[Style.DMID])


def without_sizes(report: Report) -> Report:
    findings = tuple(finding.model_copy(update={"size_mm": None}) for finding in report.findings)
    return report.model_copy(update={"findings": findings})


@settings(derandomize=True, deadline=None, max_examples=50)
@given(report=reports())
def test_list_and_narrative_say_the_same(report: Report) -> None:
    for wording in Wording:
        narrative = training_text(report, wording, AnswerForm.NARRATIVE, 1)
        both = read_findings(training_text(report, wording, AnswerForm.FINDINGS_FIRST, 1))
        assert both is not None, wording
        assert both.narrative == narrative
        stated = parse(narrative).report.stated()
        assert stated == without_sizes(report).stated(), wording
        assert both.report.findings == stated.findings, wording


@settings(derandomize=True, deadline=None, max_examples=50)
@given(report=reports())
def test_what_dmid_states_of_every_exam_reads_back(report: Report) -> None:
    stated = as_dmid_states(report)
    assert not flaws(stated)
    text = training_text(stated, Wording.DMID, AnswerForm.NARRATIVE, len(report.findings) + 1)
    parsed = parse(text)
    assert parsed.report.stated() == without_sizes(stated).stated(), text
    assert not parsed.unread


def test_dmid_words_sizes_and_normal_structures() -> None:
    mass = Finding(kind=Kind.MASS, laterality=Laterality.LEFT, size_mm=9, category=Category.PROBABLY_BENIGN)
    report = as_dmid_states(Report(composition=Composition.B, findings=(mass,)))
    text = training_text(report, Wording.DMID, AnswerForm.NARRATIVE, 1)
    assert (
        "A small soft nodular opacity is seen in the left breast may suggest probably a benign lesion (BIRADS 3)."
        in text
    )
    assert "Skin, nipple, and pectoral muscle appear normal." in text
    assert "mm" not in text


def test_every_wording_and_form_has_an_instruction_of_its_own() -> None:
    requested = [instruction(wording, form) for wording, form in product(Wording, AnswerForm)]
    assert len(set(requested)) == len(requested)
    assert "Report." in requested


def lexicon_reports() -> list[Report]:
    """Every word of the lexicon in a report."""
    described = [Finding(kind=kind, multiple=many) for kind in Kind for many in (False, True)]
    described += [
        Finding(kind=Kind.MASS, **{name: value})
        for name, values in (("shape", Shape), ("margin", Margin), ("density", Density))
        for value in values
    ]
    described += [Finding(kind=Kind.CALCIFICATIONS, morphology=m, benign_looking=True) for m in list(Morphology)[:11]]
    described += [Finding(kind=Kind.CALCIFICATIONS, morphology=m) for m in Morphology]
    described += [Finding(kind=Kind.CALCIFICATIONS, distribution=d) for d in Distribution]
    described += [Finding(kind=Kind.MASS, category=c, size_mm=size) for c, size in product(Category, (3, 9, 40, 90))]
    described += [
        Finding(kind=Kind.MASS, location=Location(quadrant=q, depth=d)) for q, d in product(Quadrant, (None, *Depth))
    ]
    described += [Finding(kind=Kind.MASS, associated=(Kind.SKIN_THICKENING, Kind.CALCIFICATIONS, Kind.DISTORTION))]
    with_one = [Report(findings=(f,), assessments=({"category": f.category or "2"},)) for f in described]
    return [as_dmid_states(r) for r in (*with_one, *(Report(composition=c) for c in Composition))]


def test_most_of_dmids_words_are_in_texts_that_are_rendered_so() -> None:
    texts = list(dmid_texts(SHARED))
    if not texts:
        pytest.skip("DMID's reports are not in ../shared/data/dmid")
    words = re.compile(r"[a-z]+|\d+[a-c]?")
    real = Counter(word for text in texts for word in words.findall(text.lower()))
    made = {
        word
        for report, variant in product(lexicon_reports(), DMID)
        for word in words.findall(training_text(report, Wording.DMID, AnswerForm.NARRATIVE, variant).lower())
    }
    covered = sum(count for word, count in real.items() if word in made) / real.total()
    types = sum(word in made for word in real) / len(real)
    assert covered >= 0.97, sorted((-n, w) for w, n in real.items() if w not in made)[:30]
    assert types >= 0.55
    assert not list(dmid_texts(SHARED / "missing"))
