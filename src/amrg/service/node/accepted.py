"""What the node accepts: SOP classes that come with a mammography study, and the syntaxes that they come in."""

from __future__ import annotations

from pydicom.uid import (
    HTJ2K,
    JPEG2000,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    HTJ2KLossless,
    HTJ2KLosslessRPCL,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)
from pynetdicom import sop_class
from pynetdicom.presentation import PresentationContext, build_context

STORED_CLASSES = (
    sop_class.DigitalMammographyXRayImageStorageForPresentation,
    sop_class.DigitalMammographyXRayImageStorageForProcessing,
    sop_class.BreastTomosynthesisImageStorage,
    sop_class.BreastProjectionXRayImageStorageForPresentation,
    sop_class.BreastProjectionXRayImageStorageForProcessing,
    sop_class.DigitalXRayImageStorageForPresentation,
    sop_class.DigitalXRayImageStorageForProcessing,
    sop_class.ComputedRadiographyImageStorage,
    sop_class.SecondaryCaptureImageStorage,
    sop_class.MultiFrameGrayscaleByteSecondaryCaptureImageStorage,
    sop_class.MultiFrameGrayscaleWordSecondaryCaptureImageStorage,
    sop_class.MultiFrameTrueColorSecondaryCaptureImageStorage,
    sop_class.UltrasoundImageStorage,
    sop_class.UltrasoundMultiFrameImageStorage,
    sop_class.MammographyCADSRStorage,
    sop_class.BasicTextSRStorage,
    sop_class.EnhancedSRStorage,
    sop_class.ComprehensiveSRStorage,
    sop_class.Comprehensive3DSRStorage,
    sop_class.XRayRadiationDoseSRStorage,
    sop_class.KeyObjectSelectionDocumentStorage,
    sop_class.GrayscaleSoftcopyPresentationStateStorage,
    sop_class.EncapsulatedPDFStorage,
    sop_class.RawDataStorage,
)
"""Images, what describes them, and what travels with them. All of it is stored; the worker decides what is drafted."""

STORED_SYNTAXES = (
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    ExplicitVRBigEndian,
    JPEGLosslessSV1,
    JPEGLossless,
    JPEG2000Lossless,
    JPEG2000,
    JPEGLSLossless,
    JPEGLSNearLossless,
    HTJ2KLossless,
    HTJ2KLosslessRPCL,
    HTJ2K,
    RLELossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
)
"""Every syntax that amrg can decode, stored as received. Deflated is not among them: it can inflate a thousandfold."""

_PLAIN = (ExplicitVRLittleEndian, ImplicitVRLittleEndian)


def accepted_contexts() -> list[PresentationContext]:
    """The presentation contexts that the node offers: verification, storage, storage commitment."""
    return [
        build_context(sop_class.Verification, list(_PLAIN)),
        build_context(sop_class.StorageCommitmentPushModel, list(_PLAIN)),
        *(build_context(uid, list(STORED_SYNTAXES)) for uid in STORED_CLASSES),
    ]
