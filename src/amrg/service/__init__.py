"""The hospital's side: DICOM node, HTTP API, job queue, database, audit trail, and the worker that drafts."""
