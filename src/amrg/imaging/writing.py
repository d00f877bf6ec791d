"""Writing mammograms: Digital Mammography X-Ray Image Storage - For Presentation, PS3.3 A.27."""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from amrg.birads import Laterality, View
from amrg.core.files import atomic_write
from amrg.imaging.evidence.codes import BREAST, MODIFIER_CONCEPTS, SCHEME, CodedConcept, code_of
from amrg.imaging.evidence.orientation import hung_directions

_STORAGE = "1.2.840.10008.5.1.4.1.1.1.2"  # Digital Mammography X-Ray Image Storage - For Presentation
_SOFTWARE = "amrg"
_DATE, _TIME = "20200101", "120000"


@dataclass(frozen=True)
class MammogramToWrite:
    """One image to write.

    `pixels` is uint16 [H, W], MONOCHROME2, as the image hangs: chest wall at the right edge for the right breast.
    `modifiers` are pydicom's keywords of PS3.16 CID 4015, such as `ImplantDisplaced`.
    Files of equal `study_key` make one study; UIDs follow from it, so that equal input gives equal bytes.
    """

    pixels: npt.NDArray[np.uint16]
    laterality: Laterality
    view: View
    spacing_mm: float
    bits_stored: int
    study_key: str
    patient_id: str
    number: int = 1
    modifiers: tuple[str, ...] = ()


def study_uid(study_key: str) -> str:
    """The Study Instance UID that a study key gives: the same for the same key."""
    return str(generate_uid(entropy_srcs=[study_key, "study"]))


def write_mammogram(path: Path, mammogram: MammogramToWrite) -> None:
    """Write one mammogram as a DICOM file, explicit VR little endian, window over the full range.

    Raises:
        ValueError: The pixels are not uint16 [H, W], do not fit in `bits_stored`, or the spacing is absurd.
    """
    _check(mammogram)
    uid = generate_uid(entropy_srcs=[mammogram.study_key, "image", str(mammogram.number)])
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = _STORAGE
    meta.MediaStorageSOPInstanceUID = uid
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    ds.SOPClassUID, ds.SOPInstanceUID = _STORAGE, uid
    _patient_and_study(ds, mammogram)
    _series_and_equipment(ds, mammogram)
    _projection(ds, mammogram)
    _pixels(ds, mammogram)
    content = BytesIO()  # pydicom's own writing to a full disk loses the cause
    ds.save_as(content, enforce_file_format=True)
    with atomic_write(path) as partial:
        partial.write_bytes(content.getvalue())


def _check(mammogram: MammogramToWrite) -> None:
    """Refuse pixels that the header would not describe."""
    pixels = mammogram.pixels
    if pixels.dtype != np.uint16 or pixels.ndim != 2:
        raise ValueError(f"pixels: found {pixels.dtype} of shape {pixels.shape}, expected uint16 [H, W]")
    if not 8 <= mammogram.bits_stored <= 16 or int(pixels.max(initial=0)) >= 2**mammogram.bits_stored:
        raise ValueError(
            f"bits_stored: found {mammogram.bits_stored} with pixels up to {pixels.max(initial=0)}, "
            f"expected 8 to 16 bits that hold every pixel"
        )
    if not 0.01 <= mammogram.spacing_mm <= 5:
        raise ValueError(f"spacing_mm: found {mammogram.spacing_mm}, expected 0.01 to 5 mm a pixel")


def _patient_and_study(ds: Dataset, mammogram: MammogramToWrite) -> None:
    """Patient, PS3.3 C.7.1.1, and General Study, C.7.2.1."""
    ds.PatientName, ds.PatientID = f"{mammogram.patient_id}^Drawn", mammogram.patient_id
    ds.PatientBirthDate, ds.PatientSex = "", "F"
    ds.StudyInstanceUID = study_uid(mammogram.study_key)
    ds.StudyDate, ds.StudyTime = _DATE, _TIME
    ds.AccessionNumber, ds.StudyID, ds.ReferringPhysicianName = "", "1", ""
    ds.StudyDescription = "Drawn screening mammography"


def _series_and_equipment(ds: Dataset, mammogram: MammogramToWrite) -> None:
    """DX Series, PS3.3 C.8.11.1; Mammography Series, C.8.11.6; General Equipment, C.7.5.1."""
    ds.Modality, ds.PresentationIntentType = "MG", "FOR PRESENTATION"
    ds.SeriesInstanceUID = generate_uid(entropy_srcs=[mammogram.study_key, "series", str(mammogram.number)])
    ds.SeriesNumber, ds.InstanceNumber = mammogram.number, 1
    ds.SeriesDescription = f"{mammogram.laterality.value} {mammogram.view.value}"
    ds.Manufacturer, ds.ManufacturerModelName = _SOFTWARE, "phantom"
    ds.SoftwareVersions, ds.DeviceSerialNumber = _SOFTWARE, "1"


def _projection(ds: Dataset, mammogram: MammogramToWrite) -> None:
    """DX Anatomy Imaged, PS3.3 C.8.11.2; DX Detector, C.8.11.4; Mammography Image, C.8.11.7."""
    ds.ImageLaterality = mammogram.laterality.value
    ds.AnatomicRegionSequence = Sequence([_code(BREAST)])
    code = _code(code_of(mammogram.view))
    code.ViewModifierCodeSequence = Sequence([_code(MODIFIER_CONCEPTS[name]) for name in mammogram.modifiers])
    ds.ViewCodeSequence = Sequence([code])
    ds.ViewPosition = mammogram.view.value
    ds.PatientOrientation = list(hung_directions(mammogram.laterality, mammogram.view))
    ds.BodyPartExamined = "BREAST"
    ds.PositionerType, ds.BreastImplantPresent, ds.PartialView = "MAMMOGRAPHIC", "NO", "NO"
    ds.OrganExposed = "BREAST"
    ds.ImagerPixelSpacing = [mammogram.spacing_mm] * 2
    ds.PixelSpacing = [mammogram.spacing_mm] * 2
    ds.DetectorType, ds.DetectorConfiguration = "DIRECT", "AREA"
    ds.EstimatedRadiographicMagnificationFactor = 1.0
    ds.AcquisitionContextSequence = Sequence()


def _code(concept: CodedConcept) -> Dataset:
    """A coded entry, PS3.3 table 8.8-1."""
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = concept.value, SCHEME, concept.meaning
    return item


def _pixels(ds: Dataset, mammogram: MammogramToWrite) -> None:
    """Image Pixel, PS3.3 C.7.6.3; DX Image, C.8.11.3; VOI LUT, C.11.2."""
    bits = mammogram.bits_stored
    ds.ImageType = ["DERIVED", "PRIMARY"]
    ds.DerivationDescription = "Drawn by software, no patient"
    ds.ContentDate, ds.ContentTime = _DATE, _TIME
    ds.AcquisitionDate, ds.AcquisitionTime = _DATE, _TIME
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.Rows, ds.Columns = mammogram.pixels.shape
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, bits, bits - 1, 0
    ds.PixelIntensityRelationship, ds.PixelIntensityRelationshipSign = "LOG", -1
    ds.RescaleIntercept, ds.RescaleSlope, ds.RescaleType = 0, 1, "US"
    ds.WindowCenter, ds.WindowWidth = 2 ** (bits - 1), 2**bits
    ds.WindowCenterWidthExplanation = "FULL"
    ds.PresentationLUTShape = "IDENTITY"
    ds.BurnedInAnnotation, ds.LossyImageCompression = "NO", "00"
    ds.QualityControlImage = "NO"
    ds.PixelData = mammogram.pixels.astype("<u2").tobytes()
