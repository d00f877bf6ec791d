"""Reports for other systems: DICOM SR and PDF, FHIR, HL7 v2. From a `ReportVersion` and the headers of its images."""

from amrg.delivery.errors import DeliveryError
from amrg.delivery.source import SourceStudy, read_source

__all__ = ["DeliveryError", "SourceStudy", "read_source"]
