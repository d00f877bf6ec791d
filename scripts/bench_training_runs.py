"""The contenders of `bench_training.py`, a process each: Google's MedGemma notebook, and `amrg.training`.

The peer is the recipe of google-health/medgemma `notebooks/fine_tune_with_hugging_face.ipynb`, reimplemented: eager
attention, LoRA of rank and alpha 16 and dropout 0.05 in all linear layers, lm_head and embed_tokens trained whole,
prompt tokens in the loss, logits of the whole sequence, non-reentrant gradient checkpointing, fused AdamW, 2e-4 linear
after a warm-up, clipped at 0.3, micro-batches of 4 exams, 4 per step. Without what a CPU cannot do: nf4, and
bfloat16 for both. `Peer` has a field for each thing that amrg does otherwise, to measure them one by one.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoProcessor, Gemma3ForConditionalGeneration, Trainer, TrainerCallback, TrainingArguments

from amrg.datasets import Case, Dataset, open_dataset, study_of
from amrg.experiments.sweep.config import SweepConfig
from amrg.experiments.sweep.definition import Alpha, Sweep, SweepBase
from amrg.experiments.sweep.trials import Trial, TrialStatus
from amrg.experiments.sweep.worker import run_trials
from amrg.imaging import hanging_order
from amrg.models import ModelSettings, frame_for, messages, model_image
from amrg.models.backbones.base import Modules
from amrg.models.load import load_base
from amrg.models.views import to_pil
from amrg.training.callbacks import StepStats
from amrg.training.data.batching import BatchPlan, lengths_of
from amrg.training.data.prepared import DataSource, PreparedData, prepare
from amrg.training.loop.tuning import tune
from amrg.training.recipe import Lora, LrScheduler, Recipe, TargetText, Validation

IGNORE = -100
Collate = Callable[[list[dict[str, Any]]], Any]
THREADS = 2
KB = 1024


@dataclass(frozen=True)
class Peer:
    """The notebook's recipe; every default is its own."""

    steps: int
    saved: bool = True  # lm_head and embed_tokens trained whole
    modules: str = "all-linear"  # or `language`, the language model's linear layers
    report_only: bool = False  # no loss on prompt tokens
    attention: str = "eager"
    checkpointing: bool = True
    dropout: float = 0.05
    rank: int = 16
    alpha: int = 16
    micro_batch_size: int = 4
    accumulate: int = 4
    learning_rate: float = 2e-4
    lr_scheduler: str = "linear"
    warmup_ratio: float = 0.03
    trl: bool = False  # TRL's SFTTrainer as it is installed, else the plain Trainer that it extends
    our_order: bool = False  # exams in the order in which amrg's plan has them


@dataclass(frozen=True)
class Ours:
    """amrg's protocol with the notebook's LoRA.

    Micro-batches of one exam: their size changes nothing of a step but rounding and which units dropout drops, one exam
    holds the least, and takes no longer than the notebook's four.
    """

    steps: int
    modules: str = Modules.LANGUAGE.value
    checkpointing: bool = True
    torch_compile: bool = True
    dropout: float = 0.05
    rank: int = 16
    alpha: int = 16
    batch_size: int = 16
    micro_batch_size: int = 1
    learning_rate: float = 2e-4
    lr_scheduler: str = "linear"
    warmup_ratio: float = 0.03

    def recipe(self, base: Path) -> Recipe:
        """As amrg takes it."""
        return Recipe(
            base=str(base),
            target_text=TargetText.PUBLISHED,
            lora=Lora(rank=self.rank, alpha=self.alpha, dropout=self.dropout, modules=Modules(self.modules)),
            steps=self.steps,
            batch_size=self.batch_size,
            micro_batch_size=self.micro_batch_size,
            learning_rate=self.learning_rate,
            lr_scheduler=LrScheduler(self.lr_scheduler),
            warmup_ratio=self.warmup_ratio,
            max_grad_norm=0.3,
            gradient_checkpointing=self.checkpointing,
            torch_compile=self.torch_compile,
            validation=Validation(every=self.steps, cases=1),
        )


@dataclass(frozen=True)
class OurSweep:
    """Trials of one rank that differ in scaling, without pruning, as `amrg sweep` runs them."""

    steps: int
    alphas: tuple[int, ...]
    rank: int = 16
    torch_compile: bool = True

    def sweep(self, base: Path) -> Sweep:
        """As amrg takes it."""
        return Sweep(
            bases=(SweepBase(name="base", source=str(base)),),
            ranks=(self.rank,),
            alphas=tuple(Alpha(number=alpha) for alpha in self.alphas),
            recipe=Ours(self.steps, checkpointing=False, torch_compile=self.torch_compile).recipe(base),
            prune=False,
        )


@dataclass
class Measured:
    """The measurements of a run: seconds and loss of each step, seconds before the first, memory."""

    seconds: list[float] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    starting: float = 0.0  # loading; in amrg also `prepare` without encoding images
    encoding: float = 0.0  # in amrg: the images of all exams through the tower
    exams: int = 0  # how many those are
    bare_kb: int = 0  # resident memory before the model is loaded
    trainable: int = 0
    peak_kb: int = 0  # maximum of the process, measured by its parent
    wall: float = 0.0


class Clock(TrainerCallback):  # type: ignore[misc]
    """Seconds a step, and the losses that the Trainer logs."""

    def __init__(self, measured: Measured) -> None:
        self._measured, self._began = measured, 0.0

    def on_step_begin(self, *_: Any, **__: Any) -> None:
        """The first micro-batch of a step is about to be computed."""
        self._began = time.perf_counter()

    def on_step_end(self, *_: Any, **__: Any) -> None:
        """The optimiser has stepped."""
        self._measured.seconds.append(time.perf_counter() - self._began)

    def on_log(self, _args: Any, _state: Any, _control: Any, logs: dict[str, float], **__: Any) -> None:
        """A step's loss, not rounded."""
        if "loss" in logs:
            self._measured.losses.append(logs["loss"])


def run_peer(base: Path, data: Path, peer: Peer, folder: Path) -> Measured:
    """Train by the notebook's recipe."""
    measured = Measured(bare_kb=resident_kb())
    began = time.perf_counter()
    model = Gemma3ForConditionalGeneration.from_pretrained(
        base, attn_implementation=peer.attention, dtype=torch.float32
    )
    model.requires_grad_(requires_grad=False)
    processor = AutoProcessor.from_pretrained(base)
    processor.tokenizer.padding_side = "right"
    torch.manual_seed(0)
    tuned = get_peft_model(model, _lora(model, peer))
    measured.trainable = sum(p.numel() for p in tuned.parameters() if p.requires_grad)
    examples = _examples(open_dataset(data), base, data, peer)
    trainer = _trainer(tuned, processor, peer, examples, folder)
    trainer.add_callback(Clock(measured))
    measured.starting = time.perf_counter() - began
    trainer.train()
    return measured


def _lora(model: Any, peer: Peer) -> LoraConfig:
    """The notebook's adapters, or those of them that a variant keeps."""
    language = r"model\.language_model\..*\.(?:q|k|v|o|gate|up|down)_proj"
    return LoraConfig(
        r=peer.rank,
        lora_alpha=peer.alpha,
        lora_dropout=peer.dropout,
        bias="none",
        target_modules="all-linear" if peer.modules == "all-linear" else language,
        task_type="CAUSAL_LM",
        modules_to_save=["lm_head", "embed_tokens"] if peer.saved else None,
    )


def _examples(dataset: Dataset, base: Path, data: Path, peer: Peer) -> list[dict[str, Any]]:
    """Chats with their pictures in memory, as many as the steps take."""
    loaded = load_base(str(base))
    keys = dataset.split("clean").keys("train")
    count = peer.steps * peer.micro_batch_size * peer.accumulate
    if peer.our_order:
        prepared = prepare(Ours(1).recipe(base), DataSource(data, "clean"), data.parent / "cache", _quiet)
        plan = BatchPlan(lengths_of(prepared.train), peer.micro_batch_size * peer.accumulate, 0)
        keys = tuple(prepared.train[i].key for step in range(peer.steps) for i in plan.indices(step))
    made = []
    for i in range(count):
        made.append(_example(dataset.case(keys[i % len(keys)]), dataset.root, loaded.settings))
    return made


def _example(case: Case, root: Path, settings: ModelSettings) -> dict[str, Any]:
    """A chat whose pictures are those that amrg shows, and the report as its answer."""
    there = hanging_order(study_of(case, root))
    images = [to_pil(model_image(frame_for(m, settings.encoding), m.laterality, settings.encoding)) for m in there]
    chat = messages([(m.laterality, m.view) for m in there], images, settings)
    answer = {"role": "assistant", "content": [{"type": "text", "text": case.text.strip()}]}
    return {"messages": [*chat, answer], "images": images}


def _trainer(tuned: Any, processor: Any, peer: Peer, examples: list[dict[str, Any]], folder: Path) -> Trainer:
    """The Trainer, set as the notebook sets it."""
    options: dict[str, Any] = {
        "output_dir": str(folder),
        "max_steps": peer.steps,
        "per_device_train_batch_size": peer.micro_batch_size,
        "gradient_accumulation_steps": peer.accumulate,
        "gradient_checkpointing": peer.checkpointing,
        "gradient_checkpointing_kwargs": {"use_reentrant": False} if peer.checkpointing else None,
        "optim": "adamw_torch_fused",
        "logging_steps": 1,
        "save_strategy": "no",
        "learning_rate": peer.learning_rate,
        "max_grad_norm": 0.3,
        "warmup_steps": peer.warmup_ratio,
        "lr_scheduler_type": peer.lr_scheduler,
        "remove_unused_columns": False,
        "label_names": ["labels"],
        "report_to": [],
        "disable_tqdm": True,
        "use_cpu": True,
        "bf16": False,
        "train_sampling_strategy": "sequential",
    }
    collate = _collator(processor, peer)
    if not peer.trl:
        return Trainer(model=tuned, args=TrainingArguments(**options), train_dataset=examples, data_collator=collate)
    return _by_trl(tuned, processor, options, examples, collate)


def _by_trl(
    tuned: Any, processor: Any, options: dict[str, Any], examples: list[dict[str, Any]], collate: Collate
) -> Trainer:
    """TRL's, which is no dependency of amrg: it is imported where it is asked for."""
    from datasets import Dataset as Table  # type: ignore[import-not-found]  # noqa: PLC0415
    from trl import SFTConfig, SFTTrainer  # noqa: PLC0415

    arguments = SFTConfig(**options, dataset_kwargs={"skip_prepare_dataset": True})
    table = Table.from_list([{"at": i} for i in range(len(examples))])
    return SFTTrainer(
        model=tuned,
        args=arguments,
        train_dataset=table,
        processing_class=processor,
        data_collator=lambda rows: collate([examples[row["at"]] for row in rows]),
    )


def _collator(processor: Any, peer: Peer) -> Collate:
    """The notebook's: text and pictures through the processor in every step; pads and pictures are no labels."""
    numbers = processor.tokenizer.convert_tokens_to_ids
    unlabelled = [numbers(processor.tokenizer.boi_token), numbers(processor.tokenizer.image_token)]
    turn = processor.tokenizer.encode("<start_of_turn>model\n", add_special_tokens=False)

    def collate(examples: list[dict[str, Any]]) -> Any:
        texts = [
            processor.apply_chat_template(e["messages"], add_generation_prompt=False, tokenize=False).strip()
            for e in examples
        ]
        images = [e["images"] for e in examples]
        batch = processor(text=texts, images=images, return_tensors="pt", padding=True, add_special_tokens=False)
        labels = batch["input_ids"].clone()
        labels[labels == processor.tokenizer.pad_token_id] = IGNORE
        for number in unlabelled:
            labels[labels == number] = IGNORE
        if peer.report_only:
            for row, ids in zip(labels, batch["input_ids"].tolist(), strict=True):
                row[: _after(ids, turn)] = IGNORE
        batch["labels"] = labels
        return batch

    return collate


def _after(ids: list[int], turn: list[int]) -> int:
    """Where the model's turn begins to speak."""
    return next(i + len(turn) for i in range(len(ids)) if ids[i : i + len(turn)] == turn)


class Stopwatch:
    """Watches a run of ours."""

    def __init__(self, measured: Measured) -> None:
        self._measured = measured

    def on_step(self, stats: StepStats) -> None:
        """Note it."""
        self._measured.seconds.append(stats.seconds)
        self._measured.losses.append(stats.loss)

    def on_validation(self, _step: int, _value: float) -> bool:
        """Never stops a run."""
        return False


def run_ours(base: Path, data: Path, ours: Ours, folder: Path) -> Measured:
    """Train by amrg's protocol; pictures through the tower first, where the tower is not trained."""
    measured = Measured(bare_kb=resident_kb())
    began = time.perf_counter()
    prepared = _prepared(base, data, ours, folder, measured)
    measured.starting = time.perf_counter() - began - measured.encoding
    tuned = tune(prepared, ours.recipe(base), folder / "run", Stopwatch(measured))
    measured.trainable = tuned.trainable
    return measured


def _prepared(base: Path, data: Path, ours: Ours, folder: Path, measured: Measured) -> PreparedData:
    """What tune takes, from an empty cache; the time from the first picture seen to the last is measured."""
    began: dict[str, float] = {}

    def progress(what: str, done: int, of: int) -> None:
        now = time.perf_counter()
        began.setdefault(what, now)
        if what.startswith("computing") and done == of:
            measured.encoding, measured.exams = now - began["building prompts"], of

    return prepare(ours.recipe(base), DataSource(data, "clean"), folder / "cache", progress)


class SweepWatch:
    """Watches a sweep of ours."""

    def __init__(self, measured: Measured) -> None:
        self._measured = measured

    def progress(self, _what: str, _done: int, _count: int) -> None:
        """Nothing."""

    def started(self, _trial: Trial) -> Stopwatch:
        """The steps of every trial are noted, one trial after the other."""
        return Stopwatch(self._measured)

    def ended(self, trial: Trial) -> None:
        """Counts those that finished."""
        self._measured.exams += trial.status is TrialStatus.FINISHED


def run_sweep(base: Path, data: Path, options: OurSweep, folder: Path) -> Measured:
    """Run a whole sweep; `exams` is the number of trials that finished."""
    measured = Measured(bare_kb=resident_kb())
    run_trials(SweepConfig(options.sweep(base), DataSource(data, "clean"), folder / "sweep"), SweepWatch(measured))
    return measured


def _quiet(_what: str, _done: int, _of: int) -> None:
    """Says nothing."""


def resident_kb() -> int:
    """What this process holds now, kB; its most so far would be that of the process that started it."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize() // KB


def main() -> None:
    """`KIND OPTIONS BASE DATA FOLDER`: one run; prints what was measured as the last line."""
    kind, options, base, data, folder = sys.argv[1], json.loads(sys.argv[2]), *map(Path, sys.argv[3:6])
    torch.set_num_threads(THREADS)
    if kind == "peer":
        measured = run_peer(base, data, Peer(**options), folder)
    elif kind == "sweep":
        measured = run_sweep(base, data, OurSweep(**options), folder)
    else:
        measured = run_ours(base, data, Ours(**options), folder)
    sys.stdout.write(json.dumps(asdict(measured)) + "\n")


if __name__ == "__main__":
    main()
