"""The head of the trail in a file next to the database, moved forward by every commit.

Keep it, or copies of it, where those who administer the database cannot write: on another disk, in a log server.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from sqlalchemy import event
from sqlalchemy.orm import Session, sessionmaker

from amrg.service.audit.chain import NEW_HEAD, Head

HEAD_FILE = "audit-head"
"""Its name in the folder of the settings."""

_WIDTH = 20 + 1 + 64 + 1  # bytes: one line of fixed width is written by one call, and is never half there


def note_heads(sessions: sessionmaker[Session], file: Path) -> None:
    """From now on, note the head in the file after every commit that added to the trail.

    A process that dies between the commit and the note leaves the file behind the trail, never ahead of it. A file that
    cannot be written fails the call that committed: the row is there, and an operator sees that the head is not.
    """

    def note(session: Session) -> None:
        new = session.info.pop(NEW_HEAD, None)
        if new is not None:
            _advance(file, new)

    def forget(session: Session) -> None:
        session.info.pop(NEW_HEAD, None)

    event.listen(sessions, "after_commit", note)
    event.listen(sessions, "after_rollback", forget)


def noted_head(file: Path) -> Head | None:
    """The head that a file has, None where there is no file.

    Raises:
        HeadError: what it has is none.
        OSError: it cannot be read.
    """
    try:
        return Head.read(file.read_text(encoding="ascii", errors="replace"))
    except FileNotFoundError:
        return None


def _advance(file: Path, new: Head) -> None:
    """Write a head unless the file has a later one: processes commit in one order and arrive here in another."""
    opened = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    try:
        fcntl.flock(opened, fcntl.LOCK_EX)
        before = os.pread(opened, _WIDTH, 0).decode("ascii", errors="replace").strip()
        if not before or Head.read(before).number < new.number:
            os.pwrite(opened, f"{new.number:020d}:{new.sha256}\n".encode("ascii"), 0)
    finally:
        os.close(opened)
