"""Reports as FHIR R4 transaction Bundles."""

from amrg.delivery.fhir.bundle import FhirProfile, report_bundle, report_id, resource_id

__all__ = ["FhirProfile", "report_bundle", "report_id", "resource_id"]
