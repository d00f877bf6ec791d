"""Real mammograms to learn from: films and digital views with their lesions, framed for the model.

Reads the folder that `films.jsonl` describes (CBIS-DDSM, CDD-CESM). Breasts hang by the picture, for films may be
scanned from the back. From every film further versions are made: lesions exchanged for tissue of the same film, and
cut-out lesions of other patients blended in, so that neither a film without a lesion nor a calcification is rare.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy import ndimage

from amrg.birads import Laterality
from amrg.imaging import frame_breast
from amrg.imaging.framing import find_breast
from amrg.models.views import Channels, Hanging, ViewEncoding, model_image

Pixels = npt.NDArray[np.float32]
Box = tuple[float, float, float, float]

USUAL_ASPECT = 0.59  # true width over height of a film whose own is not known
CROPS = "crops"  # source of lesions cut out of scans of CBIS-DDSM
FOLDS = 5
ALWAYS_TRAINED = -1  # fold of patients that are never held out
ALIKE = 0.95  # correlation of thumbnails: copies in CDD-CESM have 0.98 and more, other breasts 0.91 at most
_THUMBNAIL = 32  # pixels a side
_DARK = 8  # of 255: what is darker is no breast
CROP_SCALE = (0.13, 0.19)  # rows of these films over rows of the scans that the crops were cut from


@dataclass(frozen=True)
class Lesion:
    """A lesion in one image: `box` is left, top, right, bottom; `labels` what its table says."""

    box: Box
    labels: dict[str, Any]


@dataclass(frozen=True)
class ListedFilm:
    """One image as listed: its record, and whether one of its patient's images is listed a second time, unnamed."""

    record: dict[str, Any]
    folder: Path
    has_copy: bool = False

    @property
    def name(self) -> str:
        """Path inside the folder."""
        return str(self.record["file"])

    @property
    def source(self) -> str:
        """The part of the collection: cbis, cesm, cesm-cc, crops."""
        return self.name.split("/")[0]

    @property
    def fold(self) -> int:
        """The part of the data that the patient belongs to, 0 to `FOLDS` - 1.

        Patients of whom an image is listed under a second name, without the patient, are in none that is held out.
        """
        if self.has_copy:
            return ALWAYS_TRAINED
        return crc32(str(self.record.get("patient", self.name)).encode()) % FOLDS


@dataclass(frozen=True)
class FilmScene:
    """Pixels float32 [H, W] in 0..1 with square pixels, chest wall at the left, and the lesions in them."""

    pixels: Pixels
    breast: npt.NDArray[np.bool_]
    lesions: tuple[Lesion, ...]
    erased: int = 0
    pasted: tuple[str, ...] = field(default=())


@lru_cache(maxsize=1)
def read_films(folder: Path) -> tuple[ListedFilm, ...]:
    """Every line of `films.jsonl`; read once, for finding copies opens hundreds of images."""
    lines = (folder / "films.jsonl").read_text(encoding="utf-8").splitlines()
    films = [ListedFilm(json.loads(line), folder) for line in lines]
    copies = find_copies(films)
    patients = {copied.record["patient"] for copied in copies.values()}
    return tuple(replace(f, has_copy=f.name in copies or f.record.get("patient") in patients) for f in films)


def find_copies(films: Sequence[ListedFilm]) -> dict[str, ListedFilm]:
    """Images without a patient that are the same as one of a patient in the same data set: name to that one.

    CDD-CESM is listed from two public copies, one of them without patients. Split by file name, the same image would be
    trained on and held out.
    """
    found = {}
    for dataset in {film.record["dataset"] for film in films}:
        listed = [film for film in films if film.record["dataset"] == dataset and film.source != CROPS]
        unnamed, named = ([f for f in listed if ("patient" in f.record) is wanted] for wanted in (False, True))
        if unnamed and named:
            alike = np.stack([*map(_thumbnail, unnamed)]) @ np.stack([*map(_thumbnail, named)]).T
            pairs = zip(unnamed, alike.argmax(1), alike.max(1), strict=True)
            found.update({film.name: named[i] for film, i, highest in pairs if highest >= ALIKE})
    return found


def _thumbnail(film: ListedFilm) -> Pixels:
    """The breast alone, chest wall at the left, as a unit vector: a product of two is their correlation."""
    pixels = np.asarray(Image.open(film.folder / film.name).convert("L"), np.float32)
    rows, columns = (np.flatnonzero((pixels > _DARK).mean(axis) > 0.02) for axis in (1, 0))
    if len(rows) and len(columns):
        pixels = pixels[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    half = pixels.shape[1] // 2
    if pixels[:, :half].mean() < pixels[:, half:].mean():
        pixels = pixels[:, ::-1]
    small = Image.fromarray(pixels).resize((_THUMBNAIL, _THUMBNAIL), Image.Resampling.BOX)
    values: Pixels = np.asarray(small, np.float32).ravel()
    values = values - values.mean()
    return values / np.float32(np.linalg.norm(values) or 1.0)


def read_scene(film: ListedFilm) -> FilmScene:
    """An image as a scene: true proportions, hung by the picture."""
    image, boxes = film_in_proportion(film)
    pixels = np.asarray(image, np.float32) / np.float32(255)
    mask, _ = find_breast(pixels, Laterality.LEFT)
    if float(np.nonzero(mask)[1].mean()) >= mask.shape[1] / 2:
        width = pixels.shape[1]
        pixels = np.ascontiguousarray(pixels[:, ::-1])
        boxes = [((width - b[2], b[1], width - b[0], b[3]), labels) for b, labels in boxes]
        mask, _ = find_breast(pixels, Laterality.LEFT)
    full = Image.fromarray(mask).resize((pixels.shape[1], pixels.shape[0]), Image.Resampling.NEAREST)
    return FilmScene(pixels, np.asarray(full, bool), tuple(Lesion(b, labels) for b, labels in boxes))


def film_in_proportion(film: ListedFilm) -> tuple[Image.Image, list[tuple[Box, dict[str, Any]]]]:
    """An image in grey and in its true proportions, with its lesion boxes in those pixels and their labels."""
    image = Image.open(film.folder / film.name).convert("L")
    boxes = _boxes(film, image.size)
    if film.source != "cbis":
        return image, boxes
    aspect = film.record.get("aspect", 1.0) or USUAL_ASPECT
    across = aspect * image.height / image.width
    if across != 1.0:
        image = image.resize((max(8, round(image.width * across)), image.height), Image.Resampling.BOX)
    return image, [((b[0] * across, b[1], b[2] * across, b[3]), labels) for b, labels in boxes]


def _boxes(film: ListedFilm, size: tuple[int, int]) -> list[tuple[Box, dict[str, Any]]]:
    """Lesion boxes in file pixels with their labels: from the record, or the parts of the mask."""
    record = film.record
    if film.source == "cbis":
        single = [(tuple(lesion["box"]), lesion) for lesion in record["lesions"] if lesion.get("box")]
        known = {box for box, _ in single}
        rest = [tuple(box) for box in record["boxes"] if tuple(box) not in known]
        shared = record["lesions"][0] if len(record["lesions"]) == 1 else {"kind": "mass"}
        return [*single, *((box, shared) for box in rest)]
    if "mask" not in record:
        return []
    mask = np.asarray(Image.open(film.folder / record["mask"]).convert("L").resize(size)) > 127
    labels, _ = ndimage.label(ndimage.binary_dilation(mask, iterations=2))
    found = [(float(c.start), float(r.start), float(c.stop), float(r.stop)) for r, c in ndimage.find_objects(labels)]
    about = {"kind": "lesion", "tags": record.get("tags", ""), "pathology": record["pathology"].upper()}
    return [(box, about) for box in found if (box[2] - box[0]) * (box[3] - box[1]) >= 36]


class Collage:
    """Makes further versions of a scene from cut-out lesions, determined by the generator that is given."""

    def __init__(self, crops: Sequence[ListedFilm]) -> None:
        self._crops = {
            kind: [c for c in crops if c.record["lesions"][0]["kind"] == kind] for kind in ("mass", "calcifications")
        }

    def version(self, scene: FilmScene, rng: np.random.Generator) -> FilmScene:
        """Perhaps without its lesions, perhaps with pasted ones and pasted normal tissue."""
        if scene.lesions and rng.random() < 0.5:
            scene = erase_lesions(scene, rng)
        for _ in range(int(rng.integers(0, 3))):  # so that a pasted edge alone means nothing
            scene = _paste_tissue(scene, rng)
        for kind, chance in (("calcifications", 0.55), ("mass", 0.25)):
            for _ in range(int(rng.integers(1, 3)) if rng.random() < chance else 0):
                scene = self.paste_lesion(scene, kind, rng)
        return scene

    def paste_lesion(self, scene: FilmScene, kind: str, rng: np.random.Generator) -> FilmScene:
        """A cut-out lesion of a kind blended in at a free place in the breast; the same scene where there is none."""
        crop = self._crops[kind][int(rng.integers(len(self._crops[kind])))]
        image = Image.open(crop.folder / crop.name).convert("L")
        factor = float(rng.uniform(*CROP_SCALE)) / float(crop.record["scale"])
        size = (max(6, round(image.width * factor)), max(6, round(image.height * factor)))
        patch = np.asarray(image.resize(size, Image.Resampling.BOX), np.float32) / np.float32(255)
        patch = np.rot90(patch, int(rng.integers(4)))
        if rng.random() < 0.5:
            patch = patch[:, ::-1]
        place = _place(scene, patch.shape, rng)
        if place is None:
            return scene
        top, left = place
        pixels = _blend(scene.pixels, patch, top, left, add=True)
        box = (float(left), float(top), float(left + patch.shape[1]), float(top + patch.shape[0]))
        inner = _shrunk(box, 0.8)
        lesion = Lesion(inner, {**crop.record["lesions"][0], "pasted": True})
        return FilmScene(pixels, scene.breast, (*scene.lesions, lesion), scene.erased, (*scene.pasted, kind))


def erase_lesions(scene: FilmScene, rng: np.random.Generator) -> FilmScene:
    """Every lesion exchanged for tissue from elsewhere in the breast; those without room for it remain."""
    pixels, remain = scene.pixels, []
    for lesion in scene.lesions:
        box = _shrunk(lesion.box, 1.5)
        height, width = round(box[3] - box[1]), round(box[2] - box[0])
        place = _place(scene, (height, width), rng)
        top, left = round(box[1]), round(box[0])
        inside = top >= 0 and left >= 0 and top + height <= pixels.shape[0] and left + width <= pixels.shape[1]
        if place is None or not inside:
            remain.append(lesion)
            continue
        patch = scene.pixels[place[0] : place[0] + height, place[1] : place[1] + width]
        pixels = _blend(pixels, patch, top, left, add=False)
    return FilmScene(pixels, scene.breast, tuple(remain), len(scene.lesions) - len(remain), scene.pasted)


def _paste_tissue(scene: FilmScene, rng: np.random.Generator) -> FilmScene:
    """Tissue of the breast pasted elsewhere in it."""
    side = int(rng.integers(20, 90))
    source, target = (_place(scene, (side, side), rng) for _ in range(2))
    if source is None or target is None:
        return scene
    patch = scene.pixels[source[0] : source[0] + side, source[1] : source[1] + side]
    pixels = _blend(scene.pixels, patch, *target, add=bool(rng.random() < 0.5))
    return FilmScene(pixels, scene.breast, scene.lesions, scene.erased, scene.pasted)


def _place(scene: FilmScene, shape: tuple[int, ...], rng: np.random.Generator) -> tuple[int, int] | None:
    """Top and left of a free place for a patch, mostly inside the breast and on no lesion; None where there is none."""
    rows, columns = np.nonzero(scene.breast[::4, ::4])
    if not len(rows):
        return None
    for _ in range(30):
        i = int(rng.integers(len(rows)))
        top, left = int(rows[i]) * 4 - shape[0] // 2, int(columns[i]) * 4 - shape[1] // 2
        if top < 0 or left < 0 or top + shape[0] > scene.pixels.shape[0] or left + shape[1] > scene.pixels.shape[1]:
            continue
        if scene.breast[top : top + shape[0], left : left + shape[1]].mean() < 0.9:
            continue
        box = (left, top, left + shape[1], top + shape[0])
        if not any(_overlap(box, lesion.box) for lesion in scene.lesions):
            return top, left
    return None


def _overlap(a: Sequence[float], b: Sequence[float]) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _shrunk(box: Box, factor: float) -> Box:
    """A box about the same centre, `factor` times as wide and high."""
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    w, h = (box[2] - box[0]) / 2 * factor, (box[3] - box[1]) / 2 * factor
    return (x - w, y - h, x + w, y + h)


def _blend(pixels: Pixels, patch: Pixels, top: int, left: int, add: bool) -> Pixels:
    """A patch blended in under a soft ellipse.

    `add`: its deviation from its own edge is added, as tissue adds up in a projection; else it replaces, at the
    brightness of the place.
    """
    h, w = patch.shape
    y, x = np.ogrid[:h, :w]
    radius = np.sqrt(((y - (h - 1) / 2) / (h / 2)) ** 2 + ((x - (w - 1) / 2) / (w / 2)) ** 2)
    weight = np.clip((1.0 - radius) / 0.35, 0, 1).astype(np.float32)
    edge = radius > 0.85
    place = pixels[top : top + h, left : left + w]
    level = float(np.median(patch[edge])) if edge.any() else float(np.median(patch))
    here = float(np.median(place[edge])) if edge.any() else float(np.median(place))
    under = place if add else place * (1 - weight) + weight * here
    mixed = under + weight * (patch - level)
    made = pixels.copy()
    made[top : top + h, left : left + w] = np.clip(mixed, 0, 1)
    return made


def frame_scene(scene: FilmScene, size: int) -> tuple[npt.NDArray[np.uint8], tuple[Lesion, ...]]:
    """Layers uint8 [size, size, 3], and the lesions in their pixels."""
    encoding = ViewEncoding(size=size, channels=Channels.LAYERS, hanging=Hanging.CHEST_WALL_LEFT)
    framed = frame_breast(scene.pixels, Laterality.LEFT, size)
    lesions = []
    for lesion in scene.lesions:
        left, top = framed.to_framed(lesion.box[0], lesion.box[1])
        right, bottom = framed.to_framed(lesion.box[2], lesion.box[3])
        lesions.append(Lesion((left, top, right, bottom), lesion.labels))
    return model_image(framed, Laterality.LEFT, encoding), tuple(lesions)
