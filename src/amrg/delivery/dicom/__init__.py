"""A version of a report as DICOM objects in the study of its images."""
