"""Files to studies and mammograms, framing of the breast, and writing MG DICOM. Knows no model."""

from amrg.imaging.framing import Framed, frame_breast

__all__ = ["Framed", "frame_breast"]
