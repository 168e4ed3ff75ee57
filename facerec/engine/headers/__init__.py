"""What the header of a picture tells, read by small parsers of ours.

They decode no pixel, look at a bounded number of parts, copy no more than the metadata in which stands which side is up, and need
no library: the front end reads headers and nothing else of a picture. The worker reads them first, by the same parsers, so what
they refuse reaches no decoder.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass

from facerec.engine.headers.found import Measures
from facerec.engine.headers.heif import read_heif
from facerec.engine.headers.jpeg import read_jpeg
from facerec.engine.headers.png import read_png
from facerec.engine.headers.small import read_bmp, read_gif
from facerec.engine.headers.tiff import read_tiff
from facerec.engine.headers.webp import read_webp
from facerec.engine.kinds import FORMATS, what_it_is
from facerec.errors import TooLarge, UnreadableImage, UnsupportedImage

__all__ = ["PictureInfo", "check_size", "format_of", "probe"]

_HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"mif2", b"msf1")
_DAMAGE = (struct.error, LookupError, ValueError, OverflowError, StopIteration)
"""What the parsers raise where bytes are missing or make no sense."""


@dataclass(frozen=True, slots=True)
class PictureInfo:
    """``width`` and ``height`` are in pixels, before the picture is turned by ``orientation``, which is EXIF's, 1 to 8.

    TIFF and HEIC tell their size upright, and orientation 1.
    """

    format: str
    width: int
    height: int
    orientation: int = 1


def format_of(image: bytes) -> str:
    """``JPEG``, ``PNG`` and so on, from the first bytes alone. Raises UnsupportedImage (no such format)."""
    return _format_of(image)[0]


def probe(image: bytes, max_pixels: int) -> PictureInfo:
    """Read the header of ``image`` alone. Cheap, and safe on hostile bytes.

    Raises UnsupportedImage (no such format), UnreadableImage (a header that is damaged, or too long to be one),
    TooLarge (more than ``max_pixels``).
    """
    name, read = _format_of(image)
    try:
        found = read(image)
    except _DAMAGE as error:
        raise UnreadableImage(f"the picture's header is damaged or cut off: {error or type(error).__name__}") from error
    check_size(found.width, found.height, max_pixels)
    return PictureInfo(name, found.width, found.height, found.orientation)


def check_size(width: int, height: int, max_pixels: int) -> None:
    """Raises UnreadableImage (no pixels), TooLarge."""
    if width < 1 or height < 1:
        raise UnreadableImage(f"the picture says that it has {width} x {height} pixels")
    if width * height > max_pixels:
        raise TooLarge(f"{width} x {height} pixels are more than the {max_pixels} allowed")


def _format_of(image: bytes) -> tuple[str, Callable[[bytes], Measures]]:
    for name, fits, read in _FORMATS:
        if fits(image):
            return name, read
    raise UnsupportedImage(f"no picture of a supported format ({FORMATS}): it {what_it_is(image)}")


def _starts_with(*magics: bytes) -> Callable[[bytes], bool]:
    return lambda image: image.startswith(magics)


_FORMATS: tuple[tuple[str, Callable[[bytes], bool], Callable[[bytes], Measures]], ...] = (
    ("JPEG", _starts_with(b"\xff\xd8\xff"), read_jpeg),
    ("PNG", _starts_with(b"\x89PNG\r\n\x1a\n"), read_png),
    ("GIF", _starts_with(b"GIF87a", b"GIF89a"), read_gif),
    ("WEBP", lambda image: image[:4] == b"RIFF" and image[8:12] == b"WEBP", read_webp),
    ("HEIF", lambda image: image[4:8] == b"ftyp" and image[8:12] in _HEIF_BRANDS, read_heif),
    ("TIFF", _starts_with(b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"), read_tiff),
    ("BMP", _starts_with(b"BM"), read_bmp),
)
