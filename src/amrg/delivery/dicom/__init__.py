"""A version of a report as DICOM objects in the study of its images."""

from amrg.delivery.dicom.identity import ObjectKind, object_uid
from amrg.delivery.dicom.measurement import measurement_sr
from amrg.delivery.dicom.text import text_sr

__all__ = ["ObjectKind", "measurement_sr", "object_uid", "text_sr"]
