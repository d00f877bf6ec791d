"""A case's images as a study."""

from __future__ import annotations

from pathlib import Path

from amrg.core.hashing import sha256_of_text
from amrg.datasets.case import Case
from amrg.imaging import ImagingError, Study, read_mammogram
from amrg.imaging.grouping import best_of_each_view


def study_of(case: Case, root: Path) -> Study:
    """Read the images of a case from below the data set's root, side and view as its table says.

    Of several images of one view the one for presentation, or else the largest, is used. UID and patient key follow
    from data set, key and group.

    Raises:
        ImagingError: the case has no image, or one that is missing or cannot be read.
    """
    if not case.images:
        raise ImagingError(
            f"{case.key}: the case has no image in {case.dataset}; images are needed to read it as a study"
        )
    mammograms = [read_mammogram(root / image.file, image.laterality, image.view) for image in case.images]
    views, _ = best_of_each_view(mammograms)
    return Study(
        study_instance_uid="2.25." + str(int(sha256_of_text(case.dataset, case.key)[:30], 16)),
        patient_key=sha256_of_text(case.dataset, case.group)[:16],
        date=None,
        mammograms=tuple(views),
    )
