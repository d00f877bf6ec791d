"""What early stopping sees: greedy drafts on cases of the validation part, never of the test part, in figures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from peft import PeftModel

from amrg.birads import Report, parse
from amrg.metrics.agreement import Count, placed
from amrg.models.backbones.base import DecodingSettings
from amrg.training.data.collating import Padding, collate, prompts
from amrg.training.data.prepared import Prepared
from amrg.training.data.samples import Sample
from amrg.training.errors import TuningError
from amrg.training.loop.distributed import DeviceGroup, on
from amrg.training.loop.lora import ReportLoss, eval_mode, image_tokens_of
from amrg.training.outputs.artifacts import settings_of
from amrg.training.recipe import Metric, Recipe

Array = npt.NDArray[np.float64]
DRAWS = 1000


@dataclass(frozen=True)
class ValidationResult:
    """What a validation saw: the drafts of the watched cases, their figures, how many named no category.

    `loss` is nats a labelled token, of the references.
    """

    texts: tuple[str, ...]
    figures: dict[Metric, float]
    unscored: int
    loss: float


class Validator:
    """Looks at the same cases of the validation part again and again."""

    def __init__(self, prepared: Prepared, recipe: Recipe) -> None:
        """Refuses what nothing could be said of.

        Raises:
            TuningError: no reference of the validation part has what the recipe's metric looks at.
        """
        self.samples = prepared.validation[: recipe.validation.cases]
        self._prepared, self._recipe = prepared, recipe
        metric = recipe.validation.metric
        if math.isnan(figures([sample.text for sample in self.samples], self.samples)[metric]):
            raise TuningError(
                f"validation.metric is {metric.value}, and none of the {len(self.samples)} validation references that "
                "are watched has what it looks at: watch another metric or more cases, or use another split"
            )

    def look(self, loss: ReportLoss, devices: DeviceGroup) -> ValidationResult:
        """Have the model write on the watched cases, and read their references; each process on its share."""
        longest = settings_of(self._prepared, self._recipe).max_new_tokens
        drafts = DraftWriter(self._prepared, longest, self._recipe.micro_batch_size)
        with eval_mode(loss), devices.together(loss), devices.computing():
            texts = devices.each(self.samples, lambda share: drafts.write(loss.model, share))
            losses = devices.each(self.samples, lambda share: self._losses(loss, share))
        labelled = sum(len(sample.answer) for sample in self.samples)
        seen = figures(texts, self.samples)
        return ValidationResult(tuple(texts), seen, unscored(texts, self.samples), sum(losses) / labelled)

    def _losses(self, loss: ReportLoss, samples: Sequence[Sample]) -> list[float]:
        """Nats a case."""
        pad, device = Padding.of(self._prepared.loaded), self._prepared.loaded.model.device
        parts = (
            collate(part, self._prepared.shown, pad) for part in in_batches(samples, self._recipe.micro_batch_size)
        )
        return [value for part in parts for value in loss.by_case(on(part, device)).tolist()]


@dataclass(frozen=True)
class DraftWriter:
    """How drafts are written: greedily, `at_once` together, up to `longest` tokens each."""

    prepared: Prepared
    longest: int
    at_once: int = 8

    def write(self, model: Any, samples: Sequence[Sample]) -> list[str]:
        """A draft a sample."""
        asked = model.get_base_model() if isinstance(model, PeftModel) else model
        return [text for part in in_batches(samples, self.at_once) for text in self._written(asked, part)]

    def _written(self, model: Any, samples: Sequence[Sample]) -> list[str]:
        """The drafts of one batch."""
        loaded, pad = self.prepared.loaded, Padding.of(self.prepared.loaded)
        batch = on(prompts(samples, self.prepared.shown, pad), model.device)
        seen = image_tokens_of(model, loaded.backbone, batch)
        writing = DecodingSettings(self.longest, loaded.backbone.eos_token_id(loaded.processor), pad.token)
        rows = loaded.backbone.generate(model, batch.tokens, seen, writing)
        return [loaded.processor.tokenizer.decode(row, skip_special_tokens=True).strip() for row in rows]


def in_batches(samples: Sequence[Sample], at_once: int) -> list[Sequence[Sample]]:
    """Samples in parts that are held at once."""
    return [samples[i : i + at_once] for i in range(0, len(samples), at_once)]


def figures(texts: Sequence[str], samples: Sequence[Sample]) -> dict[Metric, float]:
    """Drafts beside their references, in the metrics that a run can watch, each in 0..1.

    A case counts where its reference names what is asked; a draft without a category or a composition is not right.
    Findings are pooled over all cases: F1 of kind, side and quadrant. `clinical` is the mean of those that are defined;
    a metric that no reference has anything for is not a number.
    """
    sums = _terms(texts, samples).sum(axis=0)
    return {metric: float(value) for metric, value in values_of(sums, sums).items()}


def intervals(texts: Sequence[str], samples: Sequence[Sample]) -> dict[Metric, tuple[float, float] | None]:
    """95 % percentile intervals of the same figures, cases drawn anew; None of what a draw may have nothing for."""
    terms = _terms(texts, samples)
    picked = np.random.default_rng(0).integers(0, len(terms), (DRAWS, len(terms)))
    drawn = values_of(np.stack([terms[row].sum(axis=0) for row in picked]), terms.sum(axis=0))
    return {metric: _middle(values) for metric, values in drawn.items()}


def _middle(values: Array) -> tuple[float, float] | None:
    """Where 95 % of some draws lie; None where there is but one value, or one is not a number."""
    low, high = np.quantile(values, [0.025, 0.975])
    return (float(low), float(high)) if np.isfinite(values).all() and values.min() < values.max() else None


def _terms(texts: Sequence[str], samples: Sequence[Sample]) -> Array:
    """`case_terms` of drafts beside their references [cases, 6]."""
    rows = [case_terms(parse(text).report, sample.reference) for text, sample in zip(texts, samples, strict=True)]
    return np.array(rows, dtype=np.float64).reshape(len(rows), 6)


def case_terms(draft: Report, reference: Report) -> tuple[float, ...]:
    """What a case adds to numerator and denominator of category, composition and findings F1, [6]."""
    findings = Count()
    findings.add(map(placed, draft.findings), map(placed, reference.findings))
    category, composition = overall_category(reference), reference.composition
    return (
        float(category is not None and category == overall_category(draft)),
        float(category is not None),
        float(composition is not None and composition == draft.composition),
        float(composition is not None),
        2.0 * findings.right,
        2.0 * findings.right + findings.invented + findings.missed,
    )


def values_of(sums: Array, of_all: Array) -> dict[Metric, Array]:
    """Figures from sums of terms [..., 6]; `clinical` is the mean of what is defined by the sums `of_all` [..., 6]."""
    defined = of_all[..., 1::2] > 0
    with np.errstate(invalid="ignore"):
        single = sums[..., ::2] / sums[..., 1::2]
        clinical = np.where(defined, single, 0.0).sum(axis=-1) / defined.sum(axis=-1)
    return {
        Metric.BIRADS: single[..., 0],
        Metric.COMPOSITION: single[..., 1],
        Metric.FINDING_F1: single[..., 2],
        Metric.CLINICAL: clinical,
    }


def unscored(texts: Sequence[str], samples: Sequence[Sample]) -> int:
    """Drafts that name no category where their reference does. They count as not right."""
    pairs = ((parse(text).report, sample.reference) for text, sample in zip(texts, samples, strict=True))
    return sum(overall_category(r) is not None and overall_category(d) is None for d, r in pairs)


def overall_category(report: Report) -> int | None:
    """The number of the overall category: 4A, 4B and 4C are 4."""
    return report.worst.major if report.worst is not None else None
