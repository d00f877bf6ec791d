"""One process of the service: `python -m amrg.service.processes.entry KIND NAME`, as the supervisor starts it.

Its settings arrive as one line of JSON on standard input, so that no password is in an argument or the environment. It
stops when that input ends, which is also what a supervisor that was killed leaves behind, and on SIGTERM.
"""

from __future__ import annotations

import logging
import signal
import sys
import threading
import traceback
import warnings
from pathlib import Path
from typing import Any

from amrg.core.errors import AmrgError
from amrg.service.audit.head_file import HEAD_FILE, note_heads
from amrg.service.database.engine import DatabaseError, open_database
from amrg.service.queue import Away
from amrg.service.settings import Settings

log = logging.getLogger("amrg.service")

KINDS = ("node", "worker", "partners")
USELESS = 3
"""The exit status of a process that would fail again in the same way: wrong settings, no model, port taken."""
_PLACES = 6
"""How many of the last calls of a traceback a line of the log has."""


def main(kind: str, name: str) -> int:
    """Run until stopped; the exit status."""
    set_up_logs()
    settings = Settings.model_validate_json(sys.stdin.readline())
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the supervisor's
    threading.Thread(target=_until_input_ends, args=(stop,), daemon=True).start()
    try:
        _run(kind, name, settings, stop)
    except (DatabaseError, Away) as error:
        log.error("%s: %s", kind, error)
        return 1
    except AmrgError as error:
        log.error("%s: %s", kind, error)
        return USELESS
    return 0


def set_up_logs() -> None:
    """Lines on standard error, with nothing that names a patient: libraries may quote values in theirs."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_EventLine("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    for library in ("pydicom", "pynetdicom", "alembic", "httpx", "httpx2", "sqlalchemy", "uvicorn.access"):
        logging.getLogger(library).setLevel(logging.CRITICAL)
    warnings.simplefilter("ignore")
    threading.excepthook = lambda given: log.error("a thread ended: %s", given.exc_type.__name__)
    sys.excepthook = lambda kind, error, _: log.critical("ended by %s", _name(kind, error))


class _EventLine(logging.Formatter):
    """One line an event. Of an error it has the kind and where it was raised; the text may name a patient."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        record.exc_text = None  # what another handler may have made of the error
        return " ".join(line.strip() for line in super().format(record).splitlines() if line.strip())

    def formatException(self, ei: Any) -> str:  # noqa: N802
        """The kind of an error, and the last places of its traceback."""
        kind, _, trace = ei
        places = [f"{Path(f.filename).name}:{f.lineno}" for f in traceback.extract_tb(trace)[-_PLACES:]]
        return f"{kind.__name__} at {', '.join(places)}" if kind is not None else ""


def _name(kind: type[BaseException], error: BaseException) -> str:
    """An error without its text, which may name a patient; the module that is missing names none."""
    missing = error.name if isinstance(error, ModuleNotFoundError) else None
    return f"{kind.__name__}: {missing} is not installed" if missing else kind.__name__


def _until_input_ends(stop: threading.Event) -> None:
    while sys.stdin.read(1024):
        pass
    stop.set()


def _run(kind: str, name: str, settings: Settings, stop: threading.Event) -> None:
    sessions = open_database(settings.database)
    note_heads(sessions, settings.folder / HEAD_FILE)
    if kind == "node":
        from amrg.service.processes.node import run_service  # noqa: PLC0415  (each process loads only its own part)

        run_service(settings, sessions, stop)
    elif kind == "worker":
        from amrg.service.worker.drafting import run_worker  # noqa: PLC0415

        run_worker(settings, sessions, name, stop)
    else:
        from amrg.service.processes.partners import run_partner_worker  # noqa: PLC0415

        run_partner_worker(settings, sessions, name, stop)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
