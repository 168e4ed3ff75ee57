"""The first directory of a TIFF file. EXIF metadata are one, too."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from facerec.engine.headers.bounds import PartCount

_HEADS = (b"II*\0", b"MM\0*", b"MM*\0", b"II\0*", b"MM\0+", b"II+\0")
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8}
"""Bytes of a value, by its type."""
_WHOLE_NUMBERS = {3: "H", 4: "I", 6: "b", 8: "h", 9: "i", 13: "I", 16: "Q"}
BYTES = (1, 2, 6, 7)
"""The types whose values are bytes."""


@dataclass(frozen=True, slots=True)
class IfdEntry:
    """``number`` is the first value of an entry of whole numbers, None of any other."""

    tag: int
    kind: int
    count: int
    number: int | None


def entries(tiff: bytes, start: int = 0) -> Iterator[IfdEntry]:
    """The entries of the first directory of the TIFF file that begins at ``start``, as far as there are bytes.

    Raises ValueError where no TIFF file begins, UnreadableImage when there are too many of them.
    """
    head = tiff[start : start + 4]
    if head not in _HEADS:
        raise ValueError("no TIFF header")
    order, large = "<" if head[:2] == b"II" else ">", head[2] == 43
    first, count, entry = (("Q", "Q", "HHQ"), ("I", "H", "HHI"))[not large]
    room = 8 if large else 4
    (at,) = struct.unpack_from(order + first, tiff, start + room)
    parts = PartCount("tags")
    try:
        (length,) = struct.unpack_from(order + count, tiff, start + at)
        at += start + struct.calcsize(order + count)
        for _ in range(length):
            parts.add()
            yield _entry(tiff, start, at, order, entry, room)
            at += 4 + 2 * room
    except (struct.error, OverflowError):
        return  # cut off: what came before counts


def _entry(tiff: bytes, start: int, at: int, order: str, layout: str, room: int) -> IfdEntry:
    tag, kind, count = struct.unpack_from(order + layout, tiff, at)
    value = at + 4 + room
    size = count * _SIZES.get(kind, 0)
    number = None
    if size > room:
        value = start + struct.unpack_from(order + ("Q" if room == 8 else "I"), tiff, value)[0]
    if size and value + size <= len(tiff):
        if kind in _WHOLE_NUMBERS:
            (number,) = struct.unpack_from(order + _WHOLE_NUMBERS[kind], tiff, value)
    else:
        count = 0
    return IfdEntry(tag, kind, count, number)
