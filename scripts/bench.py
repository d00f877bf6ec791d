"""Run every comparison with a peer, one after another on this machine, and write one page: `make bench`.

Each comparison is a script of its own that prints lines `ratio NAME VALUE SPREAD`. The page has all of them with what
they were measured on, and below each the script's own output. Nothing here is a test: figures belong to a machine.
"""

from __future__ import annotations

import argparse
import platform
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from markdown_page import table

from amrg.core.cores import available_cores
from amrg.core.files import atomic_write
from amrg.core.plurals import counted
from amrg.models.checkpoint import EMBEDDED, folder_hash

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "bench.md"
RATIO = re.compile(r"^ratio (\S+) (\S+) ?(.*)$", re.MULTILINE)
LIBRARIES = ("torch", "transformers", "onnxruntime", "peft", "pydicom", "numpy")


@dataclass(frozen=True)
class Comparison:
    """A script with its arguments, and what it compares."""

    script: str
    what: str
    arguments: tuple[str, ...] = ()


COMPARISONS = (
    Comparison("bench_one_study.py", "one exam at a time, against transformers' `generate`"),
    Comparison("bench_bulk.py", "many studies from their files, against transformers in batches"),
    Comparison("bench_reading.py", "reading and presenting eight CBIS-DDSM files, against pydicom one after another"),
    Comparison("bench_scoring.py", "scoring 10,000 pairs, against rouge-score and pycocoevalcap"),
    Comparison("bench_training.py", "fine-tuning and a sweep, against Google's notebook (Trainer and PEFT)"),
)


@dataclass(frozen=True)
class Measured:
    """What a comparison printed, its exit status, and how long it took."""

    comparison: Comparison
    output: str
    status: int
    minutes: float

    @property
    def ratios(self) -> list[tuple[str, str, str]]:
        """Name, value and spread of every ratio that it printed."""
        return [(found[1], found[2], found[3].removeprefix("# ")) for found in RATIO.finditer(self.output)]


def measure(comparison: Comparison) -> Measured:
    """Run one comparison; its errors go to this process's."""
    began = time.perf_counter()
    command = [sys.executable, str(ROOT / "scripts" / comparison.script), *comparison.arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False, cwd=ROOT)
    return Measured(comparison, done.stdout, done.returncode, (time.perf_counter() - began) / 60)


def page(measured: Sequence[Measured], on: str) -> str:
    """The page: a table of ratios, then each comparison's own output."""
    return "\n".join(_lines(measured, on)) + "\n"


def _lines(measured: Sequence[Measured], on: str) -> Iterator[str]:
    yield from ("# Against others, side by side", "", f"`make bench`, {on}.", "")
    yield "A ratio above 1 says that amrg needs less time or memory than the peer for the same result."
    yield ""
    ratios = (
        (*ratio, one.comparison.what)
        for one in measured
        for ratio in one.ratios or [("none", "failed", f"exit status {one.status}")]
    )
    yield from table(("ratio", "value", "spread", "compared"), ratios)
    for one in measured:
        yield from ("", f"## {one.comparison.what[0].upper()}{one.comparison.what[1:]}", "")
        yield from (
            f"`python scripts/{one.comparison.script}`, {counted(max(1, round(one.minutes)), 'minute')}.",
            "",
            "```text",
        )
        yield from (one.output.strip(), "```")


def machine() -> str:
    """Date, processor, cores of this process, the embedded model's weights and versions, as the page states them."""
    cpuinfo = Path("/proc/cpuinfo")
    found = re.search(r"model name\s*: (.*)", cpuinfo.read_text(encoding="utf-8")) if cpuinfo.is_file() else None
    versions = ", ".join(f"{name} {version(name)}" for name in LIBRARIES)
    cores = available_cores()
    processor = found[1] if found else platform.processor()
    return f"{time.strftime('%Y-%m-%d')}, {cores} cores of {processor}, weights {folder_hash(EMBEDDED)[:8]}, {versions}"


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure all, or those named, print the ratios, and write the page where all were measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="scripts to run, such as bench_one_study.py; all by default")
    parser.add_argument("--out", type=Path, help=f"the page (default: docs/{PAGE.name} where all are run)")
    given = parser.parse_args(arguments)
    chosen = [one for one in COMPARISONS if not given.names or one.script in given.names]
    measured = []
    for comparison in chosen:
        sys.stderr.write(f"{comparison.script}: {comparison.what}\n")
        measured.append(measure(comparison))
        for ratio in measured[-1].ratios:
            sys.stdout.write(f"ratio {' '.join(ratio)}\n")
            sys.stdout.flush()
    out = given.out or (PAGE if len(chosen) == len(COMPARISONS) else None)
    if out is not None:
        with atomic_write(out) as partial:
            partial.write_text(page(measured, machine()), encoding="utf-8")
    if any(one.status or not one.ratios for one in measured):
        raise SystemExit("a comparison failed: " + ", ".join(one.comparison.script for one in measured if one.status))


if __name__ == "__main__":
    main()
