"""A run's predictions made on a Ray cluster: each case into a file of its own, from which the run is put together.

The run then resumes as from its own predictions, in the order of its cases, so that it ends with the same bytes.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

from amrg.benchmark.layout import PREDICTIONS
from amrg.benchmark.prediction_log import read_finished, to_line
from amrg.benchmark.run.predict import Drafter, parts_folder, predict_each, prediction_part
from amrg.benchmark.run.run_config import RunConfig, load_cases
from amrg.core.attempts import new_session
from amrg.core.files import atomic_write
from amrg.core.plurals import counted
from amrg.core.progress import Progress
from amrg.core.ray_cluster import RayPlan, SharedFolder, Work, map_on_ray
from amrg.generation import Engine
from amrg.generation.engines.base import EngineDrifted
from amrg.metrics.prediction import Prediction

DONE = "done"
"""An actor's result of a case whose prediction is on disk."""


def predict_on_ray(config: RunConfig, load: Callable[[], Engine], plan: RayPlan, progress: Progress) -> None:
    """Predict every case of a run that has no prediction yet; `load` is pickled, and the paths are absolute.

    Raises:
        RayError: the cluster cannot be reached, or the folder is not shared by all nodes.
        EngineDrifted: the engine answers otherwise than at the start; what was predicted after that is withdrawn.
        BenchmarkError: the part is empty, or the folder has predictions of other cases.
        DatasetError: no such data set, split or part.
    """
    keys = [case.key for case in load_cases(config).references.cases]
    finished = {prediction.key for prediction in read_finished(config.out / PREDICTIONS, keys)}
    missing = [key for key in keys if key not in finished and not prediction_part(config.out, key).is_file()]
    shared = SharedFolder(parts_folder(config.out), new_session())
    lines = map_on_ray(missing, partial(_make, config, load, shared), plan)
    with _withdrawing(shared.folder), closing(lines), shared.opened():
        for number, line in enumerate(lines, 1):
            if line != DONE:
                raise EngineDrifted(**json.loads(line))
            progress("drafting on the cluster", number, len(missing))


@contextmanager
def _withdrawing(parts: Path) -> Iterator[None]:
    """Where the engine drifts in the block, remove what any actor predicted after that.

    No actor may predict any more when the block ends: what one writes later stays.

    Raises:
        EngineDrifted: it did; says how many predictions were withdrawn.
    """
    try:
        yield
    except EngineDrifted as error:
        late = [part for part in parts.glob("*.json") if part.stat().st_mtime >= error.since]
        for part in late:
            part.unlink()
        raise error.withdrawing(f"of this run {counted(len(late), 'prediction')}") from error


def _make(config: RunConfig, load: Callable[[], Engine], shared: SharedFolder) -> Work:
    """The work of an actor: keys of cases to `DONE` each, once the predictions are on disk and the engine confirmed."""
    shared.require("--out")
    cases, drafter = load_cases(config), Drafter(load(), config.score_text)
    by_key = {case.key: case for case in cases.references.cases}
    drifted = ""

    def predict(keys: list[str]) -> list[str]:
        nonlocal drifted
        missing = [by_key[key] for key in keys if not prediction_part(config.out, key).is_file()]
        try:
            if not drifted:
                for prediction in predict_each(missing, cases.open_case, drafter, config.out, times=False):
                    _write_part(config.out, prediction)
                drafter.engine.confirm()
        except EngineDrifted as error:
            drifted = json.dumps({"message": str(error), "since": error.since})
        return [drifted or DONE] * len(keys)

    return predict


def _write_part(folder: Path, prediction: Prediction) -> None:
    """Write a prediction apart, whole or not at all; its file's time is by this machine's clock, as engines are."""
    with atomic_write(prediction_part(folder, prediction.key)) as partial_path:
        partial_path.write_bytes(to_line(prediction))
        now = time.time()
        os.utime(partial_path, (now, now))
