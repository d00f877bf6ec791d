"""Studies through the service, one after the other: memory, open files and threads of its processes.

The rate beside the bare engine's is bench_service.py's.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from service_load import KINDS, LoadedService, loaded_service, make_studies


def main() -> int:
    """Run and print what was measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=2000)
    parser.add_argument("--model", default="fixed", help="fixed: an engine that writes a constant text")
    parser.add_argument("--database", default="", help="SQLAlchemy's URL; SQLite where none is given")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder, samples = Path(name), []
        with loaded_service(folder / "service", asked.model, database=asked.database) as service:
            began = time.monotonic()
            for number, files in enumerate(make_studies(folder / "studies", asked.studies), 1):
                service.send(files)
                if number % max(1, asked.studies // 10) == 0:
                    samples.append((number, sample(service)))
            states = service.settle()
            hours = (time.monotonic() - began) / 3600
            samples.append((asked.studies, sample(service)))
            twice = service.twice()
    print(f"states: {dict(states)}; drafted twice: {twice}")
    print(f"studies an hour: {asked.studies / hours:.0f}, from the first sent to the last drafted")
    print("studies sent | " + " | ".join(f"{kind}: MB, files, threads" for kind in KINDS))
    for number, values in samples:
        print(f"{number:>12} | " + " | ".join(f"{m:.0f}, {f}, {t}" for m, f, t in values))
    return int(states != {"drafted": asked.studies} or twice > 0)


def sample(service: LoadedService) -> list[tuple[float, int, int]]:
    """Memory in MB, open files and threads of each process."""
    found = []
    for kind in KINDS:
        process = Path("/proc") / str(service.pid(kind))
        status = (process / "status").read_text(encoding="utf-8")
        value = {words[0]: words[1] for words in map(str.split, status.splitlines()) if len(words) > 1}
        files = len(list((process / "fd").iterdir()))
        found.append((int(value["VmRSS:"]) / 1024, files, int(value["Threads:"])))
    return found


if __name__ == "__main__":
    raise SystemExit(main())
