"""The language stage: labels on the answer only, drafting's own prompt, cached features as good as pictures."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import Gemma3Processor

from amrg.birads import Category, Composition, Finding, Kind, Laterality, Location, Quadrant, View, parse
from amrg.models import messages
from amrg.models.embedded.architecture import SETTINGS, SIZE, TOKENS_A_VIEW, WIDTHS, build
from amrg.models.embedded.tokenizer import END_OF_TURN, build_processor, train_tokenizer, vocabulary
from amrg.training.embedded.breast_features import BreastFeatures, findings_in_views, image_tokens, report_of
from amrg.training.embedded.language_stage import (
    IGNORE,
    Exam,
    ExamMaker,
    Prompts,
    collate_exams,
    exam_text,
    language_loss,
    project,
)
from amrg.training.embedded.phantom_shards import VIEW_ORDER

MASS = Finding(
    kind=Kind.MASS,
    laterality=Laterality.LEFT,
    location=Location(quadrant=Quadrant.UPPER_OUTER),
    views=(View.CC, View.MLO),
    category=Category.SUSPICIOUS,
    size_mm=12,
)


@pytest.fixture(scope="module")
def processor() -> Gemma3Processor:
    texts = [e.text for e in _maker()(0, 40)]
    return build_processor(train_tokenizer(texts, 500), SETTINGS, TOKENS_A_VIEW)


def _maker() -> ExamMaker:
    tokens = np.zeros((2, TOKENS_A_VIEW, WIDTHS[-1]), np.float16)
    pool = [BreastFeatures(tokens, c, found) for c in Composition for found in ((), (MASS,))]
    return ExamMaker([(1.0, pool)], seed=3, few_views=0)


def test_labels_stand_on_the_answer_and_its_end_only(processor: Gemma3Processor) -> None:
    exams = _maker()(1, 3)
    batch = collate_exams(exams, Prompts(processor, SETTINGS), pad=0)
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
    prompt, types = Prompts(processor, SETTINGS).prompt(VIEW_ORDER)
    assert prompt == drafted["input_ids"][0].tolist()
    assert types == drafted["token_type_ids"][0].tolist()


def test_cached_features_give_the_loss_of_the_whole_model(processor: Gemma3Processor) -> None:
    torch.manual_seed(0)
    model = build(vocabulary(processor.tokenizer)).eval()
    torch.nn.init.normal_(model.model.multi_modal_projector.mm_input_projection_weight)
    pictures = np.random.default_rng(0).integers(0, 255, (4, SIZE, SIZE, 3), dtype=np.uint8)
    pooled = torch.from_numpy(image_tokens(model.model.vision_tower, pictures))
    pixels = torch.from_numpy(pictures).permute(0, 3, 1, 2).float().div(127.5).sub(1)
    with torch.inference_mode():
        whole = model.get_image_features(pixels).pooler_output
        ours = project(model, pooled)
    torch.testing.assert_close(ours, whole, rtol=0.05, atol=0.6)  # the cache is made in bfloat16
    exam = Exam(VIEW_ORDER, pooled, "BI-RADS 1.")
    with torch.inference_mode():
        loss, _ = language_loss(model, [exam], Prompts(processor, SETTINGS))
    batch = collate_exams([exam], Prompts(processor, SETTINGS), pad=0)
    with torch.inference_mode():
        expected = model(**batch, pixel_values=pixels).loss
    assert float(loss) == pytest.approx(float(expected), rel=0.02)


def test_texts_name_only_what_the_views_show() -> None:
    both = findings_in_views([MASS], Laterality.RIGHT, (View.CC, View.MLO))
    assert both[0].laterality is Laterality.RIGHT
    assert both[0].location.quadrant is Quadrant.UPPER_OUTER
    assert both[0].size_mm is None
    assert findings_in_views([MASS], Laterality.LEFT, (View.CC,))[0].location.quadrant is Quadrant.OUTER
    assert findings_in_views([MASS], Laterality.LEFT, (View.MLO,))[0].location.quadrant is Quadrant.UPPER
    only_cc = MASS.model_copy(update={"views": (View.CC,)})
    assert findings_in_views([only_cc], Laterality.LEFT, (View.MLO,)) == []


def test_target_texts_parse_back_to_their_reports() -> None:
    sides = {Laterality.LEFT: findings_in_views([MASS], Laterality.LEFT, (View.CC, View.MLO)), Laterality.RIGHT: []}
    report = report_of(Composition.C, sides)
    assert parse(exam_text(report)).report.stated() == report.stated()
    assert [a.category for a in report.assessments] == [Category.NEGATIVE, Category.SUSPICIOUS]
