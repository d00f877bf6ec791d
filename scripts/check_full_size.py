"""Published shapes at their full size on this machine: loaded, one report drafted, one LoRA step, peak memory stated.

Run from the repository's root: `make check-full-size`, or `python scripts/check_full_size.py FOLDER`.
Every shape is written as a checkpoint of random bfloat16 weights under the names of the published files
(`tests/models/published`), loaded by `load_model`, and taken through one draft of four views and one optimiser step
with the code of `amrg report` and `amrg train`, each in a process of its own. What a model of random weights writes
means nothing: the check is that it fits, and what it takes. Writes `docs/full-size.md`.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from full_size_shapes import NEW_TOKENS, REPORT, Shape, write_shape

from amrg.core.files import write_text
from amrg.core.memory import available_memory
from amrg.datasets import Split, import_dataset, importer_of, open_dataset, study_of
from amrg.generation import draft_report
from amrg.generation.engines.local import local_engine
from amrg.models.load import load_model
from amrg.phantom import SCREENING, Size, draw_set
from amrg.training.callbacks import StepStats
from amrg.training.data.prepared import DataSource, prepare
from amrg.training.loop.tuning import tune
from amrg.training.recipe import Precision, Recipe, Validation

SHAPES = ("google/medgemma-4b-it", "Qwen/Qwen2.5-VL-3B-Instruct", "microsoft/Phi-3.5-vision-instruct")
PAGE = Path("docs/full-size.md")
NEEDED = 14e9
"""Bytes that must be free: the weights, and what a step takes beside them."""
EXAMS = 2
PROCESSES = ("write", "draft", "step")
GB = 1e9


@dataclass(frozen=True)
class Taken:
    """What a process took: seconds of its parts by name, peak resident memory in bytes, what it computed."""

    seconds: dict[str, float]
    peak: int
    facts: dict[str, Any]


def write_exams(folder: Path) -> DataSource:
    """Drawn exams of four views with short reports, and a split of one exam to learn and one to watch."""
    raw = folder / "raw"
    rows = []
    for number, exam in enumerate(draw_set(EXAMS, 7, raw / "drawn", Size.SMALL, SCREENING, 1)):
        files = sorted(path.relative_to(raw).as_posix() for path in exam.folder.glob("*.dcm"))
        rows.append({"id": str(number), "files": ";".join(files), "text": f"{REPORT} Case {number}."})
    with (raw / "cases.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, ["id", "files", "text"])
        table.writeheader()
        table.writerows(rows)
    for _ in import_dataset(importer_of("generic"), raw, folder / "data"):
        pass
    dataset = open_dataset(folder / "data")
    first, second = dataset.keys()
    made = Split(
        schema=1,
        name="two",
        version=1,
        seed=None,
        rule="one exam a part",
        dataset=dataset.info.name,
        dataset_hash=dataset.info.hash,
        train=(first,),
        validation=(second,),
        test=(),
    )
    dataset.write_split(made)
    return DataSource(folder / "data", "two")


def draft_one(model: Path, source: DataSource) -> Taken:
    """Load a model as `amrg report` does, and draft the report of one exam."""
    clock = Clock()
    loaded = load_model(str(model))
    clock.lap("load")
    engine = local_engine(loaded)
    dataset = open_dataset(source.data)
    draft = draft_report(study_of(dataset.case(dataset.keys()[0]), dataset.root), engine)
    clock.lap("report")
    facts = {"dtype": str(loaded.model.dtype).removeprefix("torch."), "notes": loaded.notes, "banner": draft.banner}
    return Taken(clock.seconds, peak_bytes(), facts)


class Clock:
    """Seconds between laps."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._began = time.perf_counter()

    def lap(self, name: str) -> None:
        """End a lap."""
        now = time.perf_counter()
        self.seconds[name], self._began = now - self._began, now


class Steps:
    """Keeps what a run says of its steps."""

    def __init__(self) -> None:
        self.steps: list[StepStats] = []

    def on_step(self, stats: StepStats) -> None:
        """Keep it."""
        self.steps.append(stats)

    def on_validation(self, _step: int, _value: float) -> bool:
        """Never stops a run."""
        return False


def step_once(model: Path, source: DataSource, folder: Path, precision: Precision = Precision.BFLOAT16) -> Taken:
    """Prepare two exams and run one LoRA step of one exam, with the validation after it, as `amrg train` does."""
    clock, steps = Clock(), Steps()
    recipe = Recipe(
        base=str(model),
        steps=1,
        batch_size=1,
        micro_batch_size=1,
        precision=precision,
        gradient_checkpointing=True,
        warmup_ratio=0.0,
        validation=Validation(every=1, cases=1),
    )
    prepared = prepare(recipe, source, folder / "cache", lambda _what, _done, _of: None)
    clock.lap("load and encode two exams")
    tuned = tune(prepared, recipe, folder / "run", steps)
    clock.lap("run of one step")
    (step,) = steps.steps
    clock.seconds["step"] = step.seconds
    facts = {
        "loss": step.loss,
        "grad_norm": step.grad_norm,
        "tokens": step.tokens,
        "trainable": tuned.trainable,
        "peak_until_step": step.peak_bytes,
    }
    return Taken(clock.seconds, peak_bytes(), facts)


def peak_bytes() -> int:
    """The most memory that this process held, memory-mapped files included (VmHWM)."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) * 1024


def free_bytes() -> int:
    """Memory that a new process may take."""
    lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    return int(next(line for line in lines if line.startswith("MemAvailable")).split()[1]) * 1024


def check(shape: Shape, folder: Path) -> dict[str, Any]:
    """One shape: written, drafted with and trained in processes of their own, removed; what it took."""
    model, room = folder / shape.label, folder / f"{shape.label}-run"
    for old in (model, room):
        shutil.rmtree(old, ignore_errors=True)
        old.mkdir(parents=True)
    found: dict[str, Any] = {"name": shape.name, "images": shape.images}
    for what in PROCESSES:
        if free_bytes() < NEEDED:
            raise SystemExit(f"{free_bytes() / GB:.1f} GB of memory are free; expected {NEEDED / GB:.0f}: run it later")
        given = [sys.executable, __file__, "--process", what, shape.name, str(model), str(room)]
        done = subprocess.run(given, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"{shape.label}: {what} left with {done.returncode}\n{done.stderr[-3000:]}")
        found[what] = json.loads(done.stdout.splitlines()[-1])
        sys.stdout.write(f"{shape.label} {what}: {json.dumps(found[what])}\n")
        sys.stdout.flush()
    for old in (model, room):
        shutil.rmtree(old)
    return found


def one_process(what: str, shape: Shape, model: Path, room: Path) -> Taken:
    """What one of `PROCESSES` does."""
    source = DataSource(room / "data", "two")
    if what == "draft":
        return draft_one(model, source)
    if what == "step":
        return step_once(model, source, room)
    clock = Clock()
    write_shape(shape, model)
    write_exams(room)
    clock.lap("write")
    written = sum(file.stat().st_size for file in model.glob("*.safetensors"))
    return Taken(clock.seconds, peak_bytes(), {"bytes": written})


def page(results: Sequence[dict[str, Any]]) -> str:
    """The record as a page."""
    rows = []
    for r in results:
        written, draft, step = r["write"], r["draft"], r["step"]
        rows.append(
            f"| {r['name']} | {written['facts']['bytes'] / GB:.1f} | 4 x {r['images']} "
            f"| {draft['seconds']['load']:.0f} | {draft['seconds']['report']:.0f} | {draft['peak'] / GB:.1f} "
            f"| {step['facts']['tokens']} | {step['seconds']['step']:.0f} | {step['peak'] / GB:.1f} |"
        )
    processor = next(
        line.split(":")[1].strip()
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        if line.startswith("model name")
    )
    return f"""# Full-size models

`make check-full-size` writes each published shape with random bfloat16 weights under the names of its published files,
loads it as `amrg report` does, drafts one report of four views ({NEW_TOKENS} tokens at most), and runs one LoRA step
(rank 16, one exam, gradient checkpointing) with the validation after it as `amrg train` does. Each is a process of its
own; its peak is the most memory that it held, memory-mapped weight files included (VmHWM). What a model of
random weights writes means nothing: this shows that the published sizes fit, and what they take. One run each, on
{torch.get_num_threads()} threads of an {processor} with {available_memory() / GB:.0f} GB, torch {torch.__version__};
load average at the end {os.getloadavg()[0]:.0f}.

| shape | weights, GB | images, pixels | load, s | report, s | peak, GB | exam, tokens | step, s | peak, GB |
|---|---:|---|---:|---:|---:|---:|---:|---:|
{chr(10).join(rows)}

On a CPU a model is computed in float32, unless its weights would take more than half of the machine's memory: then in
bfloat16, and `amrg report` says so. Training computes in the recipe's `precision`: these steps had `bfloat16`.
"""


def main(arguments: Sequence[str] | None = None) -> None:
    """Check the shapes, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", default=Path("out/full-size"), help="needs 10 GB of disk")
    parser.add_argument("--shape", action="append", choices=SHAPES, help="only this one; the page keeps the others")
    parser.add_argument("--process", nargs=4, metavar=("WHAT", "SHAPE", "MODEL", "ROOM"), help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.process:
        what, name, model, room = given.process
        taken = one_process(what, Shape.published(name), Path(model), Path(room))
        sys.stdout.write(json.dumps(asdict(taken)) + "\n")
        return
    kept = given.folder / "results.json"
    results = json.loads(kept.read_text(encoding="utf-8")) if kept.is_file() else {}
    for name in given.shape or SHAPES:
        results[name] = check(Shape.published(name), given.folder)
        write_text(kept, [json.dumps(results, indent=1)])
    write_text(PAGE, [page([results[name] for name in SHAPES if name in results]).rstrip("\n")])


if __name__ == "__main__":
    main()
