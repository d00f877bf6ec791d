"""Whether real calcifications are found: cut-outs of patients that were not trained on, pasted into their films.

No film here has calcifications in its table and its marks. So a cluster is added to every film of held-out patients (as
in training, of the patients of one fifth), and the film is drafted with it and without: `make calcification-probe`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np
from PIL import Image

from amrg.birads import Draft, Kind
from amrg.generation.batch import Drafted, draft_studies
from amrg.generation.drafting import DraftOptions
from amrg.generation.engines.base import Engine
from amrg.generation.engines.loading import load_engine
from amrg.imaging import read_studies
from amrg.models.checkpoint import EMBEDDED
from amrg.training.tower.film_shards import held_out_fold, usable_films
from amrg.training.tower.films import Box, Collage, FilmScene, read_films, read_scene

SEED, DRAWS = 0, 1000


class Probe(NamedTuple):
    """A patient's film drafted as it is and with a cluster at `place`."""

    patient: str
    before: Draft | None
    after: Draft | None
    place: Box


def main() -> None:
    """Draft every film twice and print the shares."""
    folder = Path(sys.argv[1])
    probes = list(probe(folder, load_engine()))
    for name, found in (
        ("calcifications named on a film with a pasted cluster", [_names(p.after) for p in probes]),
        ("the middle of one of their boxes in the cluster", [_is_in(p.after, p.place) for p in probes]),
        ("calcifications named on the same film without it", [_names(p.before) for p in probes]),
        ("the middle of one of their boxes in the same place", [_is_in(p.before, p.place) for p in probes]),
    ):
        low, high = _between(found, [p.patient for p in probes])
        sys.stdout.write(f"{name}: {np.mean(found):.3f} [{low:.3f}, {high:.3f}] n {len(found)}\n")


def _between(found: Sequence[bool], patients: Sequence[str]) -> tuple[float, float]:
    """The 95 % interval of a share, by draws of patients."""
    each = [np.flatnonzero(np.array(patients) == patient) for patient in dict.fromkeys(patients)]
    rng, values = np.random.default_rng(SEED), np.array(found)
    draws = [np.concatenate([each[i] for i in rng.integers(0, len(each), len(each))]) for _ in range(DRAWS)]
    low, high = np.quantile([values[draw].mean() for draw in draws], (0.025, 0.975))
    return float(low), float(high)


def probe(folder: Path, engine: Engine) -> Iterator[Probe]:
    """Every film of CBIS-DDSM's held-out patients with room for a cluster."""
    held_out = held_out_fold(EMBEDDED)
    crops = [f for f in read_films(folder) if f.source == "crops" and f.fold == held_out]
    collage = Collage(crops)
    rng = np.random.default_rng(SEED)
    for film in usable_films(folder):
        if film.source == "cbis" and film.fold == held_out:
            scene = read_scene(film)
            pasted = collage.paste_lesion(scene, "calcifications", rng)
            if pasted.pasted:
                before, after = (_draft(one, film.record["view"], engine) for one in (scene, pasted))
                yield Probe(film.record["patient"], before, after, pasted.lesions[-1].box)


def _draft(scene: FilmScene, view: str, engine: Engine) -> Draft | None:
    """A scene drafted as a study of its own; its chest wall is at the left, as of a left breast."""
    with TemporaryDirectory() as name:
        pixels = np.rint(scene.pixels * 255).astype(np.uint8)
        Image.fromarray(pixels).save(Path(name) / f"LEFT_{view}.png")
        (study,) = read_studies(Path(name)).studies
        (outcome,) = draft_studies([study], engine, DraftOptions())
        return outcome.draft if isinstance(outcome, Drafted) else None


def _calcifications(draft: Draft | None) -> Sequence[int]:
    """Numbers of the findings that are calcifications."""
    findings = () if draft is None else draft.report.findings
    return [i for i, finding in enumerate(findings, 1) if finding.kind is Kind.CALCIFICATIONS]


def _names(draft: Draft | None) -> bool:
    return bool(_calcifications(draft))


def _is_in(draft: Draft | None, place: Box) -> bool:
    """Whether the middle of one of their boxes is in a place."""
    boxes = [] if draft is None else [b.box for b in draft.boxes if b.finding in _calcifications(draft)]
    middles = [((box.left + box.right) / 2, (box.top + box.bottom) / 2) for box in boxes]
    return any(place[0] <= x <= place[2] and place[1] <= y <= place[3] for x, y in middles)


if __name__ == "__main__":
    main()
