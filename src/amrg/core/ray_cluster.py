"""Work on a Ray cluster by Ray Data: short texts in, short texts out, whatever is killed meanwhile.

Only ids, paths and lines go through Ray's object store. What the work makes, it writes to files that all nodes share,
so that a repeated item finds itself done. Ray is imported when work is sent to a cluster, never before.
"""

from __future__ import annotations

import fcntl
import socket
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from itertools import islice
from pathlib import Path
from typing import Any

from amrg.core.errors import AmrgError
from amrg.core.telemetry import turn_off_telemetry

CHUNK = 20_000
"""Items of one execution: what the driver holds. Actors are started anew for every chunk."""
_PATIENCE = 10.0  # seconds for the head of a cluster to answer

Work = Callable[[list[str]], list[str]]
"""A batch of items to a result each, in order."""


class RayError(AmrgError):
    """Work on a Ray cluster that cannot be started or finished."""


@dataclass(frozen=True)
class RayPlan:
    """A cluster's address, and how many actors work with how many items at a time; None: an actor a core.

    `gpus` is how many accelerators each actor has to itself; None: one, where the cluster has any.
    """

    address: str
    workers: int | None = None
    batch: int = 4
    gpus: float | None = None


@dataclass(frozen=True)
class SharedFolder:
    """A folder that all nodes are to share, and the command that writes to it: a file of this command alone says so."""

    folder: Path
    session: str

    @contextmanager
    def opened(self) -> Iterator[None]:
        """Make the folder, with the file in it while the command runs, locked."""
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            with self._mark.open("w") as mark:
                fcntl.flock(mark, fcntl.LOCK_EX)
                yield
        finally:
            self._mark.unlink(missing_ok=True)

    def require(self, option: str, locks: bool = False) -> None:
        """Asked from an actor: that it sees the folder, and with `locks` that its file locks are those of all nodes.

        Raises:
            RayError: it does not; `option` names the folder for the user.
        """
        if not self._mark.is_file():
            raise RayError(
                f"{self.folder}: not seen on node {node_id()} (no {self._mark.name} there, which this command wrote); "
                f"name a folder for {option} that all nodes share under one path"
            )
        with self._mark.open("r+") as mark:
            try:
                fcntl.flock(mark, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return
        if locks:
            raise RayError(
                f"{self.folder}: file locks do not reach node {node_id()}, so that two could write together; name a "
                f"folder for {option} on a file system with locks for all nodes (NFS version 4; Lustre with flock)"
            )

    @property
    def _mark(self) -> Path:
        return self.folder / f".{self.session}.running"


class _Actor:
    """What runs in an actor's process: makes its work once, then does it batch by batch."""

    def __init__(self, make: Callable[[], Work]) -> None:
        self._error, self._work = "", None
        try:
            self._work = make()
        except AmrgError as error:  # it would be restarted without end
            self._error = str(error)

    def __call__(self, batch: dict[str, Any]) -> dict[str, list[str]]:
        items = [str(item) for item in batch["item"]]
        results = [""] * len(items)
        if self._work is not None and not self._error:
            try:
                results = self._work(items)
            except AmrgError as error:
                self._error = str(error)
        return {"item": items, "result": results, "error": [self._error] * len(items)}


def map_on_ray(items: Iterable[str], make: Callable[[], Work], plan: RayPlan) -> Generator[str]:
    """The results of items, which are distinct, in the order in which they are done; `make` is pickled.

    An actor that ends, alone or with its node, is replaced, and what it had not answered is done again.

    Raises:
        RayError: Ray is not installed, the cluster cannot be reached, the work cannot be done, or a result is missing.
    """
    ray = _imported()
    remaining = iter(items)
    with _connected(ray, plan):
        while chunk := list(islice(remaining, CHUNK)):
            yield from _map_chunk(ray, chunk, make, plan)


def node_id() -> str:
    """The node of the cluster that this actor is on."""
    return str(_imported().get_runtime_context().get_node_id())


def is_node_up(node: str) -> bool:
    """Whether a node of the cluster is alive; asked from an actor."""
    return any(one["NodeID"] == node and one["Alive"] for one in _imported().nodes())


def _map_chunk(ray: Any, items: Sequence[str], make: Callable[[], Work], plan: RayPlan) -> Iterator[str]:
    resources = ray.cluster_resources()
    gpus = min(1.0, resources.get("GPU", 0.0)) if plan.gpus is None else plan.gpus
    workers = plan.workers or max(1, int(resources.get("GPU" if gpus else "CPU", 1)))
    blocks = max(1, min(len(items), max(workers, len(items) // plan.batch)))
    results = ray.data.from_items([{"item": item} for item in items], override_num_blocks=blocks).map_batches(
        _Actor,
        fn_constructor_args=(make,),
        batch_size=plan.batch,
        compute=ray.data.ActorPoolStrategy(min_size=1, max_size=min(workers, blocks)),
        num_cpus=1,
        num_gpus=gpus,
        max_restarts=-1,
        max_task_retries=-1,
    )
    waiting = set(items)
    for row in results.iter_rows():
        if row["error"]:
            raise RayError(row["error"])
        if row["item"] in waiting:  # one result an item, however often it was done
            waiting.remove(row["item"])
            yield row["result"]
    if waiting:
        raise RayError(f"{len(waiting)} of {len(items)} items came back without a result; run the same command again")


def _imported() -> Any:
    turn_off_telemetry()
    try:
        ray = import_module("ray")
        import_module("ray.data")
    except ImportError as error:
        raise RayError("Ray is not installed; pip install 'amrg[ray]'") from error
    return ray


def _reach(address: str) -> None:
    """Connect to a cluster's port and close it again: Ray itself tries for minutes where nothing listens.

    Raises:
        OSError: nothing listens there.
    """
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if host and port.isdecimal():
        socket.create_connection((host, int(port)), timeout=_PATIENCE).close()


@contextmanager
def _connected(ray: Any, plan: RayPlan) -> Iterator[None]:
    """A connection to the cluster, closed where it was opened here."""
    if ray.is_initialized():
        yield
        return
    try:
        _reach(plan.address)
        ray.init(address=plan.address, log_to_driver=False, logging_level="ERROR")
    except (OSError, ValueError, RuntimeError) as error:
        raise RayError(
            f"--ray {plan.address}: no Ray cluster answers there ({str(error).splitlines()[0]}); name host:port of its "
            "head, ray://host:10001, or auto on one of its nodes"
        ) from error
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    try:
        yield
    finally:
        ray.shutdown()
