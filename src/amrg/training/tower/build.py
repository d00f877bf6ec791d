"""The embedded model's tower trained on real and drawn mammograms.

Stages, each resumed where it was interrupted: draw phantoms and frame real views; train on small images; train on
full-size ones; train further on other phantoms with the first layers fixed; train the second look at candidates.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple
from zlib import crc32

import torch
from pydantic import Field
from transformers import AutoModel

from amrg import __version__
from amrg.core.values import Value
from amrg.models.embedded.efficientnet import EfficientNetLite0
from amrg.models.embedded.mammogram_tower import MammogramTower, MammogramTowerConfig
from amrg.models.views import Channels, Hanging, ViewEncoding
from amrg.training.embedded.loop import Schedule, StageRun
from amrg.training.embedded.phantom_shards import DrawnExams, draw_shards, load_shard
from amrg.training.regions.examples import RegionBatches, RegionExample, RegionPool, examples_of, stored_proposals
from amrg.training.regions.stage import train_regions
from amrg.training.tower.batches import Pool, TowerBatches, drawn_views
from amrg.training.tower.depthwise import fix_depthwise
from amrg.training.tower.film_metrics import film_metrics, read_views
from amrg.training.tower.film_shards import UNMARKED, FilmView, film_views
from amrg.training.tower.labelled_views import LabelledView, Source
from amrg.training.tower.loss import tower_loss
from amrg.training.tower.pretrained import load_pretrained, pretrained_weights
from amrg.training.tower.reading import tower_key

log = logging.getLogger("amrg.training")

ENCODING = ViewEncoding(
    size=MammogramTowerConfig().image_size, channels=Channels.LAYERS, hanging=Hanging.CHEST_WALL_LEFT
)
OPTIMISER: dict[str, Any] = {
    "batch_size": 12,
    "weight_decay": 0.02,
    "max_grad_norm": 2.0,
    "beta2": 0.99,
    "ema_decay": 0.998,
    "rate_factors": {"backbone.": 0.5},  # pretrained
}
SOURCES = ("cbis", "cesm", UNMARKED)
CALIBRATION = 4  # batches that the folded norms are measured on
FIXED = 2  # stages that the last round leaves as they are, the stem too: a third of a step's time


class TowerRecipe(Value):
    """Everything that determines the tower. `held_out` is the fifth of the patients that it is measured on."""

    software: str = __version__
    sources: tuple[str, ...] = Field(SOURCES, min_length=1)  # parts of the real mammograms; of others nothing is used
    held_out: int = Field(0, ge=0, lt=5)
    versions: int = Field(5, ge=1)
    drawn: tuple[DrawnExams, ...] = (
        DrawnExams(population="faint-rich", first_seed=0, exams=1000),
        DrawnExams(population="rich", first_seed=10_000, exams=1000),
        DrawnExams(population="screening", first_seed=510_000, exams=1000),
    )
    varied: tuple[DrawnExams, ...] = (
        DrawnExams(population="varied-rich", first_seed=20_000, exams=600),
        DrawnExams(population="varied-screening", first_seed=520_000, exams=600),
    )
    further_drawn: tuple[DrawnExams, ...] = (
        DrawnExams(population="rich", first_seed=102_000, exams=650),
        DrawnExams(population="screening", first_seed=602_000, exams=1000),
        DrawnExams(population="asymmetric", first_seed=120_000, exams=700),
    )
    further_varied: tuple[DrawnExams, ...] = (
        DrawnExams(population="varied-rich", first_seed=112_000, exams=500),
        DrawnExams(population="varied-screening", first_seed=613_000, exams=800),
        DrawnExams(population="varied-asymmetric", first_seed=125_000, exams=450),
    )
    regions_drawn: tuple[DrawnExams, ...] = (
        DrawnExams(population="rich", first_seed=300_000, exams=300),
        DrawnExams(population="screening", first_seed=800_000, exams=550),
        DrawnExams(population="asymmetric", first_seed=310_000, exams=400),
    )
    regions_varied: tuple[DrawnExams, ...] = (
        DrawnExams(population="varied-rich", first_seed=320_000, exams=250),
        DrawnExams(population="varied-screening", first_seed=810_000, exams=400),
        DrawnExams(population="varied-asymmetric", first_seed=330_000, exams=250),
    )
    film_share: float = 0.42
    digital_share: float = 0.10
    unmarked_share: float = 0.06  # digital views with an outcome and no marks; normal ones, most of all
    drawn_share: float = 0.21
    varied_share: float = 0.21
    regions_real_share: float = Field(0.15, gt=0, lt=1)  # of the second look's examples
    small_size: int = 384
    small: Schedule = Schedule(steps=2600, peak_learning_rate=6e-4, warmup_steps=150, **OPTIMISER)
    full: Schedule = Schedule(steps=5500, peak_learning_rate=4e-4, warmup_steps=100, seed=1, **OPTIMISER)
    further: Schedule = Schedule(steps=7000, peak_learning_rate=3.5e-4, warmup_steps=100, seed=2, **OPTIMISER)
    regions: Schedule = Schedule(steps=11_000, batch_size=128, peak_learning_rate=4e-3, ema_decay=0.998, seed=3)

    def views(self, films: Path, folder: Path, version: int) -> list[FilmView]:
        """A version of the real views of the recipe's sources, framed; stored in the run's folder."""
        framed = film_views(films, folder / "views", version, ENCODING.size, self.held_out)
        return [view for view in framed if view.film.source in self.sources]


class Towers(NamedTuple):
    """The tower after the first stage and after the last, with averaged weights."""

    small: MammogramTower
    last: MammogramTower


class RealViews(NamedTuple):
    """Real views in all versions of the patients that are trained on, and as they are of those held out."""

    trained: Sequence[FilmView]
    measured: Sequence[FilmView]


@dataclass(frozen=True)
class TowerData:
    """What the tower is trained on, and the real views of the held-out patients that it is measured on."""

    pools: Sequence[Pool]
    measured: Sequence[FilmView]


def train_tower(recipe: TowerRecipe, films: Path, folder: Path) -> Towers:
    """All stages."""
    real = real_views(recipe, films, folder)
    data = with_phantoms(recipe, real, (recipe.drawn, recipe.varied), folder)
    small = train_small(recipe, data, folder / "tower-small")
    full = _train_full(StageRun(_copy(small), recipe.full, folder / "tower-full"), data)
    others = with_phantoms(recipe, real, (recipe.further_drawn, recipe.further_varied), folder)
    further = _copy(full)
    fix_first_layers(further.backbone)
    last = _train_full(StageRun(further, recipe.further, folder / "tower-further"), others)
    train_regions(last, _region_batches(recipe, last, real, folder), recipe.regions, folder / "tower-regions")
    return Towers(small, last)


def _region_batches(recipe: TowerRecipe, tower: MammogramTower, real: RealViews, folder: Path) -> RegionBatches:
    """Candidates that a tower finds on the views of its last round and on further phantoms."""
    exams = (recipe.further_drawn + recipe.regions_drawn, recipe.further_varied + recipe.regions_varied)
    pools = with_phantoms(recipe, real, exams, folder).pools
    found = [(pool, list(_region_examples(tower, pool.views, folder / "proposals"))) for pool in pools]
    present = [(pool, examples) for pool, examples in found if examples]
    shares = _region_shares([pool for pool, _ in present], recipe.regions_real_share)
    batch = [RegionPool(share, examples) for share, (_, examples) in zip(shares, present, strict=True)]
    return RegionBatches(batch, recipe.regions)


def tower_data(recipe: TowerRecipe, films: Path, folder: Path) -> TowerData:
    """What the first stages are trained and measured on; what the folder lacks is made."""
    return with_phantoms(recipe, real_views(recipe, films, folder), (recipe.drawn, recipe.varied), folder)


def real_views(recipe: TowerRecipe, films: Path, folder: Path) -> RealViews:
    """Framed real views."""
    versions = [recipe.views(films, folder, version) for version in range(recipe.versions)]
    trained = [v for version in versions for v in version if v.film.fold != recipe.held_out]
    return RealViews(trained, [v for v in versions[0] if v.film.fold == recipe.held_out])


def with_phantoms(
    recipe: TowerRecipe, real: RealViews, exams: tuple[Sequence[DrawnExams], Sequence[DrawnExams]], folder: Path
) -> TowerData:
    """Real views next to phantoms, usual and varied ones."""
    drawn, varied = (_draw(parts, folder / "exams") for parts in exams)
    return TowerData(_pools(recipe, real.trained, drawn, varied), real.measured)


def train_small(recipe: TowerRecipe, data: TowerData, folder: Path) -> MammogramTower:
    """The first stage, from pretrained weights, on small images."""
    torch.manual_seed(recipe.small.seed)
    tower = MammogramTower(MammogramTowerConfig())
    small = TowerBatches(data.pools, recipe.small, recipe.small_size)
    images = torch.cat([small(recipe.small.steps + i).pixels for i in range(CALIBRATION)])
    load_pretrained(tower.backbone, pretrained_weights(), images)
    fix_depthwise(tower.backbone)
    return _train(StageRun(tower, recipe.small, folder), small, recipe.small_size, data.measured)


def _train_full(run: StageRun, data: TowerData) -> MammogramTower:
    """A stage on full-size images."""
    return _train(run, TowerBatches(data.pools, run.schedule, ENCODING.size), ENCODING.size, data.measured)


def fix_first_layers(backbone: EfficientNetLite0) -> None:
    """Leave the stem and the first stages, whose images are the largest, as they are."""
    for part in (backbone.stem, *backbone.stages[:FIXED]):
        part.requires_grad_(False)


def _copy(tower: MammogramTower) -> MammogramTower:
    """A tower of its own with the same weights, its filters fixed."""
    made: MammogramTower = AutoModel.from_config(MammogramTowerConfig())
    made.load_state_dict(tower.state_dict())
    fix_depthwise(made.backbone)
    return made


def _region_shares(pools: Sequence[Pool], real: float) -> list[float]:
    """The pools' shares, with those of real views summing to `real` and those of drawn ones to the rest."""
    drawn = [all(view.source is Source.DRAWN for view in pool.views) for pool in pools]
    totals = {kind: sum(p.share for p, d in zip(pools, drawn, strict=True) if d is kind) for kind in (True, False)}
    return [p.share * ((1 - real) if d else real) / totals[d] for p, d in zip(pools, drawn, strict=True)]


def _region_examples(tower: MammogramTower, views: Sequence[LabelledView], folder: Path) -> Iterator[RegionExample]:
    """Candidates of views, stored by the tower and by what the views show."""
    marks = crc32(repr([view.lesions for view in views]).encode())
    stored = stored_proposals(tower, views, folder / f"{tower_key(tower)}-{marks:08x}")
    for view, proposals in zip(views, stored, strict=True):
        yield from examples_of(view, proposals)


def _draw(parts: Sequence[DrawnExams], folder: Path) -> list[LabelledView]:
    """Views of phantoms; missing ones are drawn."""
    plan = [job for part in parts for job in part.jobs(folder, ENCODING)]
    draw_shards(plan)
    return [view for job in plan for view in drawn_views(load_shard(job))]


def _pools(
    recipe: TowerRecipe,
    films: Sequence[FilmView],
    drawn: Sequence[LabelledView],
    varied: Sequence[LabelledView],
) -> list[Pool]:
    """Films, digital views and phantoms by their shares."""
    by_source = {source: [v.labelled for v in films if v.film.source == source] for source in SOURCES}
    made = [
        Pool(recipe.film_share, by_source["cbis"]),
        Pool(recipe.digital_share, by_source["cesm"]),
        Pool(recipe.unmarked_share, by_source[UNMARKED]),
        Pool(recipe.drawn_share, drawn),
        Pool(recipe.varied_share, varied),
    ]
    return [pool for pool in made if pool.views and pool.share > 0]


def _train(run: StageRun, batches: TowerBatches, size: int, measured: Sequence[FilmView]) -> MammogramTower:
    """One stage with metrics every 500 steps; returns a tower with averaged weights, its filters fixed as before."""
    tower = run.module
    assert isinstance(tower, MammogramTower)  # what this stage trains
    run.resume()
    while run.step < run.schedule.steps:
        run.train(lambda step: tower_loss(tower, batches(step)), until=(run.step // 500 + 1) * 500)
        metrics = film_metrics(measured, list(read_views(_averaged(run), measured, size)))
        log.info("%s step %d: %s", run.folder.name, run.step, "  ".join(f"{k} {v:.3f}" for k, v in metrics.items()))
    averaged = _averaged(run)
    fix_depthwise(averaged.backbone)
    return averaged


def _averaged(run: StageRun) -> MammogramTower:
    """A tower with a run's averaged weights, in evaluation mode, where the run is."""
    averaged: MammogramTower = AutoModel.from_config(MammogramTowerConfig())
    averaged.load_state_dict(run.averaged_state())
    averaged.to(run.device).eval()
    return averaged
