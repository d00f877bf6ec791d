"""Time the parser: reports a second, and how its time grows with the length of odd texts.

Run from the repository's root: `make bench-parsing`, or `python scripts/bench_parsing.py`. The reports are the real
ones of DMID where `../shared` has them, else rendered from drawn exams. Seconds are the processor's.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from statistics import median

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


def main(arguments: Sequence[str] | None = None) -> None:
    """Print reports a second (median, range, repeats), then the growth of odd texts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--count", type=int, default=200, help="reports to render where there are no real ones")
    given = parser.parse_args(arguments)
    source, texts = reports(given.count)
    seconds(texts[:20])
    rates = sorted(len(texts) / seconds(texts) for _ in range(given.repeats))
    sys.stdout.write(
        f"figure parser_reports_a_second {median(rates):.0f} {len(texts)}  # {source}; median of {given.repeats} "
        f"repeats, {rates[0]:.0f} to {rates[-1]:.0f}; one process\n"
    )
    for pattern in ODD:
        text = pattern * (LENGTH // len(pattern))
        one, two = seconds([text]), seconds([text * 2])
        sys.stdout.write(f"{pattern!r:32} {len(text):,} characters {one:.2f} s, twice as many {two:.2f} s\n")


if __name__ == "__main__":
    main()
