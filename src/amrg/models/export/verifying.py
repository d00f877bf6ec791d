"""Whether an exported model is the one that was trained: base, adapter and export side by side on drawn images.

Weights have been exported without their LoRA, and without their vision tower, by tools that reported nothing. So an
export is read again from disk and prompted: its answers must be the adapter's, and those must not be the base's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile

import numpy as np
import torch
from torch import Tensor

from amrg.core.values import Value
from amrg.models.backbones.base import Images, Tensors, Views
from amrg.models.decoding.batched import INPUT, batch_prompts, decode_rows
from amrg.models.errors import ModelError
from amrg.models.export.changes import PartChange
from amrg.models.known_answers import PROBES, drawn_images
from amrg.models.load import LoadedModel

MAX_TOKENS = 24  # of an answer that is compared

SAME = 1e-6
"""Relative difference of logits below which two models are equal: what float32 leaves after a few dozen layers."""
TOLERANCE = {torch.float32: 1e-3, torch.float16: 1e-2, torch.bfloat16: 6e-2}
"""Largest relative difference of the export's logits from the adapter's, by the type that the export is stored in.

Merging is exact but for rounding. A weight is rounded by 2^-24, 2^-11 or 2^-8 of itself at most (float32, float16,
bfloat16); errors of independent weights add as a root of squares, over some 70 matrices in 34 layers to eight times
the one. Eight times 2^-8 is 3 %; twice that is allowed. float32 differs by its order of summing alone.
"""


class LogitDifference(Value):
    """Two models' logits: the largest absolute difference, and the root mean square over the second's spread."""

    largest: float
    relative: float
    same_text: bool


class ExportComparison(Value):
    """Base, adapter and export on `positions` tokens of answers to `probes` studies of drawn images.

    `parts` counts the weights that the export changes.
    """

    probes: int
    positions: int
    stored: str
    tolerance: float
    adapter_from_base: LogitDifference
    export_from_base: LogitDifference
    export_from_adapter: LogitDifference
    parts: tuple[PartChange, ...]


@dataclass(frozen=True)
class Answers:
    """A model's answers to the probes as token numbers, and its logits [tokens, vocabulary] on the adapter's."""

    rows: tuple[tuple[int, ...], ...]
    logits: Tensor


def answers_of(loaded: LoadedModel, forced: Sequence[Sequence[int]] | None = None) -> Answers:
    """A model's greedy answers to every probe, and its logits on the answers `forced` on it; None: on its own."""
    rows, end = _decoded(loaded), loaded.backbone.eos_token_id(loaded.processor)
    answers = zip(PROBES, rows if forced is None else forced, strict=True)
    return Answers(rows, torch.cat([_logits(loaded, views, [*answer, end]) for views, answer in answers]))


def logits_on_swapped(loaded: LoadedModel, views: Views, answer: Sequence[int]) -> Tensor:
    """Logits float32 [answer + 1, vocabulary] of an answer forced on a probe whose images come in reverse order."""
    images = drawn_images(views, loaded.settings.encoding.size)[::-1]
    return _logits(loaded, views, [*answer, loaded.backbone.eos_token_id(loaded.processor)], images)


def _decoded(loaded: LoadedModel) -> tuple[tuple[int, ...], ...]:
    """A model's greedy answer to every probe, up to the first image token: it would count as an image of the prompt."""
    most, image = min(MAX_TOKENS, loaded.settings.max_new_tokens), loaded.model.config.image_token_id
    rows = (decode_rows(loaded, *_prompted(loaded, views, _drawn(loaded, views)), most) for views in PROBES)
    return tuple(tuple(takewhile(lambda token: token != image, row)) for (row,) in rows)


@torch.inference_mode()
def _logits(loaded: LoadedModel, views: Views, answer: list[int], images: Images | None = None) -> Tensor:
    """Logits float32 [answer, vocabulary] of the tokens of an answer, the first after the prompt."""
    tokens, image_tokens = _prompted(loaded, views, _drawn(loaded, views) if images is None else images)
    for name, column in tokens.items():
        values = answer if name == INPUT else [loaded.backbone.columns.get(name, 1)] * len(answer)
        tokens[name] = torch.cat([column, torch.tensor([values], dtype=column.dtype, device=column.device)], 1)
    hidden = loaded.backbone.hidden(loaded.model, tokens, image_tokens)[0, -len(answer) - 1 : -1]
    found: Tensor = loaded.backbone.head(loaded.model)(hidden).float().cpu()
    return found


@torch.inference_mode()
def _prompted(loaded: LoadedModel, views: Views, images: Images) -> tuple[Tensors, list[Tensors]]:
    """A probe's prompt, a batch of one, and its image tokens."""
    backbone, device = loaded.backbone, loaded.model.device
    prompt = backbone.build_prompt(loaded.processor, loaded.settings, views, images)
    features = backbone.features(loaded.model, {name: t.to(device) for name, t in prompt.pixels.items()})
    return batch_prompts(loaded, [prompt]), backbone.image_tokens(loaded.model, features)


def _drawn(loaded: LoadedModel, views: Views) -> Images:
    """A probe's images at the size that a model takes."""
    return drawn_images(views, loaded.settings.encoding.size)


def compare_answers(
    base: Answers, adapter: Answers, export: Answers, stored: torch.dtype, parts: tuple[PartChange, ...] = ()
) -> ExportComparison:
    """The three side by side; `stored` is the type of the export's weights, `parts` counts those that it changes."""
    return ExportComparison(
        probes=len(PROBES),
        positions=len(adapter.logits),
        stored=str(stored).removeprefix("torch."),
        tolerance=TOLERANCE[stored],
        adapter_from_base=_difference(adapter, base),
        export_from_base=_difference(export, base),
        export_from_adapter=_difference(export, adapter),
        parts=parts,
    )


def refuse_unlike(found: ExportComparison, what: str) -> None:
    """Refuse an export that is the base again, or not the adapter.

    Raises:
        ModelError: one line that says which, by how much, and what to do.
    """
    moved, off = found.adapter_from_base.relative, found.export_from_adapter.relative
    if not np.isfinite([moved, off]).all():
        raise ModelError(f"{what}: the model answers with NaN or infinity; train the adapter again at a lower rate")
    if moved < SAME:
        raise ModelError(
            f"{what}: the adapter changes nothing (logits {moved:.1e} from the base's): it was saved before any "
            "training step, or without its weights; train it again"
        )
    if off > moved / 2:
        raise ModelError(
            f"{what}: the export is no nearer to the adapter than to its base (logits {off:.1e} from the adapter's, "
            f"adapter {moved:.1e} from the base's, stored as {found.stored}): its weights are the base's, or what "
            "training changed is lost in rounding; export with --dtype float32, or the adapter by itself"
        )
    if off > found.tolerance:
        raise ModelError(
            f"{what}: the export differs from the adapter (logits {off:.1e}, expected at most {found.tolerance:.0e} "
            f"as {found.stored}); export with --dtype float32, or the adapter by itself"
        )


def _difference(one: Answers, other: Answers) -> LogitDifference:
    off = (one.logits - other.logits).double()
    spread = (other.logits - other.logits.mean(1, keepdim=True)).double().square().mean().sqrt()
    return LogitDifference(
        largest=float(off.abs().max()),
        relative=float(off.square().mean().sqrt() / spread),
        same_text=one.rows == other.rows,
    )
