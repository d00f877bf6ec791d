"""Train the language model to write reports from the tower's cached features."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from PIL import Image
from torch import Tensor
from transformers import Gemma3ForConditionalGeneration, Gemma3Processor
from transformers.modeling_outputs import BaseModelOutputWithPooling

from amrg.models.embedded.tokens import END_OF_TURN
from amrg.models.settings import user_turn
from amrg.training.embedded.devices import autocast_on
from amrg.training.embedded.exam_maker import TrainingText, Views

IGNORE = -100
NOISE = 0.02


class Prompts:
    """Token ids of the prompt for each set of views and instruction, from the processor itself."""

    def __init__(self, processor: Gemma3Processor) -> None:
        self._processor = processor
        self._cached: dict[tuple[Views, str], tuple[list[int], list[int]]] = {}
        self.end: int = processor.tokenizer.convert_tokens_to_ids(END_OF_TURN)

    def prompt(self, views: Views, instruction: str) -> tuple[list[int], list[int]]:
        """Input ids and token type ids of the prompt, up to the start of the model's turn."""
        key = (views, instruction)
        if key not in self._cached:
            blank = [Image.new("RGB", (8, 8))] * len(views)
            chat = user_turn(views, blank, instruction)
            made = self._processor.apply_chat_template(
                [chat], tokenize=True, return_dict=True, return_tensors="pt", add_generation_prompt=True
            )
            self._cached[key] = (made["input_ids"][0].tolist(), made["token_type_ids"][0].tolist())
        return self._cached[key]

    def answer(self, text: str) -> list[int]:
        """Token ids of the answer, end token included."""
        numbers: list[int] = self._processor.tokenizer.encode(text, add_special_tokens=False)
        return [*numbers, self.end]


def collate_texts(texts: Sequence[TrainingText], prompts: Prompts, pad: int) -> dict[str, Tensor]:
    """Right-padded inputs with labels on the answer only, its end of turn included."""
    rows = [(*prompts.prompt(e.views, e.instruction), prompts.answer(e.text)) for e in texts]
    length = max(len(p) + len(a) for p, _, a in rows)
    shape = (len(rows), length)
    made = {
        "input_ids": torch.full(shape, pad),
        "token_type_ids": torch.zeros(shape, dtype=torch.long),
        "attention_mask": torch.zeros(shape, dtype=torch.long),
        "labels": torch.full(shape, IGNORE),
    }
    for i, (prompt, types, answer) in enumerate(rows):
        end = len(prompt) + len(answer)
        made["input_ids"][i, :end] = torch.tensor(prompt + answer)
        made["token_type_ids"][i, : len(types)] = torch.tensor(types)
        made["attention_mask"][i, :end] = 1
        made["labels"][i, len(prompt) : end] = torch.tensor(answer)
    return made


def start_projector(model: Gemma3ForConditionalGeneration) -> None:
    """Initialise the projector so that every number of an image token is one of the embedding's from the first step."""
    matrix = model.model.multi_modal_projector.mm_input_projection_weight
    with torch.no_grad():
        torch.nn.init.normal_(matrix, std=NOISE)
        matrix += torch.eye(*matrix.shape)


def project(model: Gemma3ForConditionalGeneration, pooled: Tensor) -> Tensor:
    """What `Gemma3MultiModalProjector` does after its pooling: norm and matrix, [images, tokens, text width]."""
    projector = model.model.multi_modal_projector
    normed = projector.mm_soft_emb_norm(pooled)
    return torch.matmul(normed, projector.mm_input_projection_weight)


def language_loss(
    model: Gemma3ForConditionalGeneration, texts: Sequence[TrainingText], prompts: Prompts
) -> tuple[Tensor, Mapping[str, float]]:
    """Cross-entropy of the answers' tokens, given the image tokens; at least one text has images."""
    batch = collate_texts(texts, prompts, model.config.get_text_config().pad_token_id)
    batch = {name: tensor.to(model.device) for name, tensor in batch.items()}
    labels = batch.pop("labels")
    with autocast_on(model.device):
        features = project(model, torch.cat([e.tokens for e in texts]).to(model.device))
        hidden = model.model(
            **batch,
            mm_encoder_outputs={"image": BaseModelOutputWithPooling(pooler_output=features)},
            use_cache=False,
        ).last_hidden_state
        labelled = labels[:, 1:] != IGNORE  # logits only for labelled positions
        logits = model.lm_head(hidden[:, :-1][labelled])
    targets = labels[:, 1:][labelled]
    loss = torch.nn.functional.cross_entropy(logits.float(), targets)
    right = (logits.argmax(-1) == targets).float().mean()
    return loss, {"token_accuracy": float(right)}
