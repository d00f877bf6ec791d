"""Validation for early stopping: metrics of greedy drafts on the validation part, never on the test part."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from peft import PeftModel

from amrg.metrics.metric import Metric
from amrg.metrics.pairs import Pair
from amrg.metrics.scores import MetricScore
from amrg.metrics.statistics import bootstrap
from amrg.metrics.summaries import metric_scores
from amrg.metrics.validation import WatchedMetric, draft_pair, watched_metrics, without_category
from amrg.models.decoding.batched import decode_texts
from amrg.training.data.collating import Padding, collate, collate_prompts
from amrg.training.data.prepared import PreparedData
from amrg.training.data.samples import Sample
from amrg.training.errors import TuningError
from amrg.training.loop.distributed import DeviceGroup, to_device
from amrg.training.loop.lora import ReportLoss, eval_mode, image_tokens_of
from amrg.training.outputs.artifacts import adapter_settings
from amrg.training.recipe import Recipe


@dataclass(frozen=True)
class ValidationResult:
    """What a validation found: the drafts of the validation cases, their metrics, how many named no category.

    `loss` is nats a labelled token, of the references.
    """

    texts: tuple[str, ...]
    values: dict[WatchedMetric, float]
    unscored: int
    loss: float


class Validator:
    """Drafts the same cases of the validation part again and again."""

    def __init__(self, prepared: PreparedData, recipe: Recipe) -> None:
        """Refuse a metric that would have no value.

        Raises:
            TuningError: no reference of the validation part has what the recipe's metric compares.
        """
        self.samples = prepared.validation[: recipe.validation.cases]
        self._prepared, self._recipe = prepared, recipe
        metric = recipe.validation.metric
        if math.isnan(validation_values([sample.text for sample in self.samples], self.samples)[metric]):
            raise TuningError(
                f"validation.metric is {metric.value}, and none of the {len(self.samples)} validation references used "
                "has what it compares: choose another metric, raise validation.cases, or use another split"
            )

    def validate(self, loss: ReportLoss, devices: DeviceGroup) -> ValidationResult:
        """Draft the validation cases and compute the loss of their references; each process on its share."""
        max_new_tokens = adapter_settings(self._prepared, self._recipe).max_new_tokens
        drafts = DraftWriter(self._prepared, max_new_tokens, self._recipe.micro_batch_size)
        with eval_mode(loss), devices.unsharded(loss), devices.autocast():
            texts = devices.map_shards(self.samples, lambda share: drafts.write(loss.model, share))
            losses = devices.map_shards(self.samples, lambda share: self._losses(loss, share))
        labelled = sum(len(sample.answer) for sample in self.samples)
        values = validation_values(texts, self.samples)
        return ValidationResult(tuple(texts), values, unscored(texts, self.samples), sum(losses) / labelled)

    def _losses(self, loss: ReportLoss, samples: Sequence[Sample]) -> list[float]:
        """Nats a case."""
        pad, device = Padding.of(self._prepared.loaded), self._prepared.loaded.model.device
        parts = (
            collate(part, self._prepared.features, pad) for part in in_batches(samples, self._recipe.micro_batch_size)
        )
        return [value for part in parts for value in loss.by_case(to_device(part, device)).tolist()]


@dataclass(frozen=True)
class DraftWriter:
    """How drafts are written: greedily, `batch_size` together, up to `max_new_tokens` tokens each."""

    prepared: PreparedData
    max_new_tokens: int
    batch_size: int = 8

    def write(self, model: Any, samples: Sequence[Sample]) -> list[str]:
        """A draft a sample."""
        inner = model.get_base_model() if isinstance(model, PeftModel) else model
        return [text for part in in_batches(samples, self.batch_size) for text in self._written(inner, part)]

    def _written(self, model: Any, samples: Sequence[Sample]) -> list[str]:
        """The drafts of one batch."""
        loaded = self.prepared.loaded
        batch = to_device(collate_prompts(samples, self.prepared.features, Padding.of(loaded)), model.device)
        image_tokens = image_tokens_of(model, loaded.backbone, batch)
        return decode_texts(loaded, batch.tokens, image_tokens, self.max_new_tokens, model)


def in_batches(samples: Sequence[Sample], batch_size: int) -> list[Sequence[Sample]]:
    """Samples in parts of `batch_size`."""
    return [samples[i : i + batch_size] for i in range(0, len(samples), batch_size)]


def validation_metrics(texts: Sequence[str], samples: Sequence[Sample]) -> dict[WatchedMetric, Metric]:
    """The metrics that a run can watch, of drafts against their references; without a value where none has one."""
    return watched_metrics(_pairs(texts, samples))


def validation_values(texts: Sequence[str], samples: Sequence[Sample]) -> dict[WatchedMetric, float]:
    """Their values, each in 0..1; not a number where no reference has what the metric compares."""
    return {name: metric.value for name, metric in validation_metrics(texts, samples).items()}


def validation_scores(texts: Sequence[str], samples: Sequence[Sample]) -> dict[WatchedMetric, MetricScore]:
    """Their values with 95 % intervals, as the benchmark computes them: a bootstrap of the cases' groups."""
    metrics = validation_metrics(texts, samples)
    scores = metric_scores(list(metrics.values()), bootstrap([sample.group or sample.key for sample in samples]))
    return {name: scores[metric.name] for name, metric in metrics.items()}


def unscored(texts: Sequence[str], samples: Sequence[Sample]) -> int:
    """Drafts that name no category where their reference does: they count as wrong."""
    return without_category(_pairs(texts, samples))


def _pairs(texts: Sequence[str], samples: Sequence[Sample]) -> list[Pair]:
    return [
        draft_pair(sample.key, sample.reference, text, sample.findings_known)
        for text, sample in zip(texts, samples, strict=True)
    ]
