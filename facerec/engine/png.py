"""The check sums of PNG files. Pillow does not look at those of the pixels: a changed byte would give other pixels, or black."""

from __future__ import annotations

import struct
import zlib

from facerec.errors import UnreadableImage

_SIGNATURE_SIZE = 8
_CHECKED = (b"IHDR", b"PLTE", b"IDAT")
"""The chunks that the pixels come from."""


def check_png(png: bytes) -> None:
    """Raises UnreadableImage when a chunk of the pixels of the default picture is damaged or cut off.

    What stands behind the pixels does not matter to them.
    """
    content, at, name = memoryview(png), _SIGNATURE_SIZE, b""
    while at + 8 <= len(png):
        before = name
        size, name = struct.unpack_from(">I4s", png, at)
        if before == b"IDAT" != name:
            return
        at += 12 + size
        if name not in _CHECKED:
            continue
        if at > len(png):
            raise UnreadableImage("the picture cannot be decoded: it is cut off within its pixels")
        if zlib.crc32(content[at - size - 8 : at - 4]) != int.from_bytes(content[at - 4 : at], "big"):
            raise UnreadableImage(f"the picture cannot be decoded: the check sum of a chunk {name.decode()} is wrong")
