"""Pictures of the cases that a page shows, from the data set that they come from."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from amrg.benchmark.page import Pictures
from amrg.datasets import DatasetError, open_dataset, study_of
from amrg.datasets.store import INFO
from amrg.imaging import ImagingError, contact_sheet


def pictures_of(data: Path | None) -> Pictures | None:
    """A case's key to the contact sheet of its study; None where `data` is no data set folder.

    A case whose pictures are gone, or cannot be read, has none to show.

    Raises:
        DatasetError: the data set cannot be read.
    """
    if data is None or not (data / INFO).is_file():
        return None
    dataset = open_dataset(data)

    def picture(key: str) -> Image.Image | None:
        try:
            return contact_sheet(study_of(dataset.case(key), dataset.root))
        except (DatasetError, ImagingError):
            return None

    return picture
