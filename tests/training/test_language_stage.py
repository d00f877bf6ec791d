"""The language stage: labels on the answer only, drafting's own prompt, cached features as good as pictures."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import Gemma3Processor

from amrg.birads import AnswerForm, Category, Composition, Finding, Kind, Laterality, Location, Quadrant, Report, View
from amrg.birads.findings_list import read_findings
from amrg.models import messages
from amrg.models.embedded.architecture import SETTINGS, SIZE, TOKENS_A_VIEW, build
from amrg.models.embedded.tokenizer import build_processor, train_tokenizer, vocabulary
from amrg.models.embedded.tokens import END_OF_TURN
from amrg.training.embedded.breasts import EncodedBreast, findings_in_views
from amrg.training.embedded.exam_maker import USUAL, BreastPool, Exam, ExamMaker, report_of
from amrg.training.embedded.language_stage import IGNORE, Prompts, collate_texts, language_loss, project
from amrg.training.embedded.phantom_shards import VIEW_ORDER
from amrg.training.embedded.wordings import SENTENCES, Wording, instruction, training_text, without_sizes

MASS = Finding(
    kind=Kind.MASS,
    laterality=Laterality.LEFT,
    location=Location(quadrant=Quadrant.UPPER_OUTER),
    views=(View.CC, View.MLO),
    category=Category.SUSPICIOUS,
    size_mm=12,
)


OLD = Finding(kind=Kind.CALCIFICATIONS, category=Category.BENIGN)


@pytest.fixture(scope="module")
def processor() -> Gemma3Processor:
    texts = [e.text for e in _maker()(0, 40)]
    return build_processor(train_tokenizer(texts, 500), SETTINGS, TOKENS_A_VIEW)


def _maker(sentences: Sequence[str] = ()) -> ExamMaker:
    tokens = np.zeros((TOKENS_A_VIEW, 192), np.float16)
    views = {View.CC: tokens, View.MLO: tokens}
    drawn = BreastPool([EncodedBreast(views, c, found) for c in Composition for found in ((), (MASS,))], complete=True)
    one_view = BreastPool([EncodedBreast({View.CC: tokens}, Composition.A, (OLD,))], complete=False)
    return ExamMaker([(0.5, drawn), (0.5, one_view)], 3, 0, sentences, sentence_share=0.25)


def test_some_exams_have_one_view_of_either_breast_and_a_category_for_both() -> None:
    make = _maker()
    exams = [exam for step in range(100) for exam in make.exams(step, 1)]
    either = [e for e in exams if len(e.views) == 2 and {side for side, _ in e.views} == set(Laterality)]
    assert len({e.views for e in either}) > 1
    assert all({a.laterality for a in e.report.assessments} == set(Laterality) for e in either)


def test_labels_stand_on_the_answer_and_its_end_only(processor: Gemma3Processor) -> None:
    exams = _maker()(1, 3)
    batch = collate_texts(exams, Prompts(processor), pad=0)
    for exam, ids, labels in zip(exams, batch["input_ids"], batch["labels"], strict=True):
        requested = labels != IGNORE
        assert (ids[requested] == labels[requested]).all()
        answer = processor.tokenizer.decode(labels[requested])
        assert answer == exam.text + END_OF_TURN


def test_training_and_drafting_share_one_prompt(processor: Gemma3Processor) -> None:
    blank = [Image.new("RGB", (SIZE, SIZE))] * 4
    drafted = processor.apply_chat_template(
        [messages(VIEW_ORDER, blank, SETTINGS)],
        tokenize=True,
        return_dict=True,
        return_tensors="pt",
        add_generation_prompt=True,
    )
    assert SETTINGS.full_instruction == instruction(USUAL.wording, USUAL.answer)
    prompt, types = Prompts(processor).prompt(VIEW_ORDER, SETTINGS.full_instruction)
    assert prompt == drafted["input_ids"][0].tolist()
    assert types == drafted["token_type_ids"][0].tolist()


def test_cached_features_give_the_loss_of_the_whole_model(processor: Gemma3Processor) -> None:
    torch.manual_seed(0)
    model = build(vocabulary(processor.tokenizer)).eval()
    torch.nn.init.normal_(model.model.multi_modal_projector.mm_input_projection_weight)
    pictures = np.random.default_rng(0).integers(0, 255, (4, SIZE, SIZE, 3), dtype=np.uint8)
    pixels = torch.from_numpy(pictures).permute(0, 3, 1, 2).float().div(127.5).sub(1)
    with torch.inference_mode():
        pooled = model.model.vision_tower(pixels).last_hidden_state
        whole = model.get_image_features(pixels).pooler_output
        ours = project(model, pooled)
    torch.testing.assert_close(ours, whole)
    exam = Exam(VIEW_ORDER, pooled, SETTINGS.full_instruction, "BI-RADS 1.", Report())
    with torch.inference_mode():
        loss, _ = language_loss(model, [exam], Prompts(processor))
    batch = collate_texts([exam], Prompts(processor), pad=0)
    with torch.inference_mode():
        expected = model(**batch, pixel_values=pixels).loss
    assert float(loss) == pytest.approx(float(expected), rel=0.02)


def test_texts_name_only_what_the_views_show() -> None:
    both = findings_in_views([MASS], Laterality.RIGHT, (View.CC, View.MLO))
    assert both[0].laterality is Laterality.RIGHT
    assert both[0].location.quadrant is Quadrant.UPPER_OUTER
    assert both[0].views == ()
    assert findings_in_views([MASS], Laterality.LEFT, (View.CC,))[0].location.quadrant is Quadrant.OUTER
    assert findings_in_views([MASS], Laterality.LEFT, (View.MLO,))[0].location.quadrant is Quadrant.UPPER
    only_cc = MASS.model_copy(update={"views": (View.CC,)})
    assert findings_in_views([only_cc], Laterality.LEFT, (View.MLO,)) == []


def test_target_texts_read_back_to_their_reports() -> None:
    sides = {Laterality.LEFT: findings_in_views([MASS], Laterality.LEFT, (View.CC, View.MLO)), Laterality.RIGHT: []}
    report = without_sizes(report_of(Composition.C, sides))
    found = read_findings(training_text(report, USUAL.wording, USUAL.answer))
    assert found is not None
    assert found.report.findings == report.findings
    assert [a.category for a in found.report.assessments] == [Category.NEGATIVE, Category.SUSPICIOUS]


def test_sizes_are_words_in_dmids_wording_and_else_unstated() -> None:
    assert MASS.size_mm is not None
    exams = [exam for step in range(200) for exam in _maker().exams(step, 4)]
    masses = [exam for exam in exams if MASS.kind in {finding.kind for finding in exam.report.findings}]
    assert all(finding.size_mm is None for exam in masses for finding in exam.report.findings)
    sized = {exam.instruction for exam in masses if re.search(r"\b(tiny|small|large|huge)\b", exam.text)}
    assert sized
    assert sized <= {instruction(Wording.DMID, answer) for answer in AnswerForm}
    assert not any(" mm" in exam.text for exam in masses)


def test_some_texts_are_sentences_without_images(processor: Gemma3Processor) -> None:
    made = _maker(["No axillary adenopathy\n\n", "BIRADS: 3 \n"])
    texts = [made(step, 8) for step in range(50)]
    without = [text for step in texts for text in step if not text.views]
    assert {text.instruction for text in without} == {SENTENCES}
    assert all(text.views for text, *_ in texts)  # a step has images
    assert 60 < len(without) < 140  # of 400, a quarter
    assert any("No axillary adenopathy\n\nBIRADS: 3" in text.text for text in without)
    step = next(step for step in texts if not step[-1].views)
    model = build(vocabulary(processor.tokenizer)).eval()
    with torch.inference_mode():
        alone, _ = language_loss(model, step[:1], Prompts(processor))
        all_of_them, _ = language_loss(model, step, Prompts(processor))
    assert torch.isfinite(all_of_them)
    assert float(alone) != float(all_of_them)


def test_a_pool_gives_only_views_that_it_has() -> None:
    for step in range(30):
        for exam in _maker().exams(step, 2):
            if len(exam.views) > 1 and any(view is View.MLO for _, view in exam.views):
                assert OLD.kind not in {finding.kind for finding in exam.report.findings}


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_breasts_with_findings_have_their_share(share: float) -> None:
    views = dict.fromkeys((View.CC, View.MLO), np.zeros((TOKENS_A_VIEW, 192), np.float16))
    breasts = [EncodedBreast(views, Composition.A, found) for found in ((), (OLD,))]
    make = ExamMaker([(1.0, BreastPool(breasts, complete=False, with_findings=share))], seed=3, few_views=0)
    drawn = [len(exam.report.findings) for step in range(20) for exam in make.exams(step, 2)]
    assert all(drawn) == any(drawn) == bool(share)
