"""Whether real calcifications are found: cut-outs of patients that were not trained on, pasted into their films.

No film here has calcifications in its table and its marks. So a cluster is added to every film of held-out patients (as
in training, of the patients of one fifth), and the film is drafted with it and without: `make calcification-probe`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np
from PIL import Image

from amrg.birads import Draft, Kind
from amrg.experiments.film_figures import draft_alone, interval_over_patients, is_in
from amrg.generation.engines.base import Engine
from amrg.generation.engines.loading import load_engine
from amrg.imaging import read_studies
from amrg.models.checkpoint import EMBEDDED
from amrg.training.tower.film_shards import held_out_fold, usable_films
from amrg.training.tower.films import Box, Collage, FilmScene, read_films, read_scene

SEED = 0


class Probe(NamedTuple):
    """A patient's film drafted as it is and with a cluster at `place`."""

    patient: str
    before: Draft | None
    after: Draft | None
    place: Box


def main() -> None:
    """Draft every film twice and print the shares."""
    probes = list(probe(Path(sys.argv[1]), load_engine()))
    for name, value in SHARES.items():
        between = interval_over_patients(value, probes)
        assert between is not None
        sys.stdout.write(f"{name}: {value(probes):.3f} [{between.low:.3f}, {between.high:.3f}] n {len(probes)}\n")


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
        return draft_alone(study, engine)


def _calcifications(draft: Draft | None) -> Sequence[int]:
    """Numbers of the findings that are calcifications."""
    findings = () if draft is None else draft.report.findings
    return [i for i, finding in enumerate(findings, 1) if finding.kind is Kind.CALCIFICATIONS]


def _are_in(draft: Draft | None, place: Box) -> bool:
    """Whether the middle of one of their boxes is in a place."""
    boxes = () if draft is None else draft.boxes
    return any(is_in(box, [place]) for box in boxes if box.finding in _calcifications(draft))


def _share(of: Callable[[Probe], object]) -> Callable[[Sequence[Probe]], float]:
    return lambda probes: float(np.mean([bool(of(p)) for p in probes]))


SHARES = {
    "calcifications named on a film with a pasted cluster": _share(lambda p: _calcifications(p.after)),
    "the middle of one of their boxes in the cluster": _share(lambda p: _are_in(p.after, p.place)),
    "calcifications named on the same film without it": _share(lambda p: _calcifications(p.before)),
    "the middle of one of their boxes in the same place": _share(lambda p: _are_in(p.before, p.place)),
}


if __name__ == "__main__":
    main()
