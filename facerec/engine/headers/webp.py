"""The header of a WebP: its first chunk, and in the extended format those of the metadata."""

from __future__ import annotations

import struct

from facerec.engine.headers.bounds import PartCount
from facerec.engine.headers.found import Measures
from facerec.engine.headers.orientation import orientation
from facerec.errors import UnreadableImage

_METADATA = {b"EXIF": 8, b"XMP ": 4}
"""The flag that says that there is this chunk."""


def read_webp(image: bytes) -> Measures:
    """Raises UnreadableImage, struct.error."""
    size = 8 + int.from_bytes(image[4:8], "little")
    if len(image) + 1 < size:  # the last byte may be padding
        raise UnreadableImage(f"the picture is cut off: of {size} bytes there are {len(image)}")
    kind = image[12:16]
    if kind == b"VP8X":
        flags, width, height = struct.unpack("<B3x3s3s", image[20:30])
        found = _metadata(image, size, flags)
        turned = orientation(found.get(b"EXIF", b""), found.get(b"XMP ", b""))
        return Measures(1 + int.from_bytes(width, "little"), 1 + int.from_bytes(height, "little"), turned)
    if kind == b"VP8 " and image[23:26] == b"\x9d\x01\x2a":
        width, height = struct.unpack_from("<HH", image, 26)
        return Measures(width & 0x3FFF, height & 0x3FFF)
    if kind == b"VP8L" and image[20:21] == b"\x2f":
        (bits,) = struct.unpack_from("<I", image, 21)
        return Measures(1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF))
    raise UnreadableImage("the picture has no header that makes sense")


def _metadata(image: bytes, end: int, flags: int) -> dict[bytes, bytes]:
    found: dict[bytes, bytes] = {}
    parts, at = PartCount("chunks"), 12
    while at + 8 <= min(end, len(image)):
        parts.add()
        kind, size = struct.unpack_from("<4sI", image, at)
        if _METADATA.get(kind, 0) & flags and kind not in found:
            found[kind] = image[at + 8 : at + 8 + size]
        at += 8 + size + size % 2
    return found
