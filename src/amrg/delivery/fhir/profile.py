"""How a FHIR server wants reports."""

from __future__ import annotations

from amrg.core.values import Value


class FhirProfile(Value):
    """A server's ways: which naming systems its Patient and order identifiers have; empty: only the issuer's name."""

    patient_system: str = ""
    accession_system: str = ""
