"""A base with LoRA adapters, and its loss on the report's tokens alone."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from torch import Tensor, nn

from amrg.models.backbones.base import Backbone, Tensors
from amrg.models.load import LoadedModel
from amrg.training.data.samples import IGNORE, Batch, Stage
from amrg.training.loop.compiling import compiled
from amrg.training.recipe import Recipe

LOGITS_AT_ONCE = 128
"""Tokens whose logits are held at a time: 134 MB of float32 over a vocabulary of 262 k."""


def with_lora(loaded: LoadedModel, recipe: Recipe) -> PeftModel:
    """Put fresh adapters into a base, in place; their first weights follow from the recipe's seed alone."""
    lora = recipe.lora
    touched = loaded.backbone.trainable_modules(loaded.model, lora.modules)
    config = LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=touched.lora,
        modules_to_save=list(touched.modules_to_save) or None,
        use_dora=lora.use_dora,
        use_rslora=lora.use_rslora,
        revision=loaded.revision,
    )
    torch.manual_seed(recipe.seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # of transformers, about a name that PEFT still uses
        tuned = get_peft_model(loaded.model, config)
    # Of a folder the whole path, so that the adapter finds its base from wherever it is loaded.
    local = Path(recipe.base)
    tuned.peft_config["default"].base_model_name_or_path = str(local.resolve()) if local.is_dir() else recipe.base
    for parameter in tuned.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.float()  # steps are smaller than what 16 bits resolve
    return tuned


@contextmanager
def adapters_attached(loaded: LoadedModel, recipe: Recipe) -> Iterator[PeftModel]:
    """A base with fresh adapters in it for a while; afterwards it is bit for bit what it was, and free of them."""
    model = loaded.model
    was = [(parameter, parameter.requires_grad) for parameter in model.parameters()]
    modes = [(module, module.training) for module in model.modules()]
    touched = loaded.backbone.trainable_modules(model, recipe.lora.modules)
    originals = {name: model.get_submodule(name) for name in touched.modules_to_save}
    tuned = with_lora(loaded, recipe)
    if recipe.gradient_checkpointing:
        model.activation_checkpointing_enable({"use_reentrant": False})
        model.disable_input_require_grads()  # wanted by the reentrant kind alone
    try:
        with compiled(model) if recipe.torch_compile else nullcontext():
            yield tuned
    finally:
        if recipe.gradient_checkpointing:
            model.activation_checkpointing_disable()
        tuned.unload()
        for name, original in originals.items():
            model.set_submodule(name, original)  # PEFT would leave the trained copy
        for parameter, wanted in was:
            parameter.requires_grad_(wanted)
        for module, training in modes:
            module.training = training


@contextmanager
def eval_mode(model: nn.Module) -> Iterator[None]:
    """Dropout off for a while, nothing recorded for gradients, nothing compiled: a draft would be a graph a token."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        with torch.inference_mode(), torch.compiler.set_stance("force_eager"):
            yield
    finally:
        for module, training in modes:
            module.training = training


def train_mode(model: nn.Module) -> None:
    """Dropout on. Running statistics stay as they are: they are the base's."""
    model.train()
    for module in model.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.eval()


class ReportLoss(nn.Module):
    """Cross-entropy summed over a batch's labelled tokens. What is wrapped where several devices train one model.

    Logits are computed where there is a label and nowhere else: a vocabulary of 262 k makes all others costly.
    """

    def __init__(self, model: PeftModel, backbone: Backbone) -> None:
        super().__init__()
        self.model = model
        self._backbone = backbone

    def forward(self, batch: Batch) -> Tensor:
        """The sum, float32 []."""
        return self.by_case(batch).sum()

    def by_case(self, batch: Batch) -> Tensor:
        """A sum a sample, float32 [B]; the next token of every position but the last is what is asked."""
        base = self.model.get_base_model()
        hidden = self._backbone.hidden(base, batch.tokens, image_tokens_of(base, self._backbone, batch))
        asked = batch.labels[:, 1:] != IGNORE
        head = self._backbone.head(base)
        losses = token_losses(hidden[:, :-1][asked], batch.labels[:, 1:][asked], head)
        rows = asked.nonzero()[:, 0]
        return losses.new_zeros(len(asked)).index_add(0, rows, losses)


def token_losses(hidden: Tensor, labels: Tensor, head: nn.Module) -> Tensor:
    """Cross-entropy of each label, float32 [N], of hidden states [N, D] under a head that is not trained.

    Logits are there of a few tokens at a time, and of each their gradient is taken before the next are computed: all
    logits of a batch, their softmax and its gradient would be the most memory of a step. Kept is one gradient as large
    as the hidden states, and nothing is computed twice (Hsu et al., Liger Kernel, arXiv 2410.10989, do so in a kernel).
    """
    if torch.is_grad_enabled() and hidden.requires_grad:
        losses: Tensor = _LearnedLosses.apply(hidden, labels, head)  # type: ignore[no-untyped-call]
        return losses
    return torch.cat([_losses(head(states), asked) for states, asked in _parts(hidden, labels)])


class _LearnedLosses(torch.autograd.Function):
    """Losses whose gradient to the hidden states is known as soon as they are."""

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, labels: Tensor, head: nn.Module) -> Tensor:
        """As `token_losses`."""
        losses: list[Tensor] = []
        gradients: list[Tensor] = []
        for part, asked in _parts(hidden, labels):
            with torch.enable_grad():
                states = part.detach().requires_grad_()
                loss = _losses(head(states), asked)
                gradients += torch.autograd.grad(loss.sum(), states)
            losses.append(loss.detach())
        ctx.save_for_backward(torch.cat(gradients))
        return torch.cat(losses)

    @staticmethod
    def backward(ctx: Any, *weights: Tensor) -> tuple[Tensor, None, None]:
        """A token's loss depends on its own hidden state alone: each row of the gradient has a weight of its own."""
        (gradient,) = ctx.saved_tensors
        return gradient * weights[0][:, None].to(gradient.dtype), None, None


def _parts(hidden: Tensor, labels: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Hidden states and labels, a few tokens at a time."""
    return zip(torch.split(hidden, LOGITS_AT_ONCE), torch.split(labels, LOGITS_AT_ONCE), strict=True)


def _losses(logits: Tensor, labels: Tensor) -> Tensor:
    return nn.functional.cross_entropy(logits.float(), labels, reduction="none")


def image_tokens_of(model: Any, backbone: Backbone, batch: Batch) -> list[Tensors]:
    """Take what is shown the rest of its way to image tokens."""
    if batch.stage is Stage.IMAGE_TOKENS:
        return list(batch.shown)
    features = list(batch.shown)
    if batch.stage is Stage.PIXELS:
        features = backbone.features(model, merged_model(batch.shown))
    return backbone.image_tokens(model, features)


def merged_model(parts: tuple[Tensors, ...]) -> Tensors:
    """Tensors of several studies joined along their first axis."""
    return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}
