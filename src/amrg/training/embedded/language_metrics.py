"""Metrics of what the language model writes on exams it was not trained on; on cached features, in one batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import Gemma3ForConditionalGeneration, PreTrainedTokenizerFast
from transformers.modeling_outputs import BaseModelOutputWithPooling

from amrg.birads import parse
from amrg.metrics.clinical.by_place import invented_findings_a_report_by_kind
from amrg.metrics.validation import draft_pair, watched_metrics
from amrg.training.embedded.language_stage import Exam, Prompts, project

MAX_TOKENS = 160  # of a text


@dataclass(frozen=True)
class Reader:
    """Has a model write on the same exams again and again; all have the same views."""

    prompts: Prompts
    tokenizer: PreTrainedTokenizerFast
    exams: Sequence[Exam]

    def metrics(self, model: Gemma3ForConditionalGeneration) -> dict[str, float]:
        """The metrics that a training run watches, and findings a report of a kind that is not there."""
        pairs = [
            draft_pair(str(number), parse(exam.text).report, text)
            for number, (exam, text) in enumerate(zip(self.exams, self.texts(model), strict=True))
        ]
        metrics = [*watched_metrics(pairs).values(), invented_findings_a_report_by_kind(pairs)]
        return {metric.name: metric.value for metric in metrics}

    @torch.inference_mode()
    def texts(self, model: Gemma3ForConditionalGeneration) -> list[str]:
        """What the model writes on each exam, decoded greedily, all exams in one batch."""
        count = len(self.exams)
        ids, types = (torch.tensor([part] * count) for part in self.prompts.prompt(self.exams[0].views))
        features = project(model, torch.cat([e.tokens for e in self.exams]))
        images = {"image": BaseModelOutputWithPooling(pooler_output=features)}
        out = model.model(input_ids=ids, token_type_ids=types, mm_encoder_outputs=images, use_cache=True)
        written: list[Tensor] = []
        ended = torch.zeros(count, dtype=torch.bool)
        while len(written) < MAX_TOKENS and not bool(ended.all()):
            written.append(model.lm_head(out.last_hidden_state[:, -1]).argmax(-1))
            ended |= written[-1] == self.prompts.end
            text_only = torch.zeros(count, 1, dtype=torch.long)
            out = model.model(
                input_ids=written[-1][:, None],
                token_type_ids=text_only,
                cache=out.cache,
                use_cache=True,
            )
        return [self._decoded(row) for row in torch.stack(written, 1).tolist()]

    def _decoded(self, row: list[int]) -> str:
        """Token numbers up to the end of the turn as text."""
        answer = row[: row.index(self.prompts.end)] if self.prompts.end in row else row
        text: str = self.tokenizer.decode(answer, skip_special_tokens=True)
        return text
