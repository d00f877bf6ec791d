"""Reports as FHIR R4 transaction Bundles."""

from amrg.delivery.fhir.bundle import report_bundle, report_id, resource_id
from amrg.delivery.fhir.profile import FhirProfile

__all__ = ["FhirProfile", "report_bundle", "report_id", "resource_id"]
