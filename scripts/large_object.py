"""Large multi-frame objects, several together, to a node: does its memory stay where it was?

The objects are empty but for their headers (sparse files), so that only what is received takes room on the disk. Ends
with 1 where one was not stored whole, or the node's memory grew by more than a quarter of one object.
"""

from __future__ import annotations

import argparse
import tempfile
import threading
from pathlib import Path

import pydicom
from pydicom.uid import BreastTomosynthesisImageStorage
from service_load import LoadedService, loaded_service, make_studies
from sqlalchemy import select

from amrg.service.database.engine import reading
from amrg.service.database.tables import InstanceRow
from amrg.service.storage import Storage

_FRAME = 2 << 20  # bytes: 1024 rows and columns of 16 bits


def main() -> int:
    """Run and print what was measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=int, default=800)
    parser.add_argument("--parallel", type=int, default=4)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with loaded_service(folder / "service", "fixed") as service:
            files = [large_object(folder / f"{n}", n, asked.megabytes) for n in range(asked.parallel)]
            for study in make_studies(folder / "small", 1):
                service.send(study)  # whatever is loaded with the first object is there now
            before = peak(service)
            senders = [threading.Thread(target=service.send, args=([file],)) for file in files]
            for sender in senders:
                sender.start()
            for sender in senders:
                sender.join()
            grown = peak(service) - before
            whole = stored_whole(service, Storage(folder / "service" / "data" / "images"), asked.megabytes)
    print(f"{whole} of {asked.parallel} objects of {asked.megabytes} MB stored whole, all at the same time")
    print(f"the node's memory: {before:.0f} MB before, at most {before + grown:.0f} MB")
    return int(whole != asked.parallel or grown > asked.megabytes / 4)


def large_object(folder: Path, number: int, megabytes: int) -> Path:
    """A tomosynthesis object of zeros that takes no room on the disk."""
    file = folder / "large.dcm"
    for files in make_studies(folder, 1):
        image = pydicom.dcmread(files[0])
    image.StudyInstanceUID, image.SOPInstanceUID = f"1.2.827.{number}", f"1.2.827.{number}.1"
    image.file_meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID
    image.SOPClassUID = image.file_meta.MediaStorageSOPClassUID = BreastTomosynthesisImageStorage
    image.NumberOfFrames, image.Rows, image.Columns = megabytes * 2**20 // _FRAME, 1024, 1024
    length = image.NumberOfFrames * _FRAME
    del image.PixelData
    image.save_as(file)
    with file.open("r+b") as opened:
        opened.seek(0, 2)
        opened.write(b"\xe0\x7f\x10\x00OW\0\0" + length.to_bytes(4, "little"))
        opened.truncate(opened.tell() + length)
    return file


def peak(service: LoadedService) -> float:
    """The most memory that the node has had, MB."""
    status = Path(f"/proc/{service.pid('node')}/status").read_text(encoding="utf-8")
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def stored_whole(service: LoadedService, storage: Storage, megabytes: int) -> int:
    """How many rows of large objects point to a file with all their bytes."""
    with reading(service.sessions) as session:
        rows = session.execute(select(InstanceRow.path, InstanceRow.sha256, InstanceRow.size)).all()
    return sum(size >= megabytes * 2**20 and storage.is_intact(path, sha256) for path, sha256, size in rows)


if __name__ == "__main__":
    raise SystemExit(main())
