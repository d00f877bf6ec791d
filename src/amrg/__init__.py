"""amrg: from a mammography study to a draft BI-RADS report that a radiologist can check, edit and sign."""

__version__ = "0.1.0"
