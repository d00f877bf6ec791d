"""Several trials of a sweep in one pass over a shared base, against the same trials one after another.

Run from the repository's root: `make bench-stacked`. The trials' samples are one batch: what is frozen multiplies all
rows at once, and every adapter its own rows. Each trial has its own order of samples, learning rate, optimiser state,
clipping and random numbers, so that its weights are those of training alone (`tests/test_bench_stacked.py`). A sweep
does not do this: decision 0035 has what it gained.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from statistics import mean
from typing import Any
from zlib import crc32

import torch
from bench_training_model import SHRUNK, TINY, reports, write_checkpoint, write_data
from bench_training_runs import THREADS, Ours
from peft import LoraConfig
from peft.tuners.lora import LoraLayer
from torch import Tensor, nn

from amrg.training.data.batching import BatchPlan, lengths_of
from amrg.training.data.collating import Padding, collate
from amrg.training.data.prepared import DataSource, PreparedData, prepare
from amrg.training.data.samples import Sample
from amrg.training.loop.compiling import compiled_layers
from amrg.training.loop.distributed import DeviceGroup
from amrg.training.loop.lora import ReportLoss, adapters_attached, train_mode
from amrg.training.loop.schedule import learning_rate_at
from amrg.training.loop.stepping import Stepper, StepResult, trainable
from amrg.training.recipe import Recipe

ALPHAS = (16, 32, 48)


class StackedTrials:
    """The steps of several trials on one base, all trials together; their recipes differ in adapters, rate and seed."""

    def __init__(self, prepared: PreparedData, recipes: Sequence[Recipe], model: Any, loss: ReportLoss) -> None:
        self._prepared, self._recipes, self._loss = prepared, recipes, loss
        lengths = lengths_of(prepared.train)
        self._plans = [BatchPlan(lengths, recipe.batch_size, recipe.seed) for recipe in recipes]
        self._pad = Padding.of(prepared.loaded)
        self._rows: list[int] = []
        self._generators = [torch.Generator() for _ in recipes]
        self.parameters = [
            {name: p for name, p in model.named_parameters() if f".{adapter_name(k)}." in name and "lora_" in name}
            for k in range(len(recipes))
        ]
        for layer in (m for m in model.modules() if isinstance(m, LoraLayer)):
            layer.forward = self._forward(layer)
        self._optimisers = [
            torch.optim.AdamW(list(parameters.values()), lr=0.0, weight_decay=recipe.weight_decay)
            for recipe, parameters in zip(recipes, self.parameters, strict=True)
        ]

    def run_step(self, step: int) -> list[StepResult]:
        """Run a step of every trial, counted from 0."""
        samples = self.samples(step)
        losses = self.compute_gradients(step, samples)
        return [
            StepResult(losses[k], self._update(k, step), len(own), sum(lengths_of(own)))
            for k, own in enumerate(samples)
        ]

    def samples(self, step: int) -> list[list[Sample]]:
        """The samples of every trial's step, in the order that it has alone."""
        return [[self._prepared.train[i] for i in plan.indices(step)] for plan in self._plans]

    def compute_gradients(self, step: int, samples: Sequence[Sequence[Sample]]) -> list[float]:
        """Backward through every micro-batch of all trials; returns each trial's loss in nats per labelled token."""
        labelled = [sum(len(s.answer) for s in own) for own in samples]
        for recipe, generator in zip(self._recipes, self._generators, strict=True):
            generator.manual_seed(crc32(f"{recipe.seed} {step} 0".encode()))
        for optimiser in self._optimisers:
            optimiser.zero_grad(set_to_none=True)
        size, totals = self._recipes[0].micro_batch_size, [0.0] * len(samples)
        for first in range(0, max(map(len, samples)), size):
            parts = [own[first : first + size] for own in samples]
            self._rows = [len(part) for part in parts]
            batch = collate([s for part in parts for s in part], self._prepared.features, self._pad)
            by_trial = torch.split(self._loss.by_case(batch), self._rows)
            losses = [own.sum() / count for own, count in zip(by_trial, labelled, strict=True)]
            torch.autograd.backward(torch.stack(losses).sum())
            totals = [total + float(loss.detach()) for total, loss in zip(totals, losses, strict=True)]
        return totals

    def _update(self, k: int, step: int) -> float:
        """Clip and step one trial by itself; returns its gradient norm before clipping."""
        norm = nn.utils.clip_grad_norm_(list(self.parameters[k].values()), self._recipes[k].max_grad_norm)
        for group in self._optimisers[k].param_groups:
            group["lr"] = learning_rate_at(self._recipes[k], step)
        self._optimisers[k].step()
        return float(norm)

    def _forward(self, layer: Any) -> Callable[..., Tensor]:
        """A layer's output: the base's product of all rows at once, each adapter's of its own trial's rows."""

        def forward(x: Tensor, *_: Any, **__: Any) -> Tensor:
            added = []
            for k, part in enumerate(torch.split(x, self._rows)):
                name = adapter_name(k)
                dropped = _drop(part, self._recipes[k].lora.dropout, self._generators[k])
                added.append(layer.lora_B[name](layer.lora_A[name](dropped)) * layer.scaling[name])
            out: Tensor = layer.base_layer(x) + torch.cat(added)
            return out

        return forward


def adapter_name(k: int) -> str:
    """What a trial's adapter is called; the first has PEFT's own name."""
    return "default" if k == 0 else f"trial{k}"


def _drop(x: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """Dropout by a trial's own random numbers."""
    if not share:
        return x
    return x * torch.empty_like(x).bernoulli_(1.0 - share, generator=generator).div_(1.0 - share)


@contextmanager
def stacked(prepared: PreparedData, recipes: Sequence[Recipe]) -> Iterator[StackedTrials]:
    """Trials on a base within the context, each with the initial weights that it has alone."""
    first, *others = recipes
    plain = first.model_copy(update={"torch_compile": False})
    with adapters_attached(prepared.loaded, plain) as model:
        pattern = prepared.loaded.backbone.trainable_modules(prepared.loaded.model, first.lora.modules).lora
        for k, recipe in enumerate(others, 1):
            lora = recipe.lora
            torch.manual_seed(recipe.seed)
            config = LoraConfig(r=lora.rank, lora_alpha=lora.alpha, lora_dropout=lora.dropout, target_modules=pattern)
            model.add_adapter(adapter_name(k), config)
        for name, parameter in model.named_parameters():
            parameter.requires_grad_("lora_" in name)
        train_mode(model)
        trials = StackedTrials(prepared, recipes, model, ReportLoss(model, prepared.loaded.backbone))
        with compiled_layers(model.get_base_model()) if first.torch_compile else nullcontext():
            yield trials


@contextmanager
def alone(prepared: PreparedData, recipe: Recipe) -> Iterator[Stepper]:
    """One trial on a base within the context, as `amrg train` runs its steps."""
    with adapters_attached(prepared.loaded, recipe) as model:
        train_mode(model)
        devices = DeviceGroup(recipe, some_unused=False)
        yield Stepper(prepared, recipe, devices, ReportLoss(model, prepared.loaded.backbone))


def weights(stepper: Stepper) -> dict[str, Tensor]:
    """A trial's weights now."""
    return {name: p.detach().clone() for name, p in trainable(stepper._loss.model).items()}


def seconds(run_step: Callable[[int], Any], steps: int) -> list[float]:
    """Processor seconds of every step after the first, in which layers are compiled."""
    found = []
    for step in range(steps + 1):
        began = time.process_time()
        run_step(step)
        found.append(time.process_time() - began)
    return found[1:]


def main(arguments: Sequence[str] | None = None) -> None:
    """Print `ratio stacked-trials`: seconds of trials alone, over those of the same trials stacked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a tiny model: whether it runs, not how fast")
    parser.add_argument("--steps", type=int, default=2, help="steps of four exams that are measured")
    given = parser.parse_args(arguments)
    torch.set_num_threads(THREADS)
    shape, texts = (TINY, reports(24)) if given.quick else (SHRUNK, reports(32))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_checkpoint(folder / "base", shape, texts)
        data = write_data(folder, texts, shape.pixels)
        for compiled in (False, True) if not given.quick else (False,):
            one_rank = Ours(given.steps + 1, dropout=0.0, batch_size=4, micro_batch_size=2, torch_compile=compiled)
            recipes = [replace(one_rank, alpha=alpha).recipe(folder / "base") for alpha in ALPHAS]
            prepared = prepare(recipes[0], DataSource(data, "clean"), folder / "cache", lambda _w, _d, _o: None)
            with alone(prepared, recipes[0]) as one:
                apart = seconds(one.run_step, given.steps)
            with stacked(prepared, recipes) as trials:
                together = seconds(trials.run_step, given.steps)
            ratio = len(recipes) * mean(apart) / mean(together)
            ends = (min(apart) / max(together), max(apart) / min(together))
            spread = f"{len(recipes) * ends[0]:.2f} to {len(recipes) * ends[1]:.2f}"
            about = f"{'' if compiled else 'not '}compiled, {len(recipes)} trials, n = {given.steps} steps, {spread}"
            sys.stdout.write(f"ratio stacked-trials {ratio:.2f}  # {about}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
