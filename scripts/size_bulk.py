"""Cost and time a study from 100 to 10,000 studies, and what ten million a year need: `docs/sizing.md`.

Run from the repository's root on an otherwise idle machine: `make sizing`, or `python scripts/size_bulk.py`. The
studies are drawn exams, each written many times under new UIDs. Every size is drafted by a process of its own, as
`amrg report FOLDER` does it.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pydicom
from markdown_page import table

from amrg.core.attempts import new_session
from amrg.core.cores import available_cores
from amrg.core.files import atomic_write
from amrg.generation import DraftOptions
from amrg.generation.bulk.drafting import BulkOptions
from amrg.generation.bulk.index import StudyIndex
from amrg.generation.bulk.processes import WorkerPlan, WorkerReady, draft_in_processes
from amrg.generation.engines.loading import load_engine
from amrg.imaging.containers import walk_files
from amrg.imaging.scanning import scan_file
from amrg.phantom import Size, draw_exam, write_exam

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "sizing.md"
FIRST_SEED = 2_300_000  # above every seed that the model was trained, chosen or measured with
YEAR = 365 * 24 * 3600  # seconds
STUDIES = 10_000_000  # a year
PEAK = 3  # the busiest hour of a week against its mean
KIB = 2**10
_COLUMNS = (
    "exams",
    "studies",
    "scan of headers, ms a study",
    "seconds a study",
    "core-seconds a study",
    "memory of the command, MiB",
    "of a worker, MiB",
    "KiB written a study",
)


@dataclass(frozen=True)
class Sized:
    """What drafting a number of studies took: seconds to scan and to draft, peak bytes of memory, bytes written."""

    what: str
    studies: int
    scan: float
    draft: float
    parent: int
    worker: int
    written: int

    @property
    def each(self) -> float:
        """Seconds a study on the clock."""
        return (self.scan + self.draft) / self.studies


def copy_studies(drawn: Path, folder: Path, count: int, shrink: int) -> None:
    """Write drawn exams over and over, each time as a new study of a new patient, every `shrink`-th pixel of them."""
    exams = [[pydicom.dcmread(path) for path in sorted(one.glob("*.dcm"))] for one in sorted(drawn.iterdir())]
    for views in exams:
        for ds in views if shrink > 1 else ():
            pixels = ds.pixel_array[::shrink, ::shrink]
            ds.Rows, ds.Columns = pixels.shape
            ds.ImagerPixelSpacing = [float(value) * shrink for value in ds.ImagerPixelSpacing]
            ds.PixelData = pixels.tobytes()
    for number in range(count):
        target = folder / f"{number // 1000:03d}" / f"{number:06d}"
        target.mkdir(parents=True)
        for view, ds in enumerate(exams[number % len(exams)]):
            ds.StudyInstanceUID, ds.PatientID = f"2.25.{10**9 + number}", f"SIZE{number}"
            ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = f"2.25.{10**12 + 10 * number + view}"
            ds.save_as(target / f"{view}.dcm")


def measure(source: Path, out: Path) -> dict[str, Any]:
    """Draft a folder in this process's workers; numbers of `Sized` by name."""
    began = time.perf_counter()
    with closing(StudyIndex(map(scan_file, walk_files(source)))) as index:
        scan = time.perf_counter() - began
        plan = WorkerPlan(partial(load_engine, None), BulkOptions(out, ("text", "json"), DraftOptions()), new_session())
        done = 0
        for message in draft_in_processes(index.tasks(), plan, available_cores()):
            if isinstance(message, WorkerReady):
                began = time.perf_counter()
            else:
                done += len(message.record.rows)
        draft = time.perf_counter() - began
    peak = {
        name: resource.getrusage(who).ru_maxrss * KIB
        for name, who in (("parent", resource.RUSAGE_SELF), ("worker", resource.RUSAGE_CHILDREN))
    }
    written = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
    return {"studies": done, "scan": scan, "draft": draft, "written": written, **peak}


def sized(what: str, source: Path) -> Sized:
    """Measure a folder in a process of its own."""
    with tempfile.TemporaryDirectory(dir=source.parent) as out:
        command = [sys.executable, __file__, "--measure", str(source), out]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        return Sized(what, **json.loads(done.stdout.splitlines()[-1]))


def page(rows: Sequence[Sized], full: Sized) -> str:
    """The page."""
    return "\n".join(_lines(rows, full)) + "\n"


def _cells(row: Sized, cores: int) -> list[str]:
    """A row of the table."""
    seconds = [f"{row.each:.3f}", f"{row.each * cores:.3f}"]
    memory = [f"{row.parent / 2**20:.0f}", f"{row.worker / 2**20:.0f}"]
    scan, written = 1000 * row.scan / row.studies, row.written / row.studies / KIB
    return [row.what, f"{row.studies:,}", f"{scan:.1f}", *seconds, *memory, f"{written:.1f}"]


def _lines(rows: Sequence[Sized], full: Sized) -> Iterator[str]:
    cores = available_cores()
    yield from ("# Sizing", "")
    yield f"Made by `make sizing` on {platform.machine()}, {cores} cores, no accelerator, with the embedded model, text"
    yield "and JSON written. Exams are drawn; each is repeated under new UIDs. Full-size exams are counted apart, since"
    yield "most of their time goes into their pixels."
    yield ""
    yield from table(_COLUMNS, (_cells(row, cores) for row in (*rows, full)))
    first = rows[0]
    yield ""
    for row in rows[1:]:
        changes = [_change(one, other) for one, other in _compared(row, first)]
        yield (
            f"From {first.studies:,} to {row.studies:,} studies: time a study {changes[0]}, memory of the command "
            f"{changes[1]}, of a worker {changes[2]}."
        )
    yield from ("", "## Ten million studies a year", "")
    yield from _year(full, full.each * cores)
    yield ""
    yield "Cores of other machines differ: run the script on yours. A larger model is measured with its own engine, and"
    yield "its accelerators take the place of cores in the same arithmetic."


def _compared(row: Sized, first: Sized) -> Iterator[tuple[float, float]]:
    yield from ((row.each, first.each), (row.parent, first.parent), (row.worker, first.worker))


def _change(one: float, other: float) -> str:
    return f"{100 * (one / other - 1):+.0f} %"


def _year(full: Sized, needed: float) -> Iterator[str]:
    """What a year's studies need, of full-size exams with `needed` core-seconds each."""
    rate = STUDIES / YEAR
    workers = math.ceil(rate * PEAK * needed)
    each = full.written / full.studies
    yield f"- Rate: {STUDIES:,} / {YEAR:,} s = {rate:.3f} studies a second."
    yield f"- Busiest hour: {PEAK} x {rate:.3f} = {PEAK * rate:.3f} studies a second."
    yield f"- Cores on average: {rate:.3f} x {needed:.2f} core-seconds = {rate * needed:.2f}."
    yield f"- Cores in the busiest hour: {PEAK * rate:.3f} x {needed:.2f} = {rate * PEAK * needed:.2f}, so {workers}."
    yield f"- Memory: {workers} workers x {full.worker / 2**20:.0f} MiB = {workers * full.worker / 2**30:.1f} GiB."
    yield f"- Reports: {STUDIES:,} x {each / KIB:.1f} KiB = {STUDIES * each / 2**30:.0f} GiB a year."
    days = STUDIES * needed / 100 / 86400
    yield f"- All in one run on 100 cores: {STUDIES:,} x {needed:.2f} s / 100 / 86,400 = {days:.1f} days."


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure all sizes and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[100, 1000, 10_000])
    parser.add_argument("--drawn", type=int, default=200, help="exams that are drawn and repeated")
    parser.add_argument("--full", type=int, default=20, help="full-size exams")
    parser.add_argument("--shrink", type=int, default=3, help="every so many-th pixel: 10,000 studies then take 2.6 GB")
    parser.add_argument("--page", type=Path, default=PAGE)
    parser.add_argument("--measure", nargs=2, type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.measure:
        sys.stdout.write(json.dumps(measure(*given.measure)) + "\n")
        return
    with tempfile.TemporaryDirectory() as name:
        small, full = Path(name) / "small", Path(name) / "full"
        for folder, count, size in ((small, given.drawn, Size.SMALL), (full, given.full, Size.FULL)):
            for seed in range(FIRST_SEED, FIRST_SEED + count):
                write_exam(draw_exam(seed, size), folder / str(seed))
        rows = []
        for count in given.sizes:
            copies = Path(name) / "copies"
            copy_studies(small, copies, count, given.shrink)
            rows.append(sized("small", copies))
            shutil.rmtree(copies)
            sys.stdout.write(f"{rows[-1]}\n")
        text = page(rows, sized("full-size", full))
    with atomic_write(given.page) as partial_page:
        partial_page.write_text(text, encoding="utf-8")
    sys.stdout.write(text + f"load {os.getloadavg()[0]:.1f}\n")


if __name__ == "__main__":
    main()
