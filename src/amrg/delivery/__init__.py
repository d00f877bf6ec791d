"""Reports for other systems: DICOM SR and PDF, FHIR, HL7 v2. From a `ReportVersion` and the headers of its images."""
