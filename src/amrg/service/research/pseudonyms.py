"""Pseudonyms: what stands in place of identifiers and dates, the same in every export under one secret and project.

Every one is a keyed digest (HMAC-SHA256) of what it stands for. Without the secret, nobody can compute it from a guess.
"""

from __future__ import annotations

import base64
import datetime
import hmac
import os
import re
import secrets
import stat
from dataclasses import dataclass
from pathlib import Path

from amrg.core.errors import AmrgError

SECRET_FILE = "research-secret"
"""Its name in the folder of the settings."""
LEAST_DAYS, MOST_DAYS = 30, 1095
"""Dates of a patient are moved back by a number of days between these, the same for all of them."""

_BYTES = 32
_UUID_ROOT = "2.25"  # UIDs of 128 bits that nobody needs to register (PS3.5 B.2)


class SecretError(AmrgError):
    """A secret that is none, or that others can read."""


def read_secret(file: Path) -> bytes:
    """The secret of a file; made there at the first use, for its owner alone to read.

    Raises:
        SecretError: the file has something else, or others may read it.
        OSError: it cannot be read or written.
    """
    try:
        opened = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        pass
    else:
        with os.fdopen(opened, "w", encoding="ascii") as new:
            new.write(secrets.token_hex(_BYTES) + "\n")
            new.flush()
            os.fsync(new.fileno())
    if stat.S_IMODE(file.stat().st_mode) & 0o077:
        raise SecretError(f"{file}: others than its owner may read it; chmod 600, and keep copies as closely")
    text = file.read_text(encoding="ascii", errors="replace").strip()
    if not re.fullmatch(rf"[0-9a-f]{{{2 * _BYTES}}}", text):
        raise SecretError(f"{file}: no secret; expected {2 * _BYTES} hexadecimal digits: restore it from a copy")
    return bytes.fromhex(text)


@dataclass(frozen=True)
class Pseudonyms:
    """Pseudonyms of one patient in one project; those of different projects have nothing in common."""

    secret: bytes
    project: str
    patient: str

    @property
    def patient_id(self) -> str:
        """In place of PatientID and name."""
        return f"P-{self.name('patient', self.patient)}"

    @property
    def days_back(self) -> int:
        """By how many days all dates of the patient are moved into the past."""
        drawn = int.from_bytes(self._digest("days", self.patient)[:8], "big")
        return LEAST_DAYS + drawn % (MOST_DAYS - LEAST_DAYS + 1)

    def name(self, kind: str, value: str) -> str:
        """16 letters and digits in place of an identifier of a kind."""
        return base64.b32encode(self._digest(kind, value)[:10]).decode("ascii")

    def uid(self, value: str) -> str:
        """In place of a UID."""
        return f"{_UUID_ROOT}.{int.from_bytes(self._digest('uid', value)[:16], 'big')}"

    def date(self, day: datetime.date) -> datetime.date:
        """A date as it is exported.

        Raises:
            OverflowError: it would be before the first year.
        """
        return day - datetime.timedelta(days=self.days_back)

    def _digest(self, kind: str, value: str) -> bytes:
        parts = (self.project, kind, value)
        message = b"".join(len(part.encode()).to_bytes(4, "big") + part.encode() for part in parts)
        return hmac.digest(self.secret, message, "sha256")
