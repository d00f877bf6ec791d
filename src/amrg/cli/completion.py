"""Values of options for the shell's completion. It imports nothing heavy: a test holds them equal to their sources."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import typer

Completion = Callable[[], list[str]]
ListCompletion = Callable[[str], list[str]]


def one_of(*values: str) -> Completion:
    """One of some values."""

    def complete() -> list[str]:
        return list(values)

    return complete


def some_of(*values: str) -> ListCompletion:
    """Some of the values, each once, separated by commas: `text,` is completed to `text,json`."""

    def complete(incomplete: str) -> list[str]:
        chosen = incomplete.split(",")[:-1]
        return [",".join([*chosen, value]) for value in values if value not in chosen]

    return complete


STYLES = one_of("clinical", "dmid", "impression-first", "cesm")
ANSWERS = one_of("findings-first", "narrative")
FACILITIES = one_of("us")
MASTECTOMIES = one_of("right", "left", "both")
REPORT_FORMATS = some_of("text", "json", "png")
DELIVERED_FORMATS = some_of("sr", "measurements", "cad", "pdf", "fhir", "hl7")
SIZES = one_of("full", "small")
POPULATIONS = one_of("screening", "rich", "shifted")
TARGET_TEXTS = one_of("published", "clinical", "dmid", "impression-first", "cesm")
TRACKERS = some_of("wandb", "mlflow", "tensorboard", "none")
SCORE_TEXTS = one_of("clinical", "dmid", "impression-first", "cesm", "model")
PARTS = one_of("train", "validation", "test")
TABLE_FORMATS = one_of("markdown", "latex")
ENGINES = one_of("local", "vllm", "openai:http://localhost:8000/v1")
JOB_STATES = one_of("waiting", "running", "done", "dead")
JOB_KINDS = one_of("draft", "deliver", "storage commitment", "pull")
EXPORT_FORMS = one_of("parquet", "jsonl", "radeval")
ROLES = one_of("reader", "administrator", "service")
STUDY_STATES = one_of("receiving", "waiting", "drafted", "signed", "not drafted", "patient conflict", "failed")
DATA_SETS = one_of(
    *("cbis-ddsm", "cdd-cesm", "cmmd", "dmid", "embed", "generic", "inbreast", "kau-bcmd", "mini-mias", "phantom"),
    *("rsna", "vindr-mammo"),
)
MODEL_NAMES = (
    "amrg-embedded",
    *("google/medgemma-4b-it", "google/medgemma-1.5-4b-it", "google/medgemma-27b-it"),
    *("Qwen/Qwen2.5-VL-3B-Instruct", "Qwen/Qwen2.5-VL-7B-Instruct"),
    *("Qwen/Qwen3-VL-4B-Instruct", "Qwen/Qwen3-VL-8B-Instruct", "microsoft/Phi-3.5-vision-instruct"),
    *("HuggingFaceTB/SmolVLM2-500M-Video-Instruct", "HuggingFaceTB/SmolVLM2-256M-Video-Instruct"),
)
SPLIT_RULES = one_of("clean", "published", "all-test", "image-407-51-52", "last-52")


def stored_splits(ctx: typer.Context) -> list[str]:
    """The splits of the data set that the command line already names; without one, the rules that make splits."""
    for name in ("data", "references", "folder"):
        given = ctx.params.get(name)
        if given is not None and (found := sorted(p.stem for p in (Path(given) / "splits").glob("*.json"))):
            return found
    return SPLIT_RULES()


def models(incomplete: str) -> list[str]:
    """The models that amrg knows, and the folders that begin so."""
    folder, _, beginning = incomplete.rpartition("/")
    place = Path(f"{folder}/").expanduser() if folder or incomplete.startswith("/") else Path()
    folders = [p.name for p in place.iterdir() if p.is_dir() and p.name.startswith(beginning)] if place.is_dir() else []
    stem = incomplete[: len(incomplete) - len(beginning)]
    return [*MODEL_NAMES, *(f"{stem}{name}/" for name in sorted(folders) if beginning or not name.startswith("."))]
