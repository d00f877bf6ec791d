"""What the language model writes on exams it was never taught, in figures; on cached features, many exams at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import Gemma3ForConditionalGeneration, PreTrainedTokenizerFast
from transformers.modeling_outputs import BaseModelOutputWithPooling

from amrg.birads import Report, parse
from amrg.metrics.agreement import placed
from amrg.training.embedded.language_stage import Exam, Prompts, project

LONGEST = 160  # tokens of a text


@dataclass(frozen=True)
class Reader:
    """Has a model write on the same exams again and again; all have the same views."""

    prompts: Prompts
    tokenizer: PreTrainedTokenizerFast
    exams: Sequence[Exam]

    def figures(self, model: Gemma3ForConditionalGeneration) -> dict[str, float]:
        """Composition and worst category right; F1 of findings (kind, side, quadrant); findings invented an exam."""
        pairs = [
            (parse(text).report, parse(exam.text).report)
            for text, exam in zip(self.texts(model), self.exams, strict=True)
        ]
        agreed = sum((_keys(a) & _keys(b)).total() for a, b in pairs)
        drafted, true = (sum(len(pair[i].findings) for pair in pairs) for i in (0, 1))
        return {
            "composition": sum(a.composition == b.composition for a, b in pairs) / len(pairs),
            "category": sum(_major(a) == _major(b) for a, b in pairs) / len(pairs),
            "finding_f1": 2 * agreed / max(1, true + drafted),
            "invented": (drafted - agreed) / len(pairs),
        }

    @torch.inference_mode()
    def texts(self, model: Gemma3ForConditionalGeneration) -> list[str]:
        """What the model writes on each exam, decoded greedily, all exams at once."""
        count = len(self.exams)
        ids, types = (torch.tensor([part] * count) for part in self.prompts.prompt(self.exams[0].views))
        features = project(model, torch.cat([e.tokens for e in self.exams]))
        seen = {"image": BaseModelOutputWithPooling(pooler_output=features)}
        out = model.model(input_ids=ids, token_type_ids=types, mm_encoder_outputs=seen, use_cache=True)
        written: list[Tensor] = []
        ended = torch.zeros(count, dtype=torch.bool)
        while len(written) < LONGEST and not bool(ended.all()):
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
        kept = row[: row.index(self.prompts.end)] if self.prompts.end in row else row
        text: str = self.tokenizer.decode(kept, skip_special_tokens=True)
        return text


def _keys(report: Report) -> Counter[tuple[object, ...]]:
    return Counter(map(placed, report.findings))


def _major(report: Report) -> int | None:
    return report.worst.major if report.worst is not None else None
