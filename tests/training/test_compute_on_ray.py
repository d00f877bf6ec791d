"""Image features computed on a cluster have the bytes of those computed here, whatever is killed meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from amrg.core.attempts import Attempts
from amrg.core.hashing import sha256_of_text
from amrg.core.ray_cluster import RayError, RayPlan
from amrg.training.data import compute_on_ray
from amrg.training.data.case_stores import SET_ASIDE
from amrg.training.data.compute_on_ray import ATTEMPTS, ClusterFeatures, FeatureJob, compute_case
from amrg.training.data.prepared import DataSource, PreparedData, open_stores, prepare
from amrg.training.recipe import Recipe
from tests.training.exams import drawn, prepared, tiny_recipe

pytestmark = pytest.mark.filterwarnings("ignore")  # Ray's own, and of its sockets


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> tuple[Recipe, DataSource, Path]:
    """A recipe, six cases of which one cannot be read, and a cache that was filled here."""
    folder = tmp_path_factory.mktemp("features")
    source = drawn(folder)
    for image in (folder / "drawn" / "study-1").glob("*.dcm"):
        image.write_bytes(b"no image")
    recipe = tiny_recipe(folder)
    prepared(recipe, source, folder / "cache")
    return recipe, source, folder / "cache"


def contents(cache: Path) -> dict[str, bytes]:
    return {str(path.relative_to(cache)): path.read_bytes() for path in cache.rglob("*") if path.is_file()}


def names(found: PreparedData) -> list[str]:
    return [sample.key for sample in (*found.train, *found.validation)]


def test_a_cache_filled_on_a_cluster_has_the_bytes_of_one_here(
    cluster: Any, doomed_node: Callable[[], None], given: tuple[Recipe, DataSource, Path], tmp_path: Path
) -> None:
    recipe, source, here = given

    def progress(what: str, done: int, count: int) -> None:
        if what == "computing features on the cluster":
            computed.append(count)
            doomed_node()

    computed: list[int] = []
    plan = RayPlan(cluster.address, batch=1)
    features = ClusterFeatures(FeatureJob.here(recipe, source, tmp_path), plan, progress)
    found = prepare(recipe, source, tmp_path, silent, features)
    assert computed == [6] * 6
    assert contents(tmp_path) == contents(here)
    assert [key for key, _ in found.skipped] == ["study-1"]


def test_a_node_that_would_compute_other_features_is_refused(
    given: tuple[Recipe, DataSource, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with another torch, kind of device or data set there; a base or data set that is not there is named."""
    recipe, source, _ = given
    for module in ("core.ray_cluster", "training.data.compute_on_ray"):
        monkeypatch.setattr(f"amrg.{module}.node_id", lambda: "ab12")
    monkeypatch.setattr(compute_on_ray, "map_on_ray", lambda keys, make, plan: make()(list(keys)))
    job = FeatureJob.here(recipe, source, tmp_path)
    with pytest.raises(RayError, match=r"node ab12: would compute other features \(images-.* on all"):
        ClusterFeatures(job, RayPlan(""), silent)(["study-0"], ("images-0", "prompts-0", "features-0"))
    elsewhere = replace(job, source=DataSource(tmp_path / "nowhere", "some"))
    with pytest.raises(RayError, match=r"node ab12: .*nowhere: no data set"):
        ClusterFeatures(elsewhere, RayPlan(""), silent)(["study-0"], ())
    ClusterFeatures(job, RayPlan(""), silent)(["study-0", "a case without a text"], ())
    assert "study-0" not in prepared_missing(job)


def silent(what: str, done: int, count: int) -> None:
    """Reports nothing."""


def prepared_missing(job: FeatureJob) -> list[str]:
    """What is computed again after a fill that found parts: nothing of them."""
    prepare(job.recipe, job.source, job.cache, silent)
    return open_stores(job.recipe, job.source, job.cache).missing()


def test_a_case_that_ended_two_processes_is_skipped_by_every_run(
    given: tuple[Recipe, DataSource, Path], tmp_path: Path
) -> None:
    recipe, source, _ = given
    stores = open_stores(recipe, source, tmp_path)
    attempts = Attempts(tmp_path / ATTEMPTS, "session", "here")
    compute_case(stores, "study-0", attempts, None)
    assert "study-0" in stores.missing()  # it has parts; whoever fills the stores takes them
    with attempts.working([sha256_of_text("study-2")[:32]], earlier=1):
        left = contents(tmp_path / ATTEMPTS)
    attempts.end(sha256_of_text("study-2")[:32])
    for name, content in left.items():  # as by a second process that ended within
        (tmp_path / ATTEMPTS / name).write_bytes(content)
    compute_case(stores, "study-2", attempts, None)
    assert list(contents(tmp_path / ATTEMPTS)) == []
    found = prepared(recipe, source, tmp_path)
    assert names(found) == ["study-0", "study-3", "study-4", "study-5"]
    assert dict(found.skipped)["study-2"] == "it ended 2 processes that read and encoded its images"
    for file in (next(tmp_path.glob("images-*")) / SET_ASIDE).iterdir():
        file.unlink()
    assert "study-2" in names(prepared(recipe, source, tmp_path))
