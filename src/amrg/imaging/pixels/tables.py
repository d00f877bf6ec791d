"""Look-up tables of PS3.3 C.11.1 and C.11.2.1.1, as the standard has them and as makers write them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from amrg.imaging.header import Header

Values = npt.NDArray[np.float32]


@dataclass(frozen=True)
class LookupTable:
    """A look-up table: float32 entries, the input value of the first, and the bits that an entry is stated to have."""

    entries: Values
    first: int
    bits: int

    @property
    def white(self) -> float:
        """The entry that is displayed brightest.

        That of the stated bits (PS3.3 C.11.2.1.1); the table's own greatest entry where it would not reach half of
        that, or exceeds it: then the stated bits are wrong (4096 entries of 12 bits stated as 16).
        """
        top, stated = float(self.entries.max()), float(2**self.bits - 1)
        return stated if stated / 2 <= top <= stated else max(top, 1.0)

    def look_up(self, values: Values) -> Values:
        """Entries for values; those below the first and above the last take the end entries."""
        index = np.clip(np.rint(values).astype(np.int64) - self.first, 0, len(self.entries) - 1)
        return self.entries[index]


def table_in(item: Header, signed: bool) -> LookupTable | None:
    """The table of a LUT item, None where it has no usable one.

    `signed`: whether the values that are looked up can be negative, which makes the first mapped value signed,
    whatever the element says of itself (PS3.3 C.11.2.1.1: US or SS by the input).
    """
    descriptor = [number for number in item.numbers("LUTDescriptor") if number is not None]
    data = item.raw.get("LUTData", b"")
    if len(descriptor) != 3 or not data:
        return None
    count, first, bits = (int(number) % 2**16 for number in descriptor)
    entries = _entries(data, count or 2**16, item.big_endian)
    if len(entries) < 2:
        return None
    if signed and first >= 2**15:
        first -= 2**16
    return LookupTable(entries.astype(np.float32), first, min(max(bits, 1), 16))


def _entries(data: bytes, count: int, big_endian: bool) -> npt.NDArray[np.generic]:
    """16-bit entries, or 8-bit ones where there are only so many bytes (packed two to a word, lower byte first)."""
    if len(data) < 2 * count and len(data) in (count, count + 1):
        packed = np.frombuffer(data[: len(data) // 2 * 2], ">u2" if big_endian else "<u2").astype("<u2")
        return (packed.view(np.uint8) if len(data) % 2 == 0 else np.frombuffer(data, np.uint8))[:count]
    return np.frombuffer(data[: len(data) // 2 * 2], ">u2" if big_endian else "<u2")[:count]
