"""How a site's systems want reports: one TOML file with a table a standard."""

from __future__ import annotations

from pathlib import Path

from amrg.core.values import Value, read_toml
from amrg.delivery.errors import DeliveryError
from amrg.delivery.fhir.profile import FhirProfile
from amrg.delivery.hl7.receiver import ReceiverProfile


class SiteProfile(Value):
    """Tables `[hl7]` and `[fhir]`; what is not named is as the standard has it."""

    hl7: ReceiverProfile = ReceiverProfile()
    fhir: FhirProfile = FhirProfile()


def read_profile(file: Path) -> SiteProfile:
    """A profile from a file.

    Raises:
        DeliveryError: it is not readable, no TOML, or has a field that is unknown or out of range.
    """
    try:
        return read_toml(file, SiteProfile, DeliveryError)
    except OSError as error:
        raise DeliveryError(f"{file}: cannot be read ({error.strerror})") from error
