"""Tasks drafted by the actors of a Ray cluster, with the same records as in processes of one machine."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import astuple
from functools import partial
from pathlib import Path

from amrg.core.ray_cluster import RayError, RayPlan, SharedFolder, Work, is_node_up, map_on_ray, node_id
from amrg.generation.bulk.drafting import TaskResult, UnwritableOutput, Waited, withdrawing
from amrg.generation.bulk.index import StudyTask
from amrg.generation.bulk.processes import WorkerPlan, WorkerReady
from amrg.generation.bulk.records import RECORDS, TaskRecord
from amrg.generation.engines.base import EngineDrifted


def draft_on_ray(tasks: Iterable[StudyTask], plan: WorkerPlan, ray: RayPlan) -> Generator[WorkerReady | TaskResult]:
    """A result a task, as they come, each with the lines of its engine before it. No draft goes through Ray.

    The files of the tasks and the folder of reports are where all nodes find them, by absolute paths.

    Raises:
        RayError: the cluster cannot be reached, the engine cannot be loaded, or the folder is not shared by all nodes.
        EngineDrifted: the engine answers otherwise than at the start; what was drafted after that is withdrawn.
    """
    by_name: dict[str, StudyTask] = {}
    lines = map_on_ray(_noted(tasks, by_name), partial(_make, plan), ray)
    with withdrawing(plan.options.folder), closing(lines), _shared(plan).opened():
        for line in lines:
            result = json.loads(line)
            if "drifted" in result:
                raise EngineDrifted(result["drifted"], result["since"])
            yield WorkerReady(tuple(result["notes"]), 1)
            record = TaskRecord.model_validate(result["record"])
            yield TaskResult(by_name.pop(result["task"]), record, result["resumed"], waited=Waited(*result["waited"]))


def _noted(tasks: Iterable[StudyTask], by_name: dict[str, StudyTask]) -> Iterator[str]:
    """Tasks as lines, each kept until its result comes."""
    for task in tasks:
        by_name[task.name] = task
        yield json.dumps({"name": task.name, "files": [str(f) for f in task.files], "studies": task.studies})


def _shared(plan: WorkerPlan) -> SharedFolder:
    return SharedFolder(plan.options.folder / RECORDS, plan.session)


def _make(plan: WorkerPlan) -> Work:
    """The work of an actor: its engine loaded, lines of tasks to lines of records."""
    _shared(plan).require("--out")
    drafter = plan.drafter(node_id(), is_node_up)
    drifted = ""

    def draft(lines: list[str]) -> list[str]:
        nonlocal drifted
        tasks = [_task(line) for line in lines]
        try:
            results = {} if drifted else {result.task.name: result for result in drafter.run(tasks)}
        except EngineDrifted as error:
            drifted = json.dumps({"drifted": str(error), "since": error.since})
        except UnwritableOutput as error:
            raise RayError(f"{error.error.filename}: cannot be written ({error.error.strerror})") from error
        return [drifted or _line(results[task.name], drafter.engine.notes) for task in tasks]

    return draft


def _task(line: str) -> StudyTask:
    fields = json.loads(line)
    return StudyTask(fields["name"], tuple(map(Path, fields["files"])), tuple(fields["studies"]))


def _line(result: TaskResult, notes: tuple[str, ...]) -> str:
    record = result.record.model_dump(mode="json", exclude_defaults=True)
    fields = {"task": result.task.name, "record": record, "resumed": result.resumed, "notes": notes}
    return json.dumps({**fields, "waited": astuple(result.waited)})
