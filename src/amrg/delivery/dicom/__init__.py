"""A version of a report as DICOM objects in the study of its images."""

from amrg.delivery.dicom.cad import cad_sr
from amrg.delivery.dicom.encapsulation import encapsulated_pdf
from amrg.delivery.dicom.identity import ObjectKind, object_uid
from amrg.delivery.dicom.measurement import measurement_sr
from amrg.delivery.dicom.pdf import report_pdf
from amrg.delivery.dicom.text import text_sr

__all__ = ["ObjectKind", "cad_sr", "encapsulated_pdf", "measurement_sr", "object_uid", "report_pdf", "text_sr"]
