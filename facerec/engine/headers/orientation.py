"""Which side is up: EXIF, or else XMP, as Pillow's getexif finds it."""

from __future__ import annotations

import re
import struct

from facerec.engine.headers.ifd import entries

_TAG = 0x0112
_NAMES = re.compile(b"(?:Exif\0\0){0,2}")
_IN_XMP = re.compile(rb'tiff:Orientation(?:="|>)([0-9])')
UPRIGHT = 1


def orientation(exif: bytes, xmp: bytes) -> int:
    """1 to 8; 1 (upright) when nothing says another that makes sense. Raises UnreadableImage for too many tags."""
    try:
        found = _of_exif(exif)
    except (ValueError, struct.error):
        return UPRIGHT
    if found is None:
        told = _IN_XMP.search(xmp)
        found = int(told[1]) if told else UPRIGHT
    return found if 1 <= found <= 8 else UPRIGHT


def _of_exif(exif: bytes) -> int | None:
    names = _NAMES.match(exif)
    start = names.end() if names else 0
    if start == len(exif):
        return None
    entry = next((entry for entry in entries(exif, start) if entry.tag == _TAG and entry.count), None)
    return None if entry is None else entry.number or 0
