"""The texts that the embedded model is trained to write."""

from __future__ import annotations

import math
import re
from collections import Counter
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from torch.nn import functional
from transformers import Gemma3ForConditionalGeneration, PreTrainedTokenizerFast

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
    View,
    flaws,
    parse,
    read_findings,
)
from amrg.models.checkpoint import EMBEDDED
from amrg.models.embedded.architecture import SETTINGS, TOKENS_A_VIEW
from amrg.models.embedded.tokenizer import build_processor
from amrg.training.embedded.breasts import EncodedBreast
from amrg.training.embedded.exam_maker import BreastPool, ExamMaker
from amrg.training.embedded.language_stage import Prompts
from amrg.training.embedded.wordings import (
    SENTENCES,
    Wording,
    as_dmid_states,
    dmid_texts,
    instruction,
    shared_sentences,
    training_text,
    without_sizes,
)
from tests.birads.strategies import reports

SHARED = Path(__file__).parents[2].parent / "shared/data"
DMID = range(WORDINGS[Style.DMID])


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


def test_sentences_of_two_reports_are_shared_with_the_white_space_after_them() -> None:
    texts = ["BIRADS: 3 \n\nSmall mass. No nodes.\n", "BIRADS: \n3\nNo nodes.", "No nodes. No nodes."]
    whole = ["BIRADS: ", "3 \n\n", "No nodes.\n", "BIRADS: \n", "3\n", "No nodes.", "No nodes. ", "No nodes."]
    assert shared_sentences(texts) == whole


def test_nearly_all_tokens_of_dmids_reports_are_learned() -> None:
    """With DMID's sentences; of renderings alone a sixth of them would never be."""
    texts = list(dmid_texts(SHARED))
    if not texts:
        pytest.skip("DMID's reports are not in ../shared/data/dmid")
    tokenizer = PreTrainedTokenizerFast.from_pretrained(EMBEDDED)
    breast = EncodedBreast(dict.fromkeys(View, np.zeros((16, 192), np.float16)), Composition.A, ())
    make = ExamMaker([(1.0, BreastPool([breast], True))], 0, 0, shared_sentences(texts), sentence_share=0.9)
    learned = Counter(
        token
        for step in range(100)
        for text in make(step, 16)
        for token in tokenizer.encode(text.text)
        if not text.views
    )
    real = Counter(token for text in texts for token in tokenizer.encode(text, add_special_tokens=False))
    assert sum(count for token, count in real.items() if learned[token]) / real.total() >= 0.9


@torch.inference_mode()
def test_the_embedded_model_has_learned_dmids_words() -> None:
    """As published, they are unlike its own texts, but made of tokens that it knows: one of 15 each, not of 1,536."""
    texts = list(dmid_texts(SHARED))[::40]
    if not texts:
        pytest.skip("DMID's reports are not in ../shared/data/dmid")
    model = Gemma3ForConditionalGeneration.from_pretrained(EMBEDDED, dtype=torch.float32).eval()
    tokenizer = PreTrainedTokenizerFast.from_pretrained(EMBEDDED)
    prompts = Prompts(build_processor(tokenizer, SETTINGS, TOKENS_A_VIEW))
    prompt, types = prompts.prompt((), SENTENCES)
    losses = []
    for text in texts:
        answer = prompts.answer(text.strip())
        ids = torch.tensor([[*prompt, *answer]])
        given = torch.zeros_like(ids)
        given[0, : len(types)] = torch.tensor(types)
        logits = model(input_ids=ids, attention_mask=torch.ones_like(ids), token_type_ids=given).logits
        losses.append(functional.cross_entropy(logits[0, len(prompt) - 1 : -1], torch.tensor(answer), reduction="none"))
    assert float(torch.cat(losses).mean()) < math.log(15)


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
