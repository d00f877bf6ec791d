"""Where the time of reading one exam goes, and its memory: `make profile-reading`; `--folder` for exams of your own.

Exams are drawn, or studies of a folder read; each is read and prepared as `amrg report` does before the model. Times
are medians over exams and repeats with nothing cached, by the clock and of the processor. The profile is of one thread.
"""

from __future__ import annotations

import argparse
import cProfile
import os
import pstats
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from memory import peak_mib

from amrg.core.processes import ProcessPool
from amrg.generation.views import prepare_views
from amrg.imaging import hanging_order, read_studies
from amrg.imaging.header import clear_headers
from amrg.imaging.pixels.decoding import read_image
from amrg.models.views import Channels, Hanging, ViewEncoding
from amrg.phantom import Size, draw_exam, write_exam

ENCODING = ViewEncoding(size=512, channels=Channels.LAYERS, hanging=Hanging.CHEST_WALL_LEFT)
LINES = 16


def run(folder: Path) -> tuple[float, float]:
    """Read one exam and prepare its views; the clock between, and after."""
    read_image.cache_clear()
    clear_headers()
    for study in read_studies(folder).studies:
        read = time.perf_counter()
        prepare_views(hanging_order(study), ENCODING)
    return read, time.perf_counter()


def measure(name: str, exams: Sequence[Path], repeats: int) -> None:
    """Print the times of exams, and how far memory grew above what the process had before."""
    run(exams[0])
    reading, preparing, processor = [], [], []
    for exam in [*exams] * repeats:
        began, used = time.perf_counter(), time.process_time()
        read, prepared = run(exam)
        reading.append(read - began)
        preparing.append(prepared - read)
        processor.append(time.process_time() - used)
    sys.stdout.write(
        f"{name}: reading {1000 * median(reading):.0f} ms, preparing {1000 * median(preparing):.0f} ms, both together "
        f"{1000 * median(processor):.0f} ms of processor time (least {1000 * min(processor):.0f}), n = {len(reading)}\n"
    )


def profile(exams: Sequence[Path]) -> None:
    """Print the functions that most processor time goes into, in ms an exam."""
    before = os.environ.get("AMRG_NUM_THREADS", "")
    os.environ["AMRG_NUM_THREADS"] = "1"
    profiler = cProfile.Profile(time.process_time)
    profiler.enable()
    for exam in exams:
        run(exam)
    profiler.disable()
    os.environ["AMRG_NUM_THREADS"] = before
    table: dict[tuple[str, int, str], tuple[int, int, float, float, object]] = vars(pstats.Stats(profiler))["stats"]
    for (file, line, function), (_, calls, own, whole, _) in sorted(table.items(), key=lambda row: -row[1][2])[:LINES]:
        where = "" if file == "~" else f" ({Path(file).name}:{line})"
        each = [1000 * seconds / len(exams) for seconds in (own, whole)]
        sys.stdout.write(f"{each[0]:8.1f} {each[1]:8.1f} {calls / len(exams):8.0f}  {function}{where}\n")


@contextmanager
def drawn(size: Size, count: int) -> Iterator[list[Path]]:
    """Drawn exams in a temporary folder."""
    with tempfile.TemporaryDirectory() as folder:
        exams = [Path(folder) / str(seed) for seed in range(7, 7 + count)]
        with ProcessPool(_draw, 1) as other:  # so that the memory for drawing is not this process's
            list(other.map([(int(exam.name), size, exam) for exam in exams]))
        yield exams


def _draw(exam: tuple[int, Size, Path]) -> None:
    """Draw an exam of a seed and size into a folder."""
    seed, size, folder = exam
    write_exam(draw_exam(seed, size), folder)


def main() -> None:
    """Measure and profile small exams, then full-size ones, then those of a folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--folder", type=Path, help="a folder with a folder an exam")
    given = parser.parse_args()
    with drawn(Size.SMALL, 4) as exams:
        measure("small", exams, given.repeats)
        profile(exams)
    with drawn(Size.FULL, 2) as exams:
        before = peak_mib()
        measure("full", exams, given.repeats)
        sys.stdout.write(f"peak memory: {before:.0f} MiB after small exams, {peak_mib():.0f} MiB after full ones\n")
        profile(exams)
    if given.folder is not None:
        exams = sorted(path for path in given.folder.iterdir() if path.is_dir())
        measure(given.folder.name, exams, given.repeats)
        profile(exams)


if __name__ == "__main__":
    main()
