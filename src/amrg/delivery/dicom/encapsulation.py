"""The report's PDF as a DICOM object: Encapsulated PDF, PS3.3 A.45.1."""

from __future__ import annotations

from pydicom.sequence import Sequence
from pydicom.uid import EncapsulatedPDFStorage

from amrg.birads import ReportVersion
from amrg.delivery.dicom.codes import DCM
from amrg.delivery.dicom.document import add_predecessor, new_object, read_images, to_bytes
from amrg.delivery.dicom.identity import ObjectKind
from amrg.delivery.dicom.items import coded, reference_to
from amrg.delivery.dicom.pdf import report_pdf
from amrg.delivery.dicom.statement import short_state
from amrg.delivery.source import SourceStudy
from amrg.delivery.status import status_codes


def encapsulated_pdf(version: ReportVersion, source: SourceStudy, picture: bytes | None = None) -> bytes:
    """The report with its views as PDF in DICOM; `picture` is as in `report_pdf`.

    Raises:
        DeliveryError: the report is about an image that is none of the study, the picture is no image, or a character
            has no font.
    """
    kind = ObjectKind.PDF
    ds = new_object(version, source, kind, EncapsulatedPDFStorage)
    ds.ConversionType = "WSD"  # made by software, not scanned
    ds.AcquisitionDateTime = ""
    ds.BurnedInAnnotation = "YES"  # every page names the patient
    ds.DocumentTitle = f"Mammography report: {short_state(version)}"
    ds.ConceptNameCodeSequence = Sequence([coded(DCM.BreastImagingReport)])
    ds.VerificationFlag = status_codes(version.status).verification
    ds.SourceInstanceSequence = Sequence([reference_to(source.image(uid)) for uid in read_images(version, source)])
    add_predecessor(ds, version, source, kind)
    content = report_pdf(version, picture, source)
    ds.MIMETypeOfEncapsulatedDocument = "application/pdf"
    ds.EncapsulatedDocumentLength = len(content)
    ds.EncapsulatedDocument = content + b"\0" * (len(content) % 2)  # OB has an even length
    return to_bytes(ds)
