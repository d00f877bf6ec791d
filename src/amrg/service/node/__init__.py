"""The DICOM node: what stations send, and storage commitment."""
