"""Parse long adversarial texts, each in a process of its own with a hard limit: `make fuzz-parsing`.

A text is one to three fragments repeated up to 100,000 characters, some after the opening of a container. Regular
expressions make no calls that a test could count, so one that backtracks without end shows here: as a text that did
not end. Prints each such text, or exception, with its seed, and ends with 1 if there was any.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Sequence
from multiprocessing import TimeoutError as PoolTimeout
from multiprocessing import get_context

from amrg.birads import parse

LENGTH = 100_000
LIMIT = 120  # seconds: hundreds of times what the slowest needs
OPENINGS = ["", "", "", "{\\rtf1 ", "OBX|1|TX|a|b|", "<table>", "FINDINGS: ", "IMPRESSION: ", "BI-RADS "]
FRAGMENTS = [
    " ", "\n", "\t", "1", "12 ", "1,2 x ", "(", ")", "[ ] ", "[x] ", "BI-RADS ", "BI-RADS 4 ", "BI-RADS\n",
    "category ", "4 (", "4.a", "2/6 ", "-> 2 ", "3 - ", "density ", "ACR density type ", "50-75 % ", "> 75 % ",
    "| Right | Left |\n", "| BI-RADS | x |\n", "Right  Left\n", "R: ", "R1 L2 ", "right M4 ", "ultrasound ",
    "Ultrasound: BI-RADS 3. ", "MRI\n", "{\\*", "{}", "\\'a0", "\\u8209?", "OBX|", "<td>", "<td ", "</", "&#",
    "&amp;", "\\X20\\", "ADDENDUM ", "if ", "not ", "mass ", "masses: a mass ", "suspicious ",
    "BI-RADS 2: suspicious ", "from 2021 was BI-RADS 2 and ", "outside ", "B.I.R.", "b i r a d s ", "\u0412I ",
    "\xe2\u20ac", "\xe9 ", "\xbd", "~a", "\r", "1 negative ", "upper outer ", "3/4/2024 ", "March 4, ",
    "10 o'clock ", ":", ",", "-", "/", ".",
]  # fmt: skip


def text_of(seed: int) -> str:
    """The adversarial text of a seed."""
    rng = random.Random(seed)
    piece = "".join(rng.choices(FRAGMENTS, k=rng.randint(1, 3)))
    return rng.choice(OPENINGS) + piece * (LENGTH // len(piece))


def size_of(seed: int) -> int:
    """Parse the text of a seed; the number of facts read."""
    return len(parse(text_of(seed)).facts)


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the texts of all seeds, and name those that fail or do not end."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--first", type=int, default=0, help="first seed")
    given = parser.parse_args(arguments)
    failed = 0
    pool = get_context("spawn").Pool(1)
    for seed in range(given.first, given.first + given.count):
        try:
            pool.apply_async(size_of, (seed,)).get(LIMIT)
        except PoolTimeout:
            failed += 1
            sys.stdout.write(f"seed {seed}: {text_of(seed)[:60]!r}... did not end in {LIMIT} s\n")
            pool.terminate()
            pool = get_context("spawn").Pool(1)
        except Exception as error:
            failed += 1
            sys.stdout.write(f"seed {seed}: {text_of(seed)[:60]!r}... raised {error!r}\n")
    pool.terminate()
    sys.stdout.write(f"{given.count} texts of {LENGTH:,} characters, {failed} failed\n")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
