"""The header of a JPEG: its segments up to the first scan."""

from __future__ import annotations

import re
import struct

from facerec.engine.headers.bounds import PartCount
from facerec.engine.headers.found import Measures
from facerec.engine.headers.orientation import orientation
from facerec.errors import UnreadableImage

_MARKER = re.compile(rb"[^\xff]*+\xff++([^\xff])")
_MOST_JUNK = 1 << 18
"""Bytes that belong to no segment."""
_MOST_EXIF = 250
"""Segments of 64 KB that one EXIF block is cut into; Pillow joins them one by one."""
_FRAMES = frozenset({*range(0xC0, 0xC4), *range(0xC5, 0xC8), *range(0xC9, 0xCC), *range(0xCD, 0xD0), 0xDE})
_ALONE = frozenset({0x00, 0xC8, *range(0xD0, 0xDA), *range(0xF0, 0xFE)})
"""Markers without a segment, and the zero of which two bytes ff 00 of pixels consist."""
_SCAN, _APP1 = 0xDA, 0xE1
_EXIF, _XMP = b"Exif\0\0", b"http://ns.adobe.com/xap/1.0/\0"


def read_jpeg(image: bytes) -> Measures:
    """Raises UnreadableImage, struct.error, IndexError."""
    size: tuple[int, int] | None = None
    content, exif = memoryview(image), list[memoryview]()
    xmp, at = b"", 2
    parts, pieces, junk = (
        PartCount("segments"),
        PartCount("segments of EXIF", _MOST_EXIF),
        PartCount("bytes between segments", _MOST_JUNK),
    )
    while found := _MARKER.match(image, at):
        parts.add()
        junk.add(found.end() - at - 2)
        marker, at = found[1][0], found.end()
        if marker in _ALONE:
            continue
        if marker < 0xC0:
            raise UnreadableImage(f"the picture has an unknown marker ff {marker:02x}")
        begin, at = at + 2, at + max(2, *struct.unpack_from(">H", image, at))
        if at > len(image):
            break
        if marker == _SCAN and size:
            return Measures(*size, orientation(b"".join(exif), xmp))
        if marker in _FRAMES:
            size = _size(image, begin)
        elif marker == _APP1 and image.startswith(_EXIF, begin, at):
            pieces.add()
            exif.append(content[begin + len(_EXIF) * bool(exif) : at])
        elif marker == _APP1 and image.startswith(_XMP, begin, at):
            xmp = image[begin + len(_XMP) : at]
    raise UnreadableImage("the picture is cut off, or has no pixels")


def _size(image: bytes, begin: int) -> tuple[int, int]:
    bits, height, width, layers = struct.unpack_from(">BHHB", image, begin)
    if bits != 8 or layers not in (1, 3, 4):
        raise UnreadableImage(f"a JPEG of {layers} layers of {bits} bits")
    return width, height
