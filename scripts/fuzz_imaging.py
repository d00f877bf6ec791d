"""Damage files in every way that disks, networks and archives do, and read them: `make fuzz`.

Writes nothing into the repository. Files are drawn phantoms in every supported transfer syntax, and plain images, with
bytes changed, cut, doubled or inserted, lengths and VRs that lie. Each is read by `read_studies`, its pixels checked.
Prints how often each outcome came, the slowest file and the peak memory; ends with 1 on any exception that is not
amrg's own, with the seed of the file that caused it.
"""

from __future__ import annotations

import argparse
import random
import re
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import imagecodecs
import numpy as np
import numpy.typing as npt
import pydicom
from memory import peak_mib
from PIL import Image
from pydicom.encaps import encapsulate
from pydicom.uid import (
    HTJ2K,
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    HTJ2KLossless,
    HTJ2KLosslessRPCL,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

from amrg.birads import Laterality, View
from amrg.imaging import Intake, MammogramToWrite, read_studies, write_mammogram

HEADER = 6000  # bytes in which most damage is done
Damage = Callable[[bytes, random.Random], bytes]
Stored = npt.NDArray[np.uint16]


def seeds_in(folder: Path) -> list[Path]:
    """Good files to damage: every transfer syntax that is read, a functional group, LUTs, and plain images."""
    folder.mkdir(parents=True, exist_ok=True)
    plain = folder / "explicit.dcm"
    y, x = np.mgrid[:160, :120]
    breast = (((y - 80) / 70) ** 2 + (x / 90) ** 2 < 1) * (3000 - 8 * y - 4 * x)
    pixels = np.clip(breast, 0, 4095).astype(np.uint16)
    write_mammogram(plain, MammogramToWrite(pixels, Laterality.LEFT, View.CC, 0.4, 12, "fuzz", "FUZZ-1"))
    for name, syntax in (("implicit", ImplicitVRLittleEndian), ("deflated", DeflatedExplicitVRLittleEndian)):
        ds = pydicom.dcmread(plain)
        ds.file_meta.TransferSyntaxUID = syntax
        ds.save_as(folder / f"{name}.dcm", enforce_file_format=True)
    for name, syntax in (("rle", RLELossless), ("jpegls", JPEGLSLossless), ("j2k", JPEG2000Lossless)):
        ds = pydicom.dcmread(plain)
        ds.compress(syntax)
        ds.save_as(folder / f"{name}.dcm", enforce_file_format=True)
    _big_endian(plain, folder / "big.dcm")
    _jpeg(plain, folder / "jpeg.dcm")
    for name, (syntax, encode) in ENCODERS.items():
        ds = pydicom.dcmread(plain)
        _encapsulated(ds, encode(pixels), syntax, folder / f"{name}.dcm")
    _with_tables(plain, folder / "tables.dcm")
    implicit = folder / "implicit.dcm"
    (folder / "bare.dcm").write_bytes(implicit.read_bytes()[132 + _meta_length(implicit) :])
    grey = (pixels // 16).astype(np.uint8)
    for ending in ("png", "tif", "pgm", "jpg"):
        Image.fromarray(grey).save(folder / f"P1_LEFT_CC.{ending}")
    return sorted(folder.iterdir())


ENCODERS: dict[str, tuple[UID, Callable[[Stored], bytes | bytearray]]] = {
    "htj2k-201": (HTJ2KLossless, imagecodecs.htj2k_encode),
    "htj2k-202": (HTJ2KLosslessRPCL, lambda pixels: imagecodecs.htj2k_encode(pixels, resolutions=3)),
    "htj2k-203": (HTJ2K, lambda pixels: imagecodecs.htj2k_encode(pixels, reversible=False)),
    "jpeg-51": (JPEGExtended12Bit, lambda pixels: imagecodecs.jpeg8_encode(pixels, level=95, bitspersample=12)),
    "jpeg-57": (JPEGLossless, lambda pixels: _jpeg_lossless(pixels, 4)),
    "jpeg-70": (JPEGLosslessSV1, lambda pixels: _jpeg_lossless(pixels, 1)),
}
"""What pydicom does not encode, by a name that says the last part of the transfer syntax's UID."""


def _jpeg_lossless(pixels: Stored, predictor: int) -> bytes:
    """ITU-T T.81 process 14 with a selection value."""
    return bytes(imagecodecs.jpeg8_encode(pixels, lossless=True, bitspersample=12, predictor=predictor))


def _encapsulated(ds: pydicom.Dataset, stream: bytes | bytearray, syntax: UID, path: Path) -> None:
    """Write a file whose pixels are a compressed image."""
    ds.PixelData = encapsulate([bytes(stream)])
    ds["PixelData"].VR = "OB"
    ds.file_meta.TransferSyntaxUID = syntax
    ds.save_as(path, enforce_file_format=True)


def _meta_length(path: Path) -> int:
    """Bytes of the file meta information, its group length element included."""
    return 12 + int(pydicom.dcmread(path, stop_before_pixels=True).file_meta.FileMetaInformationGroupLength)


def _big_endian(plain: Path, path: Path) -> None:
    ds = pydicom.dcmread(plain)
    ds.PixelData = ds.pixel_array.astype(">u2").tobytes()
    ds.file_meta.TransferSyntaxUID = ExplicitVRBigEndian
    pydicom.dcmwrite(path, ds, implicit_vr=False, little_endian=False, force_encoding=True)


def _jpeg(plain: Path, path: Path) -> None:
    ds = pydicom.dcmread(plain)
    image = path.with_suffix(".jpg")
    Image.fromarray((ds.pixel_array // 16).astype(np.uint8)).save(image, quality=95)
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = 8, 8, 7
    ds.WindowCenter, ds.WindowWidth = 128, 256
    _encapsulated(ds, image.read_bytes(), JPEGBaseline8Bit, path)
    image.unlink()


def _with_tables(plain: Path, path: Path) -> None:
    """VOI LUT, padding, collimator, several windows: what else pixels depend on."""
    ds = pydicom.dcmread(plain)
    table = pydicom.Dataset()
    table.add_new("LUTDescriptor", "US", [4096, 0, 12])
    table.add_new("LUTData", "OW", np.arange(4096, dtype="<u2").tobytes())
    ds.VOILUTSequence = pydicom.Sequence([table])
    ds.add_new("PixelPaddingValue", "US", 0)
    ds.add_new("PixelPaddingRangeLimit", "US", 3)
    ds.CollimatorShape, ds.CollimatorLeftVerticalEdge, ds.CollimatorRightVerticalEdge = "RECTANGULAR", 1, 110
    ds.CollimatorUpperHorizontalEdge, ds.CollimatorLowerHorizontalEdge = 3, 158
    ds.WindowCenter, ds.WindowWidth, ds.VOILUTFunction = [2048, 1000], [4096, 500], "SIGMOID"
    ds.save_as(path)


def _change(data: bytes, rng: random.Random) -> bytes:
    """A few bytes to others."""
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 4, 16, 64))):
        changed[_place(data, rng)] = rng.choice((0, 0xFF, 0x20, 0x5C, rng.randrange(256)))
    return bytes(changed)


def _cut(data: bytes, rng: random.Random) -> bytes:
    """Some bytes less, or the rest of the file."""
    at = _place(data, rng)
    return data[:at] + (b"" if rng.random() < 0.4 else data[at + rng.randrange(1, 200) :])


def _double(data: bytes, rng: random.Random) -> bytes:
    """A piece twice, or the whole file behind itself."""
    at, length = _place(data, rng), rng.randrange(1, 400)
    return data + data if rng.random() < 0.05 else data[: at + length] + data[at:]


def _insert(data: bytes, rng: random.Random) -> bytes:
    """Other bytes, among them delimiters and starts of sequences."""
    at = _place(data, rng)
    pieces = (
        rng.randbytes(rng.randrange(1, 64)),
        b"\xfe\xff\x00\xe0\xff\xff\xff\xff",
        b"\xfe\xff\xdd\xe0\x00\x00\x00\x00",
        b"\x40\x00\x55\x05SQ\x00\x00\xff\xff\xff\xff",
        b"\x28\x00\x50\x10DS\x04\x00NaN ",
        b"\xff\xff\xff\xff",
        bytes(rng.randrange(1, 4000)),
    )
    return data[:at] + rng.choice(pieces) + data[at:]


def _lie(data: bytes, rng: random.Random) -> bytes:
    """A length or a VR that is wrong: an explicit element's VR and length overwritten."""
    found = [m.start() for m in re.finditer(rb"[A-Z]{2}[\x00-\xff]\x00", data[:HEADER])]
    at = rng.choice(found) if found else _place(data, rng)
    vr = rng.choice((data[at : at + 2], b"ZZ", b"SQ", b"OW", b"FD", b"US", b"IS", b"UN", b"??", rng.randbytes(2)))
    length = rng.choice((data[at + 2 : at + 4], b"\xff\xff", b"\x03\x00", b"\x01\x00", rng.randbytes(2)))
    return data[:at] + vr + length + data[at + 4 :]


def _place(data: bytes, rng: random.Random) -> int:
    """Where to damage: mostly in the header."""
    return rng.randrange(max(1, min(len(data), HEADER if rng.random() < 0.8 else len(data))))


DAMAGES: tuple[Damage, ...] = (_change, _cut, _double, _insert, _lie)


def damaged(seeds: list[bytes], number: int, seed: int) -> tuple[int, bytes]:
    """File `number` of a seed: which good file it comes from, and its bytes."""
    rng = random.Random(f"{seed}-{number}")
    which = rng.randrange(len(seeds))
    data = seeds[which]
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        data = rng.choice(DAMAGES)(data, rng) or b"\0"
    return which, data


@dataclass
class Outcomes:
    """What became of the files."""

    counts: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    slowest: tuple[float, int] = (0.0, -1)
    growth_mib: float = 0.0


def check(path: Path) -> str:
    """Read one file and its pixels; what became of it.

    Raises:
        AssertionError: a value outside of 0 to 1, or a file that is in none of the three.
    """
    intake: Intake = read_studies(path)
    assert intake.studies or intake.set_aside or intake.problems, "the file is lost"
    for problem in intake.problems:
        assert "\n" not in problem.message, "a message of several lines"
    for study in intake.studies:
        assert study.model_validate_json(study.model_dump_json()) == study
        for mammogram in study.mammograms:
            values = mammogram.pixels()
            assert float(values.min()) >= 0, "a value that is no number, or below 0"
            assert float(values.max()) <= 1, "a value above 1"
            assert float(values.max()) > float(values.min()), "an image that shows nothing"
    return "read" if intake.studies else "set aside" if intake.set_aside else "problem"


def run(folder: Path, numbers: Iterator[int], seed: int, of: tuple[str, ...] = ("",)) -> Outcomes:
    """Damage and read files of the given numbers, of the good files whose names start with one of `of`."""
    outcomes = Outcomes()
    paths = [path for path in seeds_in(folder / "good") if path.name.startswith(of)]
    seeds = [path.read_bytes() for path in paths]
    before = peak_mib()
    for number in numbers:
        which, data = damaged(seeds, number, seed)
        path = folder / f"LEFT_CC{paths[which].suffix}"
        path.write_bytes(data)
        start = time.perf_counter()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")  # a warning that escapes is one line too many in a report
                outcomes.counts[check(path)] += 1
        except Exception:  # everything: that is what is looked for
            outcomes.counts["FAILURE"] += 1
            outcomes.failures.append(f"--seed {seed} --only {number} ({paths[which].name})\n{traceback.format_exc()}")
        outcomes.slowest = max(outcomes.slowest, (time.perf_counter() - start, number))
    outcomes.growth_mib = peak_mib() - before
    return outcomes


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--start", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", type=int)
    parser.add_argument("--of", default="", help="starts of names of good files, with commas between: htj2k,jpeg-")
    options = parser.parse_args()
    begin, count = (options.start, options.count) if options.only is None else (options.only, 1)
    with tempfile.TemporaryDirectory() as folder:
        outcomes = run(Path(folder), iter(range(begin, begin + count)), options.seed, tuple(options.of.split(",")))
    of = f" of {options.of}" if options.of else ""
    print(f"{count} files{of} of seed {options.seed}: {dict(outcomes.counts.most_common())}")
    print(f"slowest: file {outcomes.slowest[1]}, {outcomes.slowest[0]:.2f} s")
    print(f"peak memory: {peak_mib():.0f} MiB, {outcomes.growth_mib:.0f} MiB above that of the good files")
    for failure in outcomes.failures[:20]:
        print(failure)
    return bool(outcomes.failures)


if __name__ == "__main__":
    raise SystemExit(main())
