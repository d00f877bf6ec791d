"""One prompt, padded by any amount, alone or in a batch with images of unlike shapes: the same greedy tokens."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from amrg.models.decoding.batched import INPUT, batch_prompts
from tests.models.families import VARIANTS
from tests.models.studies import Subject

UNLIKE = ((2, 2), (1, 2), (2, 1))
"""Heights and widths in halves of the size that a model takes."""
PADDING = (0, 1, 2, 3, 5, 8, 13, 16)
TOKENS = 16


@pytest.fixture(scope="module", params=VARIANTS)
def subject(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Subject:
    family = dataclasses.replace(VARIANTS[request.param], shapes=UNLIKE)
    return Subject(family, family.load(tmp_path_factory.mktemp("base")))


def test_padding_changes_no_token(subject: Subject) -> None:
    prompt = subject.prompt(subject.images(2, 5))
    expected = subject.generate([prompt], TOKENS)
    columns, image_tokens = batch_prompts(subject.loaded, [prompt]), subject.image_tokens([prompt])
    fill = {INPUT: int(subject.loaded.processor.tokenizer.pad_token_id), "attention_mask": 0}
    fill |= subject.loaded.backbone.columns
    for amount in PADDING:
        padded = {n: torch.nn.functional.pad(column, (amount, 0), value=fill[n]) for n, column in columns.items()}
        found = subject.loaded.backbone.generate(subject.loaded.model, padded, image_tokens, subject.decoding(TOKENS))
        assert found == expected, amount


def test_company_changes_no_token(subject: Subject) -> None:
    prompts = [subject.prompt(subject.images(count, seed)) for seed, count in enumerate((1, 3, 2, 3))]
    together = subject.generate(prompts, TOKENS)
    assert together == [subject.generate([prompt], TOKENS)[0] for prompt in prompts]
    assert subject.generate(prompts[::-1], TOKENS) == together[::-1]
    assert len({tuple(row) for row in together}) > 1  # they are not the same whatever is seen


def test_no_row_of_a_batch_attends_to_nothing_and_all_of_its_states_are_numbers(subject: Subject) -> None:
    prompts = [subject.prompt(subject.images(count, 7)) for count in (1, 3)]
    mask = batch_prompts(subject.loaded, prompts)["attention_mask"]
    assert not mask.bool().all()  # the shorter prompt is padded
    assert mask.bool().any(1).all()
    assert torch.isfinite(subject.hidden(prompts)).all()


def test_hidden_states_are_the_same_under_padding(subject: Subject) -> None:
    """Greedy tokens may agree by luck of a large margin; states may not."""
    short, long = (subject.prompt(subject.images(count, 7)) for count in (1, 3))
    alone, together = subject.hidden([short]), subject.hidden([short, long])
    assert torch.allclose(alone[0], together[0, -alone.shape[1] :], atol=1e-4, rtol=1e-4)
