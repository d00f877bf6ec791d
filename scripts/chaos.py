"""SIGKILL of the service's processes at random moments while studies are in flight: is each drafted exactly once?

Ends with 1 where a study is missing, drafted twice for one state of its images, or has a file that is not intact.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import tempfile
import threading
from pathlib import Path

from service_load import KINDS, LoadedService, loaded_service, make_studies
from sqlalchemy import select

from amrg.service.database.engine import reading
from amrg.service.database.tables import InstanceRow
from amrg.service.storage import Storage


def main() -> int:
    """Run and print what was counted."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=200)
    parser.add_argument("--every", type=float, default=10, help="seconds between kills, on average")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--model", default="fixed", help="fixed: an engine that writes a constant text")
    parser.add_argument("--database", default="", help="SQLAlchemy's URL; SQLite where none is given")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        # A process is killed here whatever it does, so a study that is hit twice is no suspect.
        with loaded_service(folder / "service", asked.model, 1000, asked.database) as service:
            killer = Killer(service, asked.every, asked.seed)
            killer.start()
            attempts = [service.send(files) for files in make_studies(folder / "studies", asked.studies)]
            states = service.settle()
            killer.ended.set()
            killer.join()
            broken = not_intact(service, Storage(folder / "service" / "data" / "images"))
            twice, dead = service.twice(), service.dead()
    print(f"{asked.studies} studies sent, {sum(attempts) - len(attempts)} sent again after a failure")
    print("killed: " + ", ".join(f"{kind} {killer.count[kind]}" for kind in KINDS))
    print("states: " + ", ".join(f"{state} {number}" for state, number in states.items()))
    print(f"drafted twice: {twice}; jobs set aside: {dead}; files not intact: {broken}")
    return int(states != {"drafted": asked.studies} or twice > 0 or broken > 0)


class Killer(threading.Thread):
    """Kills a process of a random kind after random waits."""

    def __init__(self, service: LoadedService, every: float, seed: int) -> None:
        super().__init__(daemon=True)
        self.service, self.every, self.random = service, every, random.Random(seed)
        self.count, self.ended = dict.fromkeys(KINDS, 0), threading.Event()

    def run(self) -> None:
        """Kill until it is ended."""
        while not self.ended.wait(self.random.uniform(0.2, 2 * self.every)):
            kind = self.random.choice(KINDS)
            try:
                os.kill(self.service.pid(kind), signal.SIGKILL)
                self.count[kind] += 1
            except ProcessLookupError:
                continue  # it is being started again


def not_intact(service: LoadedService, storage: Storage) -> int:
    """How many rows point to a file that is missing or has other bytes."""
    with reading(service.sessions) as session:
        rows = list(session.execute(select(InstanceRow.path, InstanceRow.sha256)))
    return sum(not storage.is_intact(path, sha256) for path, sha256 in rows)


if __name__ == "__main__":
    raise SystemExit(main())
