"""The parts of a data set made on a Ray cluster, each by an actor that reads the tables itself.

Numbers of parts go through Ray, rows and cases do not. The import then ends as if it were resumed: its parts are
compared with the tables here, so that it ends with the bytes of one on one machine.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from amrg.core.attempts import Attempts, new_session
from amrg.core.hashing import sha256_of_lines, sha256_of_text
from amrg.core.progress import Progress
from amrg.core.ray_cluster import RayError, RayPlan, SharedFolder, Work, is_node_up, map_on_ray, node_id
from amrg.datasets.case import Case
from amrg.datasets.import_dataset import PART, ImportJob, batches, case_of, new_part, open_job
from amrg.datasets.importer import DatasetError, Importer, Item, Odd, Oddity
from amrg.datasets.store import part_path

ATTEMPTS = ".attempts"
"""The folder of what is in work, inside the data set's while it is imported."""


def make_parts_on_ray(
    importer: Importer, root: Path, out: Path, plan: RayPlan, progress: Progress, size: int = PART
) -> None:
    """Make every part that `out` lacks; `import_dataset` then finds them there, and finishes.

    A case whose files end two processes is skipped and named among the oddities.

    Raises:
        DatasetError: as `import_dataset` raises it before its first part.
        RayError: the cluster cannot be reached, `out` or `root` is not what the nodes see there, or an actor cannot
            make a part.
    """
    job = open_job(importer, root, out.resolve(), size)
    count = sum(1 for _ in batches(job, lambda oddity: None))
    missing = [str(number) for number in range(count) if not part_path(job.out, number).is_file()]
    if not missing:
        return
    shared = SharedFolder(job.out, new_session())
    with shared.opened():
        make = partial(_make, job, shared, _listing(job.root))
        for done, _ in enumerate(map_on_ray(missing, make, replace(plan, batch=1, gpus=0.0)), 1):
            progress("importing on the cluster", done, len(missing))
    shutil.rmtree(job.out / ATTEMPTS, ignore_errors=True)


def _listing(root: Path) -> str:
    """A hash of the names in a folder."""
    return sha256_of_lines(sorted(path.name for path in root.iterdir()))


def _make(job: ImportJob, shared: SharedFolder, listing: str) -> Work:
    """The work of an actor: numbers of parts to the same numbers, once the parts are on disk."""
    shared.require("--out")
    if not job.root.is_dir() or _listing(job.root) != listing:
        raise RayError(
            f"{job.root}: not the same folder on node {node_id()} as where the command runs; put the data set where "
            "all nodes see it under one path"
        )
    attempts = Attempts(job.out / ATTEMPTS, shared.session, node_id(), is_up=is_node_up)
    return PartMaker(job, attempts).make


@dataclass
class PartMaker:
    """Makes parts by their numbers. The tables are read from their start once, or again where a number comes late."""

    job: ImportJob
    attempts: Attempts
    _oddities: list[Oddity] = field(default_factory=list)
    _next: int = 0
    _batches: Iterator[list[Item]] | None = None

    def make(self, numbers: list[str]) -> list[str]:
        """Make the parts that are not there yet; returns the numbers."""
        for number in map(int, numbers):
            path = part_path(self.job.out, number)
            if not path.is_file():
                self._make_part(number, path)
        return numbers

    def _make_part(self, number: int, path: Path) -> None:
        name = path.stem
        batch = self._batch(number)
        if not self.attempts.deaths(name).count:
            with self.attempts.working([name], 0):
                new_part(self.job, path, batch, self._oddities)
        else:  # one by one, so that it is known which case it is if it ends this process too
            new_part(self.job, path, batch, self._oddities, self._case_alone)
        self.attempts.end(name)

    def _batch(self, number: int) -> list[Item]:
        """The items of a part; the oddities are then those of the tables within it."""
        if self._batches is None or self._next > number:
            self._batches, self._next = batches(self.job, self._oddities.append), 0
        self._oddities.clear()
        for batch in self._batches:
            self._next += 1
            if self._next > number:
                return batch
            self._oddities.clear()
        raise DatasetError(f"{self.job.root}: its tables end before part {number}; they changed: import again")

    def _case_alone(self, job: ImportJob, item: Item, odd: Odd) -> Case | None:
        """A case of a part that has ended a process; None where it was this case, and ended another."""
        name = sha256_of_text(item.key)[:32]
        if self.attempts.deaths(name).count:
            odd(Oddity(where=item.key, found="its files ended 2 processes", expected="files that can be read"))
            self.attempts.end(name)
            return None
        with self.attempts.working([name], 0):
            case = case_of(job, item, odd)
        self.attempts.end(name)
        return case
