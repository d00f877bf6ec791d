"""Batches by hand: what is padded, where, with what, and what is learned from."""

from __future__ import annotations

import torch

from amrg.birads import Report
from amrg.models.backbones.base import Tensors
from amrg.training.data.collating import Padding, collate, collate_prompts
from amrg.training.data.feature_cache import FeatureCache, Parts
from amrg.training.data.samples import IGNORE, Sample, Stage

PAD = Padding(7, {"token_type_ids": 0, "position": 9})


def sample(key: str, prompt: list[int], answer: tuple[int, ...]) -> Sample:
    """A prompt whose second token stands for a picture."""
    columns: Tensors = {
        "input_ids": torch.tensor(prompt),
        "token_type_ids": torch.tensor([int(i == 1) for i in range(len(prompt))]),
        "position": torch.arange(len(prompt)),
    }
    return Sample(key, columns, answer, "text", Report())


def parts(key: str) -> Parts:
    """Two pictures a case."""
    return tuple({"tokens": torch.full((1, 2), float(ord(key) + picture))} for picture in range(2))


SAMPLES = [sample("a", [1, 2, 3], (4, 5)), sample("b", [1, 2], (6,))]
SHOWN = FeatureCache(Stage.FEATURES, parts)


def listed(tokens: Tensors) -> dict[str, list[list[int]]]:
    return {name: column.tolist() for name, column in tokens.items()}


def test_what_is_learned_is_padded_on_the_right_and_labelled_on_the_answer_with_its_end() -> None:
    batch = collate(SAMPLES, SHOWN, PAD)
    assert listed(batch.tokens) == {
        "input_ids": [[1, 2, 3, 4, 5], [1, 2, 6, 7, 7]],
        "attention_mask": [[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]],
        "token_type_ids": [[0, 1, 0, 0, 0], [0, 1, 0, 0, 0]],
        "position": [[0, 1, 2, 9, 9], [0, 1, 9, 9, 9]],
    }
    assert batch.labels.tolist() == [[IGNORE, IGNORE, IGNORE, 4, 5], [IGNORE, IGNORE, 6, IGNORE, IGNORE]]
    assert {column.dtype for column in (*batch.tokens.values(), batch.labels)} == {torch.int64}


def test_what_is_asked_is_padded_on_the_left_and_holds_no_answer() -> None:
    batch = collate_prompts(SAMPLES, SHOWN, PAD)
    assert listed(batch.tokens) == {
        "input_ids": [[1, 2, 3], [7, 1, 2]],
        "attention_mask": [[1, 1, 1], [0, 1, 1]],
        "token_type_ids": [[0, 1, 0], [0, 0, 1]],
        "position": [[0, 1, 2], [9, 0, 1]],
    }
    assert batch.labels.tolist() == [[IGNORE] * 3] * 2


def test_pictures_come_in_the_order_of_the_samples() -> None:
    for put_together in (collate, collate_prompts):
        batch = put_together(SAMPLES[::-1], SHOWN, PAD)
        assert (batch.keys, batch.stage) == (("b", "a"), Stage.FEATURES)
        assert [part["tokens"][0, 0].item() for part in batch.images] == [98, 99, 97, 98]
