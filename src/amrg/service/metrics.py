"""What the node counts, for Prometheus: numbers only, no patient."""

from __future__ import annotations

from prometheus_client import Counter

ASSOCIATIONS = Counter("amrg_dicom_associations", "Associations that were requested", ["result"])
RECEIVED = Counter("amrg_dicom_instances", "Objects that were stored, or were there already", ["result"])
REFUSED = Counter("amrg_dicom_refused", "Objects that were not stored, by DICOM status", ["status"])
