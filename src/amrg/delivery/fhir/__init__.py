"""Reports as FHIR R4 transaction Bundles."""
