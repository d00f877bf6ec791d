"""Train the language model to write reports from the tower's cached features."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from transformers import Gemma3ForConditionalGeneration, Gemma3Processor
from transformers.modeling_outputs import BaseModelOutputWithPooling

from amrg.birads import Composition, Laterality, Report, Style, View, render
from amrg.models.embedded.heads import FindingHeads, rms_norm
from amrg.models.embedded.tokenizer import END_OF_TURN
from amrg.models.settings import ModelSettings, messages
from amrg.training.embedded.breast_features import BreastFeatures, findings_in_views, report_of
from amrg.training.embedded.phantom_shards import VIEW_ORDER

IGNORE = -100
PROMINENCE = 6.0  # size of a certain finding, in units of a text embedding's standard deviation
Views = tuple[tuple[Laterality, View], ...]


def exam_text(report: Report) -> str:
    """The target text of the embedded model: one fixed wording, findings before categories."""
    return render(report, Style.CLINICAL, wording=0)


@dataclass(frozen=True)
class Exam:
    """One training exam: the available views, their image tokens [views, tokens, width], the target text."""

    views: Views
    tokens: Tensor
    text: str


class ExamMaker:
    """Combines two breasts of one pool and composition to an exam, determined by `(seed, step)` only.

    All exams of a step have the same views, so none is padded. Up to step `few_views` most steps have one view or one
    breast: single images are learned at a fraction of the cost, before four are read together.
    """

    def __init__(self, pools: Sequence[tuple[float, Sequence[BreastFeatures]]], seed: int, few_views: int) -> None:
        self._seed = seed
        self._few_views = few_views
        self._shares = [share for share, _ in pools]
        self._pools = [_by_composition(pool) for _, pool in pools]

    def __call__(self, step: int, count: int) -> list[Exam]:
        """`count` exams of one step."""
        rng = np.random.default_rng((self._seed, step))
        views = _few(rng) if step < self._few_views and rng.random() < 0.85 else _views(rng)
        return [self._exam(views, rng) for _ in range(count * len(VIEW_ORDER) // max(2, len(views)))]

    def full_exams(self, count: int) -> list[Exam]:
        """`count` exams with all four views, the same at every call."""
        rng = np.random.default_rng(self._seed)
        return [self._exam(VIEW_ORDER, rng) for _ in range(count)]

    def _exam(self, views: Views, rng: np.random.Generator) -> Exam:
        pool = self._pools[int(rng.choice(len(self._pools), p=self._shares))]
        composition = list(pool)[int(rng.integers(len(pool)))]
        candidates = pool[composition]
        pair = {side: candidates[int(rng.integers(len(candidates)))] for side in Laterality}
        tokens = np.stack([pair[side].tokens[(View.CC, View.MLO).index(view)] for side, view in views])
        sides = {
            side: findings_in_views(pair[side].findings, side, [v for s, v in views if s is side])
            for side in Laterality
            if any(s is side for s, _ in views)
        }
        return Exam(views, torch.from_numpy(tokens.astype(np.float32)), exam_text(report_of(composition, sides)))


def _by_composition(pool: Sequence[BreastFeatures]) -> dict[Composition, list[BreastFeatures]]:
    grouped = {c: [b for b in pool if b.composition == c] for c in Composition}
    return {c: group for c, group in grouped.items() if group}


def _few(rng: np.random.Generator) -> Views:
    """One view, or sometimes both of one breast."""
    return _single(rng) if rng.random() < 0.65 else _one_breast(rng)


def _single(rng: np.random.Generator) -> Views:
    """One view of one breast."""
    return (VIEW_ORDER[int(rng.integers(4))],)


def _one_breast(rng: np.random.Generator) -> Views:
    """Both views of one breast."""
    side = list(Laterality)[int(rng.integers(2))]
    return tuple(v for v in VIEW_ORDER if v[0] is side)


def _views(rng: np.random.Generator) -> Views:
    """Mostly all four views; sometimes those of an incomplete study."""
    draw = rng.random()
    if draw < 0.75:
        return VIEW_ORDER
    if draw < 0.85:
        return _one_breast(rng)
    if draw < 0.95:
        return _single(rng)
    missing = int(rng.integers(4))
    return tuple(v for i, v in enumerate(VIEW_ORDER) if i != missing)


class Prompts:
    """Token ids of the prompt for each set of views, from the processor itself."""

    def __init__(self, processor: Gemma3Processor, settings: ModelSettings) -> None:
        self._processor = processor
        self._settings = settings
        self._cached: dict[Views, tuple[list[int], list[int]]] = {}
        self.end: int = processor.tokenizer.convert_tokens_to_ids(END_OF_TURN)

    def prompt(self, views: Views) -> tuple[list[int], list[int]]:
        """Input ids and token type ids of the prompt, up to the start of the model's turn."""
        if views not in self._cached:
            blank = [Image.new("RGB", (8, 8))] * len(views)
            chat = messages(views, blank, self._settings)
            made = self._processor.apply_chat_template(
                [chat], tokenize=True, return_dict=True, return_tensors="pt", add_generation_prompt=True
            )
            self._cached[views] = (made["input_ids"][0].tolist(), made["token_type_ids"][0].tolist())
        return self._cached[views]

    def answer(self, text: str) -> list[int]:
        """Token ids of the answer, end token included."""
        numbers: list[int] = self._processor.tokenizer.encode(text, add_special_tokens=False)
        return [*numbers, self.end]


def collate_exams(exams: Sequence[Exam], prompts: Prompts, pad: int) -> dict[str, Tensor]:
    """Right-padded inputs with labels on the answer only, its end of turn included."""
    rows = [(*prompts.prompt(e.views), prompts.answer(e.text)) for e in exams]
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


def fit_projector(model: Gemma3ForConditionalGeneration, heads: FindingHeads, tokens: Tensor) -> None:
    """Initialise the projector from the heads' outputs: places with findings are prominent from the first step.

    Ridge regression from normed image tokens [n, width] to the heads' probabilities (attributes times the most probable
    kind), scaled to the size of text embeddings; the remaining dimensions stay random.
    """
    normed = rms_norm(tokens)
    with torch.inference_mode():
        kinds = heads.kinds(normed).sigmoid()
        highest = kinds.amax(-1, keepdim=True)
        read = [kinds, *(highest * logits.softmax(-1) for logits in heads.token_attributes(normed).values())]
    targets = torch.cat(read, -1).double()
    x = normed.double()
    ridge = 1e-3 * len(x) * torch.eye(x.shape[1], dtype=torch.double)
    weights = torch.linalg.solve(x.T @ x + ridge, x.T @ targets).float()
    matrix = model.model.multi_modal_projector.mm_input_projection_weight
    with torch.no_grad():
        torch.nn.init.normal_(matrix, std=0.5 * x.shape[1] ** -0.5)
        matrix[:, : weights.shape[1]] = PROMINENCE * weights


def project(model: Gemma3ForConditionalGeneration, pooled: Tensor) -> Tensor:
    """What `Gemma3MultiModalProjector` does after its pooling: norm and matrix, [images, tokens, text width]."""
    projector = model.model.multi_modal_projector
    normed = projector.mm_soft_emb_norm(pooled)
    return torch.matmul(normed, projector.mm_input_projection_weight)


def language_loss(
    model: Gemma3ForConditionalGeneration, exams: Sequence[Exam], prompts: Prompts
) -> tuple[Tensor, Mapping[str, float]]:
    """Cross-entropy of the answers' tokens, given the image tokens."""
    batch = collate_exams(exams, prompts, model.config.get_text_config().pad_token_id)
    labels = batch.pop("labels")
    with torch.autocast("cpu", torch.bfloat16):
        features = project(model, torch.cat([e.tokens for e in exams]))
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
