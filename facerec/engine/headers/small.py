"""The headers of GIF and BMP, which have no metadata that matter here."""

from __future__ import annotations

import struct

from facerec.engine.headers.bounds import PartCount
from facerec.engine.headers.found import Measures
from facerec.errors import UnreadableImage

_BMP_HEADERS = (40, 52, 56, 64, 108, 124)
_BMP_DEPTHS = (1, 4, 8, 16, 24, 32)


def read_gif(image: bytes) -> Measures:
    """The size of the screen, or of the first frame where that reaches beyond. Raises UnreadableImage, struct.error, IndexError."""
    width, height, flags = struct.unpack_from("<HHB", image, 6)
    at, parts = 13 + _palette(flags), PartCount("blocks")
    while image[at] != ord(b";"):
        parts.add()
        block, at = image[at], at + 1
        if block == ord(b"!"):
            at += 1
            while image[at]:
                parts.add()
                at += 1 + image[at]
            at += 1
        elif block == ord(b","):
            left, top, frame_width, frame_height, flags = struct.unpack_from("<HHHHB", image, at)
            _ = image[at + 9 + _palette(flags)]
            return Measures(max(width, left + frame_width), max(height, top + frame_height))
    raise UnreadableImage("the picture has no frame")


def _palette(flags: int) -> int:
    """Its bytes."""
    return 3 << (flags & 7) + 1 if flags & 128 else 0


def read_bmp(image: bytes) -> Measures:
    """Raises UnreadableImage, struct.error."""
    (header,) = struct.unpack_from("<I", image, 14)
    if header == 12:
        width, height, _, bits = struct.unpack_from("<HHHH", image, 18)
        packing = 0
    elif header in _BMP_HEADERS:
        width, height, _, bits, packing = struct.unpack_from("<IIHHI", image, 18)
        if height >= 0xFF << 24:
            height = (1 << 32) - height  # from top to bottom
    else:
        raise UnreadableImage(f"a BMP whose header has {header} bytes")
    if len(image) < 14 + header or bits not in _BMP_DEPTHS or packing > 3:
        raise UnreadableImage(f"a BMP of {bits} bits and compression {packing}, or cut off")
    return Measures(width, height)
