"""Breasts for the language stage: image tokens of their views, and what is to be said of them.

The tower gets every image with the chest wall at the left, so tokens do not depend on the side: an exam combines any
two breasts of one source and composition, which multiplies the exams.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from amrg.birads import Category, Composition, Finding, Laterality, Location, Quadrant, View
from amrg.models.embedded.attributes import COMPOSITIONS, Place
from amrg.models.embedded.mammogram_tower import STATED, MammogramTower
from amrg.training.embedded.devices import autocast_on
from amrg.training.embedded.phantom_shards import VIEW_ORDER, DrawJob, Shard, load_shard
from amrg.training.tower.film_shards import COLUMNS, FilmView
from amrg.training.tower.labelled_views import PlacedLesion, as_pixels
from amrg.training.tower.reading import tower_key

Tokens = npt.NDArray[np.float16]
MOST = 4  # lesions of a view that a report names one by one
BATCH = 16  # views that the tower sees together

_HALF: dict[View, dict[Quadrant, Quadrant]] = {
    View.CC: {
        Quadrant.UPPER_OUTER: Quadrant.OUTER,
        Quadrant.LOWER_OUTER: Quadrant.OUTER,
        Quadrant.UPPER_INNER: Quadrant.INNER,
        Quadrant.LOWER_INNER: Quadrant.INNER,
    },
    View.MLO: {
        Quadrant.UPPER_OUTER: Quadrant.UPPER,
        Quadrant.UPPER_INNER: Quadrant.UPPER,
        Quadrant.LOWER_OUTER: Quadrant.LOWER,
        Quadrant.LOWER_INNER: Quadrant.LOWER,
    },
}
_MALIGNANT, _BENIGN = Category.SUSPICIOUS, Category.PROBABLY_BENIGN  # of a lesion without a category from 2 to 5


@dataclass(frozen=True)
class EncodedBreast:
    """One breast: tokens float16 [tokens, width] of each view, composition and findings."""

    tokens: Mapping[View, Tokens]
    composition: Composition
    findings: tuple[Finding, ...]


def drawn_breasts(tower: MammogramTower, jobs: Sequence[DrawJob]) -> list[EncodedBreast]:
    """Both breasts of every exam of the shards, as a tower encodes them."""
    found = []
    key = tower_key(tower)
    for job in jobs:
        shard = load_shard(job)
        for truth, tokens in zip(shard.truths, _shard_tokens(tower, key, job, shard), strict=True):
            for side in Laterality:
                views = {view: tokens[i] for i, (laterality, view) in enumerate(VIEW_ORDER) if laterality is side}
                findings = tuple(f for f in truth.findings if f.laterality is side)
                assert truth.composition is not None  # a phantom always has one
                found.append(EncodedBreast(views, truth.composition, findings))
    return found


def _shard_tokens(tower: MammogramTower, key: str, job: DrawJob, shard: Shard) -> Tokens:
    """Image tokens of a shard, float16 [exams, 4, tokens, width]; computed once per tower."""
    images = shard.images.reshape(-1, *shard.images.shape[2:])
    tokens = _cached(job.stem.with_suffix(f".{key}.npy"), tower, list(images[:, :, : round(COLUMNS * images.shape[2])]))
    return tokens.reshape(len(shard.truths), len(VIEW_ORDER), *tokens.shape[1:])


def film_breasts(tower: MammogramTower, views: Sequence[FilmView], cache: Path) -> list[EncodedBreast]:
    """Real breasts: the views of one breast together, and normal ones of two views that show nothing.

    `views` are those of one version; `cache` is the file that holds their tokens, by the tower's weights.
    """
    images = [view.labelled.image for view in views]
    tokens = _cached(cache.with_name(f"{cache.name}.{tower_key(tower)}.npy"), tower, images)
    grouped: dict[tuple[str, str], list[int]] = defaultdict(list)
    for i, view in enumerate(views):
        if view.labelled.lesions:
            record = view.film.record
            grouped[(record.get("patient", view.film.name), record["laterality"])].append(i)
    marked = [
        _film_breast([views[i] for i in some], [tokens[i] for i in some])
        for some in grouped.values()
        if all(_can_be_named(views[i].labelled.lesions) for i in some)
    ]
    return [*marked, *_normal_breasts(views, list(tokens))]


def _can_be_named(lesions: Sequence[PlacedLesion]) -> bool:
    """Whether there is a word for every lesion of a view, and few enough to name one by one."""
    return len(lesions) <= MOST and all(lesion.kinds for lesion in lesions)


def _composition(view: FilmView, tokens: Tokens) -> Composition:
    """The composition listed, or the one that the tower states where none is."""
    stated = tokens[0, STATED - 1 - len(COMPOSITIONS) : STATED - 1]
    return view.labelled.composition or COMPOSITIONS[int(stated.argmax())]


def _film_breast(views: Sequence[FilmView], tokens: Sequence[Tokens]) -> EncodedBreast:
    """The breast that some views show; of several of one projection the first."""
    by_view = {v.labelled.view: (v, t) for v, t in reversed(list(zip(views, tokens, strict=True)))}
    lesions = {view: v.labelled.lesions for view, (v, _) in by_view.items()}
    composition = _composition(views[0], tokens[0])
    return EncodedBreast({view: t for view, (_, t) in by_view.items()}, composition, tuple(_merged(lesions)))


def _normal_breasts(views: Sequence[FilmView], tokens: Sequence[Tokens]) -> list[EncodedBreast]:
    """Views without a lesion, a CC and an MLO of one composition at a time, whoever's they are."""
    normal: dict[tuple[Composition, View], list[Tokens]] = defaultdict(list)
    for view, found in zip(views, tokens, strict=True):
        if not view.labelled.lesions and view.labelled.suspicion == 0:
            normal[(_composition(view, found), view.labelled.view)].append(found)
    made = []
    for composition in Composition:
        from_above, from_side = (normal[(composition, view)] for view in (View.CC, View.MLO))
        for i in range(max(len(from_above), len(from_side))):
            pair = {View.CC: from_above[i : i + 1], View.MLO: from_side[i : i + 1]}
            made.append(EncodedBreast({view: found[0] for view, found in pair.items() if found}, composition, ()))
    return made


def _merged(lesions: Mapping[View, Sequence[PlacedLesion]]) -> Iterator[Finding]:
    """The findings of a breast: lesions described alike on several views are one."""
    found: list[tuple[PlacedLesion, dict[View, PlacedLesion]]] = []
    for view, here in lesions.items():
        for lesion in here:
            alike = (by_view for first, by_view in found if view not in by_view and _look(first) == _look(lesion))
            by_view = next(alike, None)
            if by_view is None:
                found.append((lesion, {view: lesion}))
            else:
                by_view[view] = lesion
    return (_finding(lesion, by_view) for lesion, by_view in found)


def _look(lesion: PlacedLesion) -> tuple[object, ...]:
    """What does not depend on the view."""
    described = {name: value for name, value in lesion.attributes.items() if name not in ("place", "depth")}
    return lesion.kinds, lesion.malignant, sorted(described.items())


def _finding(lesion: PlacedLesion, by_view: Mapping[View, PlacedLesion]) -> Finding:
    """What is to be said of a marked lesion; of several kinds the first."""
    described = {name: lesion.attributes.get(name) for name in ("shape", "margin", "morphology", "distribution")}
    depths = [found.attributes["depth"] for found in by_view.values() if "depth" in found.attributes]
    places = {found.attributes.get("place") for found in by_view.values()}
    facts = {
        "kind": lesion.kinds[0],
        "location": {"quadrant": _quadrant(places), "depth": depths[0] if depths else None},
        "views": tuple(by_view),
        "category": _category(lesion),
        **described,
    }
    return Finding.model_validate(facts)


def _quadrant(places: set[str | None]) -> Quadrant | None:
    """The quadrant of the halves that the views show."""
    high = next((p for p in (Place.UPPER, Place.LOWER) if p in places), None)
    wide = next((p for p in (Place.OUTER, Place.INNER) if p in places), None)
    words = " ".join(p for p in (high, wide) if p is not None)
    return Quadrant(words) if words else None


def _category(lesion: PlacedLesion) -> Category:
    """The table's category from 2 to 5, else one by what the lesion proved to be."""
    stated = lesion.attributes.get("category")
    if stated is not None and "2" <= stated <= "5":
        return Category(stated)
    return _MALIGNANT if lesion.malignant else _BENIGN


def _cached(path: Path, tower: MammogramTower, images: Sequence[npt.NDArray[np.uint8]]) -> Tokens:
    """Tokens of images, from the file where it exists and is of as many."""
    if path.is_file():
        stored: Tokens = np.load(path, mmap_mode="r")
        if len(stored) == len(images):
            return stored
    path.parent.mkdir(parents=True, exist_ok=True)
    found = [image_tokens(tower, np.stack(images[i : i + BATCH])) for i in range(0, len(images), BATCH)]
    tokens = np.concatenate(found).astype(np.float16)
    partial = path.with_suffix(".partial.npy")
    np.save(partial, tokens)
    partial.rename(path)
    return tokens


@torch.inference_mode()
def image_tokens(tower: MammogramTower, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Images uint8 [views, rows, columns, 3] to image tokens [views, tokens, width]."""
    with autocast_on(tower.device):
        found = tower(pixel_values=as_pixels(images).to(tower.device)).last_hidden_state
    tokens: npt.NDArray[np.float32] = found.float().cpu().numpy()
    return tokens


def findings_in_views(findings: Sequence[Finding], laterality: Laterality, views: Sequence[View]) -> list[Finding]:
    """The findings of a breast that the available views show, as findings on `laterality`.

    A finding in none of these views is omitted; with a single view, a quadrant becomes the half that this view shows.
    Views and boxes are not stated: drafting reads them from the places.
    """
    visible = [f for f in findings if not f.views or set(f.views) & set(views)]
    half = _HALF.get(views[0], {}) if len(views) == 1 else {}
    return [_stripped(f, laterality, half) for f in visible]


def _stripped(finding: Finding, laterality: Laterality, half: Mapping[Quadrant, Quadrant]) -> Finding:
    """One finding on a side, without views and boxes; its quadrant reduced to a half if there is one view."""
    quadrant = finding.location.quadrant
    location = Location(quadrant=half.get(quadrant, quadrant) if quadrant else None, depth=finding.location.depth)
    update = {
        "laterality": laterality,
        "location": location,
        "views": (),
        "boxes": (),
        "probability": None,
    }
    return finding.model_copy(update=update)
