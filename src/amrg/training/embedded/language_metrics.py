"""Metrics of what the language model writes on exams it was not trained on; on cached features, in one batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from transformers import Gemma3ForConditionalGeneration, PreTrainedTokenizerFast

from amrg.metrics.clinical.by_place import invented_findings_a_report_by_kind
from amrg.metrics.validation import draft_pair, watched_metrics
from amrg.models.backbones.base import DecodingSettings
from amrg.models.backbones.gemma3 import Gemma3
from amrg.training.embedded.exam_maker import Exam
from amrg.training.embedded.language_stage import Prompts, project

MAX_TOKENS = 320  # of a text


@dataclass(frozen=True)
class Reader:
    """Has a model write on the same exams again and again; all have the same views and instruction."""

    prompts: Prompts
    tokenizer: PreTrainedTokenizerFast
    exams: Sequence[Exam]

    def metrics(self, model: Gemma3ForConditionalGeneration) -> dict[str, float]:
        """The metrics that a training run watches, and findings a report of a kind that is not there."""
        pairs = [
            draft_pair(str(number), exam.report, text)
            for number, (exam, text) in enumerate(zip(self.exams, self.texts(model), strict=True))
        ]
        metrics = [*watched_metrics(pairs).values(), invented_findings_a_report_by_kind(pairs)]
        return {metric.name: metric.value for metric in metrics}

    @torch.inference_mode()
    def texts(self, model: Gemma3ForConditionalGeneration) -> list[str]:
        """What the model writes on each exam, decoded greedily, all exams in one batch."""
        first = self.exams[0]
        ids, types = (
            torch.tensor([part] * len(self.exams), device=model.device)
            for part in self.prompts.prompt(first.views, first.instruction)
        )
        tokens = {"input_ids": ids, "token_type_ids": types, "attention_mask": torch.ones_like(ids)}
        views = torch.cat([e.tokens for e in self.exams]).to(model.device)
        images = [{"tokens": image} for image in project(model, views)]
        settings = DecodingSettings(MAX_TOKENS, self.prompts.end, self.tokenizer.pad_token_id)
        rows = Gemma3().generate(model, tokens, images, settings)
        return [self.tokenizer.decode(row, skip_special_tokens=True) for row in rows]
