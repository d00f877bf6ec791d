"""The service's settings: one TOML file, closed, every field checked before anything starts."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated

from pydantic import Field, StringConstraints, ValidationError

from amrg.core.errors import AmrgError
from amrg.core.values import Value, first_complaint

AeTitle = Annotated[str, StringConstraints(min_length=1, max_length=16, pattern=r"^[^\\\x00-\x1f]*\S[^\\\x00-\x1f]*$")]


class SettingsError(AmrgError):
    """Settings that the service cannot start with."""


class Sender(Value):
    """A station that may send: its AE title, and its address where only that one may use the title."""

    ae_title: AeTitle
    address: str = ""


class DicomSettings(Value):
    """The DICOM node. With no `senders`, only stations of this machine may send."""

    ae_title: AeTitle = "AMRG"
    host: str = "127.0.0.1"
    port: int = Field(11112, ge=0, le=65535)
    senders: tuple[Sender, ...] = ()
    associations: int = Field(64, ge=1)
    associations_a_sender: int = Field(16, ge=1)
    idle_seconds: float = Field(60, gt=0)
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    tls_ca: Path | None = None


class HttpSettings(Value):
    """The HTTP API."""

    host: str = "127.0.0.1"
    port: int = Field(8042, ge=0, le=65535)
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    upload_megabytes: int = Field(1024, ge=1)
    session_minutes: int = Field(480, ge=1)


class OpenIdSettings(Value):
    """A provider of OpenID Connect; `role_claim` is the claim that has the user's role."""

    issuer: str
    client_id: str
    client_secret: str
    role_claim: str = "amrg_role"


class JobSettings(Value):
    """How work is handed out: a lease is renewed at a third of its length, attempts wait twice as long each time.

    A job that `losses` workers did not survive is set aside. With `most_waiting` studies to be drafted, senders are
    asked to come again later.
    """

    lease_seconds: float = Field(60, gt=0)
    attempts: int = Field(5, ge=1)
    losses: int = Field(2, ge=1)
    most_waiting: int = Field(5000, ge=1)
    backoff_seconds: float = Field(2, ge=0)
    longest_backoff_seconds: float = Field(600, ge=0)


class Settings(Value):
    """All of them. `folder` has the images, the database where no other is named, and logs."""

    folder: Path = Path("amrg-data")
    database_url: str = ""
    model: str | None = None
    facility_name: str = ""
    facility_address: str = ""
    quiet_seconds: float = Field(30, ge=0)
    jobs: JobSettings = JobSettings()
    dicom: DicomSettings = DicomSettings()
    http: HttpSettings = HttpSettings()
    openid: OpenIdSettings | None = None

    @property
    def database(self) -> str:
        """SQLAlchemy's URL of the database."""
        return self.database_url or f"sqlite:///{self.folder / 'amrg.sqlite3'}"

    @property
    def images(self) -> Path:
        """Where received images are kept."""
        return self.folder / "images"


def read_settings(file: Path) -> Settings:
    """Settings from a file.

    Raises:
        SettingsError: it is not there, no TOML, or has a field that is unknown or out of range.
    """
    try:
        return Settings.model_validate(tomllib.loads(file.read_text(encoding="utf-8")))
    except OSError as error:
        raise SettingsError(f"{file}: not readable; write one, as docs/operations.md shows") from error
    except ValidationError as error:
        raise SettingsError(f"{file.name}: {first_complaint(error)}") from error
    except ValueError as error:
        raise SettingsError(f"{file.name}: no TOML: {error}") from error
