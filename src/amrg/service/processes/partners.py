"""The second worker: what waits for partners. A process without a model: a partner that hangs delays no draft."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from sqlalchemy.orm import Session, sessionmaker

from amrg.service import audit, queue
from amrg.service.database.engine import database_now
from amrg.service.database.tables import CommitmentRow, JobKind
from amrg.service.delivering import Deliverer
from amrg.service.node.commitment import report_commitment
from amrg.service.node.server import quiet_pynetdicom
from amrg.service.processes.job_loop import Handler, JobLoop
from amrg.service.pulling.handling import Puller
from amrg.service.queue import Lease
from amrg.service.settings import Settings
from amrg.service.storage import Storage


def run_partner_worker(settings: Settings, sessions: sessionmaker[Session], worker: str, stop: threading.Event) -> None:
    """Report, deliver, and pull in a thread beside that: a study that takes long to come delays no report."""
    quiet_pynetdicom()
    limits = (settings.dicom.object_megabytes * 2**20, settings.reserve_megabytes * 2**20)
    partners = Partners(settings, sessions, Storage(settings.images, *limits))
    deliverer = Deliverer(settings, sessions, partners.storage)
    puller = Puller(settings, sessions, partners.storage)
    pulling = JobLoop(sessions, worker, {JobKind.PULL: puller.pull}, settings.jobs, stop)
    thread = threading.Thread(target=pulling.run, name="pulling", daemon=True)
    thread.start()
    handlers: dict[JobKind, Handler] = {JobKind.COMMITMENT: partners.report, JobKind.DELIVER: deliverer.deliver}
    JobLoop(sessions, worker, handlers, settings.jobs, stop).run()
    thread.join()


@dataclass(frozen=True)
class Partners:
    """Jobs that wait for another system."""

    settings: Settings
    sessions: sessionmaker[Session]
    storage: Storage

    def report(self, lease: Lease) -> None:
        """Report a storage commitment.

        Raises:
            NotReported: the sender did not take it.
            LeaseLost: another worker has the job by now.
        """
        transaction = str(lease.payload["transaction_uid"])
        with self.sessions.begin() as session:
            queue.renew(session, lease)  # nothing is sent under a lease that was lost
        report_commitment(self.sessions, self.storage, self.settings, transaction)
        with self.sessions.begin() as session:
            row = session.get_one(CommitmentRow, transaction)
            row.reported_at = database_now(session)
            queue.finish(session, lease)
            audit.append(session, audit.SYSTEM, "storage commitment reported", transaction, {"station": row.sender})
