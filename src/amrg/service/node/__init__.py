"""The DICOM node: what stations send, storage commitment, and what is pulled from archives."""
