"""A base with LoRA adapters, and its loss on the report's tokens only."""

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
from amrg.training.errors import TuningError
from amrg.training.loop.compiling import compiled_layers
from amrg.training.recipe import Recipe

LOGITS_CHUNK = 128
"""Tokens per chunk of logits: 134 MB of float32 for a vocabulary of 262 k."""


def with_lora(loaded: LoadedModel, recipe: Recipe) -> PeftModel:
    """Add new adapters to a base in place; their initial weights follow from the recipe's seed only."""
    lora = recipe.lora
    trainable = loaded.backbone.trainable_modules(loaded.model, lora.modules)
    config = LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=trainable.lora,
        modules_to_save=list(trainable.modules_to_save) or None,
        use_dora=lora.use_dora,
        use_rslora=lora.use_rslora,
        revision=loaded.revision,
    )
    torch.manual_seed(recipe.seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # from transformers, about a name that PEFT still uses
        tuned = get_peft_model(loaded.model, config)
    # The full path of a folder, so that the adapter finds its base from any working directory.
    local = Path(recipe.base)
    tuned.peft_config["default"].base_model_name_or_path = str(local.resolve()) if local.is_dir() else recipe.base
    for parameter in tuned.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.float()  # updates are smaller than 16-bit resolution
    return tuned


@contextmanager
def adapters_attached(loaded: LoadedModel, recipe: Recipe) -> Iterator[PeftModel]:
    """A base with new adapters within the context; afterwards it is bit for bit as before, without them."""
    model = loaded.model
    grad_flags = [(parameter, parameter.requires_grad) for parameter in model.parameters()]
    modes = [(module, module.training) for module in model.modules()]
    trainable = loaded.backbone.trainable_modules(model, recipe.lora.modules)
    originals = {name: model.get_submodule(name) for name in trainable.modules_to_save}
    tuned = with_lora(loaded, recipe)
    if recipe.gradient_checkpointing:
        model.activation_checkpointing_enable({"use_reentrant": False})
        model.disable_input_require_grads()  # needed by the reentrant kind only
    try:
        with compiled_layers(model) if recipe.torch_compile else nullcontext():
            yield tuned
    finally:
        if recipe.gradient_checkpointing:
            model.activation_checkpointing_disable()
        tuned.unload()
        for name, original in originals.items():
            model.set_submodule(name, original)  # PEFT would keep the trained copy
        for parameter, required in grad_flags:
            parameter.requires_grad_(required)
        for module, training in modes:
            module.training = training


@contextmanager
def eval_mode(model: nn.Module) -> Iterator[None]:
    """No dropout, no gradients, no compilation within the context: a draft would compile one graph per token."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        with torch.inference_mode(), torch.compiler.set_stance("force_eager"):
            yield
    finally:
        for module, training in modes:
            module.training = training


def train_mode(model: nn.Module) -> None:
    """Dropout on. Running statistics of the base stay fixed."""
    model.train()
    for module in model.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.eval()


class ReportLoss(nn.Module):
    """Cross-entropy summed over a batch's labelled tokens. This module is wrapped for several devices.

    Logits are computed for labelled positions only: a vocabulary of 262 k makes all others costly.
    """

    def __init__(self, model: PeftModel, backbone: Backbone) -> None:
        """Refuse a trained head, whose weights `token_losses` would give no gradient.

        Raises:
            TuningError: the head is adapted, or trained in full.
        """
        super().__init__()
        if any(p.requires_grad for p in backbone.head(model.get_base_model()).parameters()):
            raise TuningError(
                "the head (lm_head) has trainable weights, and the loss has no gradient for them; expected adapters "
                "elsewhere: remove lm_head from the target modules and from modules_to_save"
            )
        self.model = model
        self._backbone = backbone

    def forward(self, batch: Batch) -> Tensor:
        """The sum, float32 []."""
        return self.by_case(batch).sum()

    def by_case(self, batch: Batch) -> Tensor:
        """A sum per sample, float32 [B]; position t predicts token t + 1."""
        base = self.model.get_base_model()
        hidden = self._backbone.hidden(base, batch.tokens, image_tokens_of(base, self._backbone, batch))
        labelled = batch.labels[:, 1:] != IGNORE
        head = self._backbone.head(base)
        losses = token_losses(hidden[:, :-1][labelled], batch.labels[:, 1:][labelled], head)
        rows = labelled.nonzero()[:, 0]
        return losses.new_zeros(len(labelled)).index_add(0, rows, losses)


def token_losses(hidden: Tensor, labels: Tensor, head: nn.Module) -> Tensor:
    """Cross-entropy of each label, float32 [N], of hidden states [N, D] under a frozen head.

    Logits are computed in chunks of a few tokens, and the gradient of each chunk before the next: all logits of a
    batch, their softmax and its gradient would dominate the memory of a step. Only one gradient of the size of the
    hidden states is stored, and nothing is computed twice (as in Liger Kernel, Hsu et al., arXiv 2410.10989).
    """
    if torch.is_grad_enabled() and hidden.requires_grad:
        losses: Tensor = _ChunkedLosses.apply(hidden, labels, head)  # type: ignore[no-untyped-call]
        return losses
    return torch.cat([_losses(head(states), targets) for states, targets in _chunks(hidden, labels)])


class _ChunkedLosses(torch.autograd.Function):
    """Losses with their gradient to the hidden states computed in the forward pass."""

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, labels: Tensor, head: nn.Module) -> Tensor:
        """As `token_losses`."""
        losses: list[Tensor] = []
        gradients: list[Tensor] = []
        for part, targets in _chunks(hidden, labels):
            with torch.enable_grad():
                states = part.detach().requires_grad_()
                loss = _losses(head(states), targets)
                gradients += torch.autograd.grad(loss.sum(), states)
            losses.append(loss.detach())
        ctx.save_for_backward(torch.cat(gradients))
        return torch.cat(losses)

    @staticmethod
    def backward(ctx: Any, *weights: Tensor) -> tuple[Tensor, None, None]:
        """A token's loss depends on its own hidden state only, so each row of the gradient is scaled by itself."""
        (gradient,) = ctx.saved_tensors
        return gradient * weights[0][:, None].to(gradient.dtype), None, None


def _chunks(hidden: Tensor, labels: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Hidden states and labels in chunks of a few tokens."""
    return zip(torch.split(hidden, LOGITS_CHUNK), torch.split(labels, LOGITS_CHUNK), strict=True)


def _losses(logits: Tensor, labels: Tensor) -> Tensor:
    return nn.functional.cross_entropy(logits.float(), labels, reduction="none")


def image_tokens_of(model: Any, backbone: Backbone, batch: Batch) -> list[Tensors]:
    """Image tokens of a batch: the remaining encoding after its stage."""
    if batch.stage is Stage.IMAGE_TOKENS:
        return list(batch.images)
    features = list(batch.images)
    if batch.stage is Stage.PIXELS:
        features = backbone.features(model, concatenate(batch.images))
    return backbone.image_tokens(model, features)


def concatenate(parts: tuple[Tensors, ...]) -> Tensors:
    """Tensors of several studies, concatenated along the first axis."""
    return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}
