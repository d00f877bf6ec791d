"""SIGKILL of the service's processes at random moments while studies are in flight: is each drafted and delivered once?

Every draft is delivered by HL7 v2 to a receiver of this program. Ends with 1 where a study is missing, drafted twice
for one state of its images, not delivered, delivered as another message when it was sent again, or has a file that is
not intact.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import socketserver
import tempfile
import threading
from collections import Counter
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
        with (
            Receiver() as receiver,
            loaded_service(folder / "service", asked.model, 1000, asked.database, receiver.settings) as service,
        ):
            killer = Killer(service, asked.every, asked.seed)
            killer.start()
            attempts = [service.send(files) for files in make_studies(folder / "studies", asked.studies)]
            states = service.settle()
            queued, arrived = service.deliver()
            killer.ended.set()
            killer.join()
            broken = not_intact(service, Storage(folder / "service" / "data" / "images"))
            twice, dead = service.twice(), service.dead()
    print(f"{asked.studies} studies sent, {sum(attempts) - len(attempts)} sent again after a failure")
    print("killed: " + ", ".join(f"{kind} {killer.count[kind]}" for kind in KINDS))
    print("states: " + ", ".join(f"{state} {number}" for state, number in states.items()))
    print(f"drafted twice: {twice}; jobs set aside: {dead}; files not intact: {broken}")
    again = sum(receiver.received.values()) - len(receiver.received)
    print(f"deliveries: {arrived} of {queued}; messages received: {len(receiver.received)}, {again} of them again")
    complete = arrived == queued == len(receiver.received)
    return int(states != {"drafted": asked.studies} or twice > 0 or broken > 0 or not complete)


class Receiver(socketserver.ThreadingTCPServer):
    """A receiver of HL7 v2 over MLLP that accepts every message and counts them by control id (MSH-10)."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Receiving)
        self.received: Counter[str] = Counter()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def settings(self) -> str:
        """It as a destination of drafts."""
        port = self.server_address[1]
        return f'[[destinations]]\nname = "ris"\nkind = "mllp"\nhost = "127.0.0.1"\nport = {port}\nsends = "all"\n'


class Receiving(socketserver.StreamRequestHandler):
    """One connection, with one message."""

    server: Receiver

    def handle(self) -> None:
        """Read a message and acknowledge it."""
        message = b""
        while not message.endswith(b"\x1c\x0d"):
            if not (part := self.connection.recv(1 << 16)):
                return
            message += part
        control_id = message.split(b"|", 10)[9].decode()
        self.server.received[control_id] += 1
        answer = f"MSH|^~\\&|RIS|H|AMRG||20261128||ACK^R01^ACK|1|P|2.5.1\rMSA|AA|{control_id}\r"
        self.wfile.write(b"\x0b" + answer.encode() + b"\x1c\x0d")


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
