"""The service's settings: one TOML file, closed, every field checked before anything starts."""

from __future__ import annotations

from enum import StrEnum
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Literal, Self, TypeVar

from pydantic import (
    Field,
    HttpUrl,
    SecretStr,
    StringConstraints,
    field_validator,
    model_validator,
)

from amrg.core.duplicates import duplicates
from amrg.core.errors import AmrgError
from amrg.core.values import Value, read_toml
from amrg.delivery.fhir.profile import FhirProfile
from amrg.delivery.hl7.receiver import ReceiverProfile

AeTitle = Annotated[str, StringConstraints(min_length=1, max_length=16, pattern=r"^[^\\\x00-\x1f]*\S[^\\\x00-\x1f]*$")]


Read = TypeVar("Read", bound=Value)


class SettingsError(AmrgError):
    """Settings that the service cannot start with."""


def _require(setting: str, settings: Value, *others: str) -> None:
    """Refuse settings of TLS that have no effect without another one: what they are for would be sent in the clear.

    Raises:
        ValueError: one of them is given, and `setting` is not.
    """
    given = [other for other in others if getattr(settings, other) is not None]
    if given and getattr(settings, setting) is None:
        raise ValueError(f"{given[0]} without {setting}: nothing would be encrypted; name both, or neither")


class Sender(Value):
    """A station that may send: its AE title, and its address where only that one may use the title.

    `port` is where it listens, for its storage commitment reports; `host` where that is another address.
    """

    ae_title: AeTitle
    address: str = ""
    host: str = ""
    port: int | None = Field(None, ge=1, le=65535)

    @field_validator("address")
    @classmethod
    def _is_address(cls, address: str) -> str:
        if address:
            ip_network(address, strict=False)
        return address


class DicomSettings(Value):
    """The DICOM node. With no `senders`, only stations of this machine may send."""

    ae_title: AeTitle = "AMRG"
    host: str = "127.0.0.1"
    port: int = Field(11112, ge=0, le=65535)
    senders: tuple[Sender, ...] = ()
    associations: int = Field(64, ge=1)
    associations_a_sender: int = Field(16, ge=1)
    idle_seconds: float = Field(60, gt=0)
    object_megabytes: int = Field(4096, ge=1)
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    tls_ca: Path | None = None

    @model_validator(mode="after")
    def _encrypts(self) -> Self:
        _require("tls_certificate", self, "tls_ca", "tls_key")
        return self


class HttpSettings(Value):
    """The HTTP API."""

    host: str = "127.0.0.1"
    port: int = Field(8042, ge=0, le=65535)
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    upload_megabytes: int = Field(1024, ge=1)
    session_minutes: int = Field(480, ge=1)

    @model_validator(mode="after")
    def _encrypts(self) -> Self:
        _require("tls_certificate", self, "tls_key")
        return self


class OpenIdSettings(Value):
    """A provider of OpenID Connect; `role_claim` is the claim that has the user's role."""

    issuer: str
    client_id: str
    client_secret: str
    role_claim: str = "amrg_role"


class JobSettings(Value):
    """How work is handed out: a lease is renewed at a third of its length, attempts wait twice as long each time.

    A job that `losses` workers did not survive is set aside. What is sent to partners is tried `partner_attempts`
    times, with these waits for half a day. With `most_waiting` studies to be drafted, senders are asked to come again.
    """

    lease_seconds: float = Field(60, gt=0)
    attempts: int = Field(5, ge=1)
    partner_attempts: int = Field(80, ge=1)
    losses: int = Field(2, ge=1)
    most_waiting: int = Field(5000, ge=1)
    backoff_seconds: float = Field(2, ge=0)
    longest_backoff_seconds: float = Field(600, ge=0)


class Sends(StrEnum):
    """Which versions of a report a destination gets. Drafts leave only where a site asks for them."""

    SIGNED = "signed"
    ALL = "all"


DicomFormat = Literal["sr", "measurements", "cad", "pdf"]
SourceName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,39}$")]
DestinationName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]


class DestinationSettings(Value):
    """A system that reports go to. An attempt to send ends after `deadline_seconds`, whatever the other side does."""

    name: DestinationName
    sends: Sends = Sends.SIGNED
    deadline_seconds: float = Field(30, gt=0)


class PartnerTls(Value):
    """TLS to a partner: with `tls_ca` (PEM) its certificate is checked; without, nothing is encrypted.

    `tls_certificate` and `tls_key` are what it is shown.
    """

    tls_ca: Path | None = None
    tls_certificate: Path | None = None
    tls_key: Path | None = None

    @model_validator(mode="after")
    def _encrypts(self) -> Self:
        _require("tls_ca", self, "tls_certificate", "tls_key")
        return self


class MllpDestination(DestinationSettings, PartnerTls):
    """A receiver of HL7 v2 over MLLP."""

    kind: Literal["mllp"]
    host: str
    port: int = Field(ge=1, le=65535)
    receiver: ReceiverProfile = ReceiverProfile()

    @property
    def formats(self) -> tuple[str, ...]:
        """What is sent."""
        return ("hl7",)


class FhirDestination(DestinationSettings):
    """The base URL of a FHIR R4 server. `token` is a bearer token, `tls_ca` (PEM) the site's own authority."""

    kind: Literal["fhir"]
    url: HttpUrl
    token: SecretStr | None = None
    tls_ca: Path | None = None
    server: FhirProfile = FhirProfile()

    @property
    def formats(self) -> tuple[str, ...]:
        """What is sent."""
        return ("fhir",)


class StowDestination(DestinationSettings):
    """The base URL of a DICOMweb service, as `https://pacs/dicom-web`; the rest as for FHIR."""

    kind: Literal["stow"]
    url: HttpUrl
    formats: tuple[DicomFormat, ...] = Field(("sr", "pdf"), min_length=1)
    token: SecretStr | None = None
    tls_ca: Path | None = None


class StoreDestination(DestinationSettings, PartnerTls):
    """A DICOM station that stores by C-STORE."""

    kind: Literal["c-store"]
    host: str
    port: int = Field(ge=1, le=65535)
    ae_title: AeTitle
    formats: tuple[DicomFormat, ...] = Field(("sr", "pdf"), min_length=1)


AnyDestination = Annotated[
    MllpDestination | FhirDestination | StowDestination | StoreDestination, Field(discriminator="kind")
]


class SourceSettings(Value):
    """A system that studies are pulled from. With `priors`, earlier mammograms of a new study's patient are.

    A draft waits for them for `wait_seconds` at most. An answer that is not there after `deadline_seconds` is none.
    """

    name: SourceName
    priors: bool = False
    wait_seconds: float = Field(120, ge=0)
    deadline_seconds: float = Field(300, gt=0)


class DicomSource(SourceSettings, PartnerTls):
    """A DICOM station that answers C-FIND and sends to this node by C-MOVE."""

    kind: Literal["dicom"]
    host: str
    port: int = Field(ge=1, le=65535)
    ae_title: AeTitle


class WebSource(SourceSettings):
    """The base URL of a DICOMweb service with QIDO-RS and WADO-RS; the rest as for FHIR."""

    kind: Literal["dicomweb"]
    url: HttpUrl
    token: SecretStr | None = None
    tls_ca: Path | None = None


AnySource = Annotated[DicomSource | WebSource, Field(discriminator="kind")]


class Settings(Value):
    """All of them. `folder` has the images and the database where no other is named.

    A study is complete when nothing of it arrived for `quiet_seconds`. `reserve_megabytes` of the disk stay free: below
    that nothing more is received.

    `engine` is where `model` runs, as `amrg report --engine` has it; the worker knows which there are.
    `facility_name` is the site in exported audit events, and the organization of readers who log in by OpenID.
    """

    folder: Path = Path("amrg-data")
    database_url: str = ""
    model: str | None = None
    engine: str = "local"
    facility_name: str = ""
    quiet_seconds: float = Field(30, ge=0)
    reserve_megabytes: int = Field(512, ge=0)
    jobs: JobSettings = JobSettings()
    dicom: DicomSettings = DicomSettings()
    http: HttpSettings = HttpSettings()
    openid: OpenIdSettings | None = None
    destinations: tuple[AnyDestination, ...] = ()
    sources: tuple[AnySource, ...] = ()

    @model_validator(mode="after")
    def _every_name_stands_once(self) -> Self:
        for kind, named in (("destination", self.destinations), ("source", self.sources)):
            if twice := duplicates(one.name for one in named):
                raise ValueError(f"two {kind}s are named {twice[0]}; give every {kind} a name of its own")
        return self

    @property
    def database(self) -> str:
        """SQLAlchemy's URL of the database."""
        return self.database_url or f"sqlite:///{self.folder / 'amrg.sqlite3'}"

    @property
    def images(self) -> Path:
        """Where received images are kept."""
        return self.folder / "images"


def read_settings(file: Path) -> Settings:
    """Settings from a file; its relative paths are taken from the folder that it is in.

    Raises:
        SettingsError: it is not there, no TOML, or has a field that is unknown or out of range.
    """
    try:
        return _placed(read_toml(file, Settings, SettingsError), file.absolute().parent)
    except OSError as error:
        raise SettingsError(f"{file}: not readable; write one, as docs/operations.md shows") from error


def _placed(settings: Read, folder: Path) -> Read:
    """Settings whose relative paths, and those of their parts, are taken from a folder."""

    def place(value: object) -> object:
        if isinstance(value, tuple):
            return tuple(map(place, value))
        if isinstance(value, Path):
            return folder / value
        return _placed(value, folder) if isinstance(value, Value) else value

    return settings.model_copy(update={name: place(value) for name, value in settings})


def make_folder(folder: Path) -> None:
    """Make the settings' folder where there is none, for its owner and group alone: it has patients' data.

    Raises:
        OSError: it cannot be made.
    """
    folder.mkdir(mode=0o750, parents=True, exist_ok=True)
