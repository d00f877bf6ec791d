"""The process that others talk to: the DICOM node."""

from __future__ import annotations

import logging
import threading

from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from amrg.service.database.engine import reading
from amrg.service.database.tables import InstanceRow
from amrg.service.node.server import Node
from amrg.service.settings import Settings
from amrg.service.storage import Storage

log = logging.getLogger(__name__)


def run_service(settings: Settings, sessions: sessionmaker[Session], stop: threading.Event) -> None:
    """Receive until stopped.

    Raises:
        NodeError: a port is taken, or a certificate cannot be used.
    """
    storage = Storage(settings.images, settings.dicom.object_megabytes * 2**20, settings.reserve_megabytes * 2**20)
    node = Node(settings, sessions, storage)
    half = storage.clear_incoming()
    with reading(sessions) as session:
        orphans = storage.remove_orphans(session.scalars(select(InstanceRow.path)))
    if half or orphans:
        log.info("removed %d half received files and %d that no row points to", half, orphans)
    node.start()
    log.info("DICOM node %s on %s port %d", settings.dicom.ae_title, settings.dicom.host, node.port)
    stop.wait()
    node.stop()
