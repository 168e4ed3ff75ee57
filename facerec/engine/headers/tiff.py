"""The header of a TIFF: the first directory."""

from __future__ import annotations

from facerec.engine.headers.bounds import PartCount
from facerec.engine.headers.found import Measures
from facerec.engine.headers.ifd import BYTES, entries
from facerec.errors import UnreadableImage

_WIDTH, _LENGTH, _ORIENTATION = 256, 257, 274
_MOST_VALUES = 250_000
"""Numbers in all tags, as those that say where the strips begin: Pillow makes an object of each."""


def read_tiff(image: bytes) -> Measures:
    """The size as the picture looks upright: its reader turns it. Raises UnreadableImage, struct.error, ValueError."""
    found: dict[int, int] = {}
    values = PartCount("numbers", _MOST_VALUES)
    for entry in entries(image):
        values.add(0 if entry.kind in BYTES else entry.count)
        if entry.number is not None:
            found.setdefault(entry.tag, entry.number)
    if _WIDTH not in found or _LENGTH not in found:
        raise UnreadableImage("the picture is cut off, or does not say how large it is")
    width, height = found[_WIDTH], found[_LENGTH]
    return Measures(height, width) if found.get(_ORIENTATION) in (5, 6, 7, 8) else Measures(width, height)
