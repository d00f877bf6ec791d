"""Time the parser: reports a second, also of an earlier commit, and how its time grows with the length of odd texts.

Run from the repository's root: `make bench-parsing`, or `python scripts/bench_parsing.py --against COMMIT`. The
reports are the real ones of DMID where `../shared` has them, else rendered from drawn exams. Seconds are the
processor's. The two commits take turns, each in processes of its own, so that a busy machine slows both alike.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from checkout import ROOT, checkout
from dmid_data import DMID, dmid_reports

from amrg.birads import Style, parse, render
from amrg.phantom import SCREENING, Size, draw_exam

ODD = ("mass ", "no ", "(", "upper outer ", "9", "BI-RADS 4a, ", "a", "mass\n", "a : b ", "with spiculated margin and ")
LENGTH = 40_000  # characters of an odd text, and twice as many


def reports(count: int) -> tuple[str, list[str]]:
    """Where the reports come from, and their texts."""
    if DMID.is_dir():
        return "real reports of DMID", list(dmid_reports().values())
    truths = (draw_exam(seed, Size.SMALL, SCREENING).truth for seed in range(count))
    return "reports rendered from drawn exams", [render(truth, Style.CLINICAL) for truth in truths]


def seconds(texts: Sequence[str]) -> float:
    """Processor seconds of parsing texts one by one."""
    began = time.process_time()
    for text in texts:
        parse(text)
    return time.process_time() - began


RATE = """
import json, sys, time
from amrg.birads import parse
texts = json.load(sys.stdin)
for text in texts:
    parse(text)
began = time.process_time()
for text in texts * 3:
    parse(text)
print(3 * len(texts) / (time.process_time() - began))
"""


def rate(root: Path, texts: Sequence[str]) -> float:
    """Reports a second of the parser in a checkout, in a process of its own that has read them once before."""
    environment = {**os.environ, "PYTHONPATH": str(root / "src")}
    command = [sys.executable, "-c", RATE]
    done = subprocess.run(command, input=json.dumps(texts), env=environment, capture_output=True, text=True, check=True)
    return float(done.stdout)


def compare(commit: str, texts: Sequence[str], repeats: int) -> str:
    """One line: the ratio to an earlier commit, of runs in turn."""
    with checkout(commit) as earlier:
        pairs = [(rate(ROOT, texts), rate(earlier, texts)) for _ in range(repeats)]
    ratios = sorted(now / before for now, before in pairs)
    now, before = (median(values) for values in zip(*pairs, strict=True))
    return (
        f"figure parser_speed_against_{commit} {median(ratios):.2f} {repeats} {ratios[0]:.2f} {ratios[-1]:.2f}  "
        f"# {now:.0f} and {before:.0f} reports a second\n"
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Print reports a second (median, range, repeats), then the growth of odd texts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--count", type=int, default=200, help="reports to render where there are no real ones")
    parser.add_argument("--against", metavar="COMMIT", help="an earlier commit to run in turn with this one")
    given = parser.parse_args(arguments)
    source, texts = reports(given.count)
    seconds(texts[:20])
    rates = sorted(len(texts) / seconds(texts) for _ in range(given.repeats))
    sys.stdout.write(
        f"figure parser_reports_a_second {median(rates):.0f} {len(texts)}  # {source}; median of {given.repeats} "
        f"repeats, {rates[0]:.0f} to {rates[-1]:.0f}; one process\n"
    )
    if given.against is not None:
        sys.stdout.write(compare(given.against, texts, given.repeats))
    for pattern in ODD:
        text = pattern * (LENGTH // len(pattern))
        one, two = seconds([text]), seconds([text * 2])
        sys.stdout.write(f"{pattern!r:32} {len(text):,} characters {one:.2f} s, twice as many {two:.2f} s\n")


if __name__ == "__main__":
    main()
