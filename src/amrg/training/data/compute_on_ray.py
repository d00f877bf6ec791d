"""Image features of a split's cases computed on a Ray cluster, each case into files of its own.

Keys of cases go through Ray, and nothing else. The command then fills its stores from those files, in the order of its
cases, so that they end with the bytes of stores that were filled on one machine.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from amrg.core.attempts import MOST, Attempts, new_session
from amrg.core.errors import AmrgError
from amrg.core.hashing import sha256_of_text
from amrg.core.progress import Progress
from amrg.core.ray_cluster import RayError, RayPlan, SharedFolder, Work, is_node_up, map_on_ray, node_id
from amrg.training.data.case_stores import CaseStores
from amrg.training.data.prepared import DataSource, open_stores
from amrg.training.errors import encoding_memory_advice, translate_failures
from amrg.training.recipe import Recipe

ATTEMPTS = ".attempts"
"""The folder of what is in work, inside the cache while it is filled."""


@dataclass(frozen=True)
class FeatureJob:
    """The features of a split for one recipe, in a cache folder; every path as all nodes see it."""

    recipe: Recipe
    source: DataSource
    cache: Path

    @classmethod
    def here(cls, recipe: Recipe, source: DataSource, cache: Path) -> FeatureJob:
        """Of paths as given in this folder."""
        base = str(Path(recipe.base).resolve()) if Path(recipe.base).exists() else recipe.base
        resolved = DataSource(source.data.resolve(), source.split)
        return cls(recipe.model_copy(update={"base": base}), resolved, cache.resolve())


@dataclass(frozen=True)
class ClusterFeatures:
    """Computes features on a cluster: an `Elsewhere` of `prepare`."""

    job: FeatureJob
    plan: RayPlan
    progress: Progress

    def __call__(self, keys: Sequence[str], stores: Sequence[str]) -> None:
        """Compute what cases lack; `stores` are the names of the stores here, empty where it does not matter.

        A case that ends two processes is set aside.

        Raises:
            RayError: the cluster cannot be reached, a node sees another cache or data set or has other software, or an
                actor cannot work.
        """
        shared = SharedFolder(self.job.cache, new_session())
        with shared.opened():
            make = partial(_make, self.job, shared, tuple(stores))
            for done, _ in enumerate(map_on_ray(keys, make, self.plan), 1):
                self.progress("computing features on the cluster", done, len(keys))
        shutil.rmtree(self.job.cache / ATTEMPTS, ignore_errors=True)


def _make(job: FeatureJob, shared: SharedFolder, stores: tuple[str, ...]) -> Work:
    """The work of an actor: keys of cases to the same keys, once their parts are on disk."""
    shared.require("--cache", locks=True)
    remains = "what is computed so far remains: free some space, then run the same command again"
    try:
        opened = open_stores(job.recipe, job.source, job.cache)
    except AmrgError as error:
        raise RayError(f"node {node_id()}: {error}") from error
    if stores and opened.names != stores:
        raise RayError(
            f"node {node_id()}: would compute other features ({', '.join(opened.names)}) than this machine "
            f"({', '.join(stores)}); use the same versions of amrg, torch and transformers, the same data set, base "
            "and kind of device on all"
        )
    attempts = Attempts(job.cache / ATTEMPTS, shared.session, node_id(), is_up=is_node_up)

    def compute(keys: list[str]) -> list[str]:
        with translate_failures(job.cache, encoding_memory_advice(job.recipe), lambda: remains):
            for key in keys:
                compute_case(opened, key, attempts, job.recipe.max_image_tokens)
        return keys

    return compute


def compute_case(stores: CaseStores, key: str, attempts: Attempts, max_image_tokens: int | None) -> None:
    """Compute the parts of one case, or set it aside where it ended two processes."""
    name = sha256_of_text(key)[:32]
    deaths = attempts.deaths(name).count
    if deaths >= MOST:
        stores.set_aside(key, f"it ended {deaths} processes that read and encoded its images")
    else:
        with attempts.working([name], deaths):
            stores.make_parts(key, max_image_tokens)
    attempts.end(name)
