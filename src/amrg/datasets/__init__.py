"""Public data sets to cases: one file a data set, splits, leak check. Knows no model."""

from amrg.datasets.case import Case, ImageRef, ReferenceSource

__all__ = ["Case", "ImageRef", "ReferenceSource"]
