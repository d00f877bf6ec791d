"""Large objects stream to the disk: the node's memory does not grow with them."""

from __future__ import annotations

from pathlib import Path

import pydicom
from pydicom.uid import BreastTomosynthesisImageStorage

from tests.service.nodes import changed, draw_study, peak_kilobytes, running_node

MEGABYTES = 24


def test_the_nodes_memory_does_not_grow_with_the_object(tmp_path: Path) -> None:
    def multi_frame(file: Path) -> Path:
        image = pydicom.dcmread(file)
        image.SOPClassUID = image.file_meta.MediaStorageSOPClassUID = BreastTomosynthesisImageStorage
        image.Rows = image.Columns = 1024
        image.NumberOfFrames, image.BitsAllocated = MEGABYTES // 2, 16
        image.PixelData = bytes(MEGABYTES << 20)
        image.save_as(file)
        return file

    large = multi_frame(changed(draw_study(tmp_path / "study")[0], tmp_path / "large.dcm"))
    with running_node(tmp_path / "node") as node:
        Path("/proc/self/clear_refs").write_text("5")  # the peak is counted from here
        before = peak_kilobytes()
        assert node.send(large, options=("-R", "-v")) == 0
        assert (peak_kilobytes() - before) >> 10 < MEGABYTES / 2
        (image,) = node.images()
        assert image.size > MEGABYTES << 20
