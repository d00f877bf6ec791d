"""The size of a compressed image by its own first bytes, so that no decoder allocates memory for another."""

from __future__ import annotations

import struct

from pydicom.uid import JPEG2000TransferSyntaxes, JPEGLSTransferSyntaxes, JPEGTransferSyntaxes

_J2K = {str(uid) for uid in JPEG2000TransferSyntaxes}
_JPEG = {str(uid) for uid in (*JPEGTransferSyntaxes, *JPEGLSTransferSyntaxes)}
_END = b"\xff\xd9"
_TAIL = 64  # bytes: padding and the sequence delimiter come after the end of an image
_NO_FRAME = {0xC4, 0xC8, 0xCC}  # DHT, JPG, DAC: in the range of the frame headers, but none


def codestream_size(encapsulated: bytes, syntax: str) -> tuple[int, int] | None:
    """(rows, columns) of the first frame of encapsulated pixels; None where the syntax has no such header.

    Raises:
        ValueError: an encapsulated image without the header that its syntax requires.
    """
    if syntax in _JPEG:
        return _jpeg_size(_first_fragment(encapsulated))
    return _j2k_size(_first_fragment(encapsulated)) if syntax in _J2K else None


def has_end(encapsulated: bytes, syntax: str) -> bool:
    """Whether encapsulated JPEG or JPEG-LS pixels end with the marker that every image ends with (ITU-T T.81 B.1.1.3).

    Their decoders give what there is of an image cut short, without a word. True for other syntaxes.
    """
    return syntax not in _JPEG or _END in encapsulated[-_TAIL:]


def _first_fragment(encapsulated: bytes) -> bytes:
    """The first fragment after the offset table (PS3.5 A.4); headers never span fragments in practice."""
    if len(encapsulated) < 16 or encapsulated[:4] != b"\xfe\xff\x00\xe0":
        raise ValueError("encapsulated pixel data without a first item")
    start = 8 + struct.unpack("<I", encapsulated[4:8])[0]
    return encapsulated[start + 8 : start + 8 + 2**20]


def _j2k_size(stream: bytes) -> tuple[int, int]:
    """Rows and columns of a JPEG 2000 codestream (ITU-T T.800 A.5.1), bare or in a JP2 file."""
    at = stream.find(b"\xff\x4f\xff\x51")
    if at < 0 or len(stream) < at + 24:
        raise ValueError("no SIZ marker in the JPEG 2000 codestream")
    width, height, left, top = struct.unpack(">4I", stream[at + 8 : at + 24])
    return height - top, width - left


def _jpeg_size(stream: bytes) -> tuple[int, int]:
    """Rows and columns by the frame header of a JPEG (ITU-T T.81 B.2.2) or JPEG-LS (T.87 C.2.2) image."""
    at = 2
    while at + 9 <= len(stream):
        if stream[at] != 0xFF:
            at += 1
            continue
        marker = stream[at + 1]
        if (0xC0 <= marker <= 0xCF and marker not in _NO_FRAME) or marker == 0xF7:
            rows, columns = struct.unpack(">HH", stream[at + 5 : at + 9])
            return rows, columns
        alone = marker in (0xFF, 0x01) or 0xD0 <= marker <= 0xD8
        at += (1 if marker == 0xFF else 2) if alone else 2 + struct.unpack(">H", stream[at + 2 : at + 4])[0]
    raise ValueError("no frame header in the JPEG image")
