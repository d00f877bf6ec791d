"""A run's predictions made on a Ray cluster: each case into a file of its own, from which the run is put together.

The run then resumes as from its own predictions, in the order of its cases, so that it ends with the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from amrg.benchmark.layout import PREDICTIONS
from amrg.benchmark.prediction_log import read_finished, to_line
from amrg.benchmark.run.predict import Drafter, predict_each, prediction_part
from amrg.benchmark.run.run_config import RunConfig, load_cases
from amrg.core.attempts import new_session
from amrg.core.files import atomic_write
from amrg.core.progress import Progress
from amrg.core.ray_cluster import RayPlan, SharedFolder, Work, map_on_ray
from amrg.generation import Engine


def predict_on_ray(config: RunConfig, load: Callable[[], Engine], plan: RayPlan, progress: Progress) -> None:
    """Predict every case of a run that has no prediction yet; `load` is pickled, and the paths are absolute.

    Raises:
        RayError: the cluster cannot be reached, or the folder is not shared by all nodes.
        BenchmarkError: the part is empty, or the folder has predictions of other cases.
        DatasetError: no such data set, split or part.
    """
    keys = [case.key for case in load_cases(config).references.cases]
    finished = {prediction.key for prediction in read_finished(config.out / PREDICTIONS, keys)}
    missing = [key for key in keys if key not in finished and not prediction_part(config.out, key).is_file()]
    shared = SharedFolder(prediction_part(config.out, "").parent, new_session())
    with shared.opened():
        for number, _ in enumerate(map_on_ray(missing, partial(_make, config, load, shared), plan), 1):
            progress("drafting on the cluster", number, len(missing))


def _make(config: RunConfig, load: Callable[[], Engine], shared: SharedFolder) -> Work:
    """The work of an actor: keys of cases to the same keys, once the predictions are on disk."""
    shared.require("--out")
    cases, drafter = load_cases(config), Drafter(load(), config.score_text)
    by_key = {case.key: case for case in cases.references.cases}

    def predict(keys: list[str]) -> list[str]:
        missing = [by_key[key] for key in keys if not prediction_part(config.out, key).is_file()]
        for prediction in predict_each(missing, cases.open_case, drafter, config.out, times=False):
            with atomic_write(prediction_part(config.out, prediction.key)) as partial_path:
                partial_path.write_bytes(to_line(prediction))
        return keys

    return predict
