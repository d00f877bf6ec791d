"""`amrg.train`: a whole run as one value to an adapter in a folder."""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path

from amrg.datasets import open_dataset
from amrg.training.callbacks import Callback, NoCallback
from amrg.training.data.prepared import DataSource, prepare
from amrg.training.loop.tuning import tune
from amrg.training.outputs.artifacts import TrainedAdapter
from amrg.training.outputs.run_folder import RunSpec, refuse_different_recipe, refuse_different_run
from amrg.training.outputs.trackers import Trackers
from amrg.training.tracker_names import refuse_missing_trackers
from amrg.training.train_config import TrainConfig, write_config

CACHE = Path("runs") / "features"
"""Where prompts and image features are stored if a run names no folder for them."""


def train(config: TrainConfig, callback: Callback | None = None) -> TrainedAdapter:
    """Fine-tune a base with LoRA as `amrg train --config` does, and write the best adapter to `config.out`.

    Called again with the same run, it resumes an interrupted one, and returns the result of a finished one. A tracker
    of `config.report_to` that fails is a warning; the run continues.

    Raises:
        RecipeError: data, split or output folder is not given, or the package of a tracker is not installed.
        DatasetError: the data set cannot be read, or has no such split.
        ModelError: the base cannot be loaded.
        TuningError: the folder has another run, or training cannot start or resume.
    """
    data, split, folder = config.required()
    refuse_missing_trackers(config.report_to)
    training = open_dataset(data).ready_split(split, ("train", "validation")).train
    config = config.rooted().resolved(len(training))
    refuse_different_recipe(folder, config.recipe)
    store = config.cache or CACHE
    prepared = prepare(config.recipe, DataSource(data, split), store, lambda what, done, count: None)
    refuse_different_run(folder, RunSpec.of(prepared, config.recipe))
    write_config(folder, replace(config, out=folder, cache=store))
    trackers = Trackers(config.report_to, lambda line: warnings.warn(line, stacklevel=2))
    return tune(prepared, config.recipe, folder, callback or NoCallback(), trackers)
