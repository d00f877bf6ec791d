"""Films as the tower is trained on them, on a drawn folder of films."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from amrg.training.embedded.build import training_sets
from amrg.training.tower.build import TowerRecipe, real_views
from amrg.training.tower.film_metrics import auroc
from amrg.training.tower.film_shards import film_views, usable_films
from amrg.training.tower.films import ALWAYS_TRAINED, FOLDS, Collage, find_copies, read_films, read_scene
from tests.training.filming import write_films


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("films")
    write_films(folder, patients=6)
    return folder


def test_a_film_hangs_by_its_picture_with_its_true_proportions(films: Path) -> None:
    film = read_films(films)[0]
    scene = read_scene(film)
    assert scene.pixels.shape == (800, 480)
    assert scene.breast[:, :200].mean() > scene.breast[:, -200:].mean()
    assert scene.lesions[0].box == pytest.approx((60, 350, 108, 430))


def test_patients_whose_image_is_listed_twice_are_never_held_out(tmp_path: Path) -> None:
    write_films(tmp_path, patients=1)
    lines = [json.loads(line) for line in (tmp_path / "films.jsonl").read_text(encoding="utf-8").splitlines()]
    digital = next(line for line in lines if line["file"].startswith("cesm/"))
    with Image.open(tmp_path / digital["file"]) as image:
        padded = ImageOps.expand(ImageOps.mirror(image.convert("L")), (300, 40, 0, 90)).resize((1200, 900))
    padded.save(tmp_path / "cesm-cc/benign-001.jpg")
    lines.append({**lines[-3], "file": "cesm-cc/benign-001.jpg", "outcome": "benign"})
    (tmp_path / "films.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    listed = read_films(tmp_path)
    assert {name: film.name for name, film in find_copies(listed).items()} == {
        "cesm-cc/benign-001.jpg": digital["file"]
    }
    assert {film.name for film in listed if film.fold == ALWAYS_TRAINED} == {"cesm-cc/benign-001.jpg", digital["file"]}


def test_a_version_is_determined_and_knows_what_it_pasted(films: Path) -> None:
    listed = read_films(films)
    collage = Collage([f for f in listed if f.source == "crops"])
    scene = read_scene(listed[0])
    found = [collage.version(scene, np.random.default_rng(seed)) for seed in range(12)]
    again = collage.version(scene, np.random.default_rng(3))
    assert np.array_equal(again.pixels, found[3].pixels)
    assert any(version.erased for version in found)
    assert any("calcifications" in version.pasted for version in found)
    for version in found:
        own = [lesion for lesion in version.lesions if not lesion.labels.get("pasted")]
        assert len(own) + version.erased == 1
        assert len(version.lesions) - len(own) == len(version.pasted)
        assert 0 <= version.pixels.min() <= version.pixels.max() <= 1


def test_held_out_patients_are_in_no_version_but_the_first(films: Path, tmp_path: Path) -> None:
    fold = usable_films(films)[0].fold
    first, second = (film_views(films, tmp_path, v, 128, fold) for v in (0, 1))
    assert {v.film.fold for v in first} > {v.film.fold for v in second}
    assert fold not in {v.film.fold for v in second}
    assert fold < FOLDS


def test_of_sources_that_a_recipe_does_not_name_nothing_is_used(films: Path, tmp_path: Path) -> None:
    recipe = TowerRecipe(sources=("cbis",), held_out=(usable_films(films)[0].fold + 1) % FOLDS, versions=1)
    real = real_views(recipe, films, tmp_path)
    assert {view.film.source for view in (*real.trained, *real.measured)} == {"cbis"}
    every, named = (training_sets(films, r) for r in (TowerRecipe(held_out=recipe.held_out), recipe))
    assert {found.name for found in every} - {found.name for found in named} == {"cdd-cesm"}
    assert named[0] == every[0]


def test_auroc_counts_pairs() -> None:
    assert auroc([3.0, 2.0], [1.0, 2.0]) == (1 + 1 + 1 + 0.5) / 4
    assert np.isnan(auroc([], [1.0]))
