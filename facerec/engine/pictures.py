"""From the bytes of a picture file to upright RGB pixels.

Seven formats are read, each only by its own reader: the bytes are never offered to the other readers of Pillow.
This module is used by the front door as well, so it imports nothing heavier than Pillow, pillow-heif and numpy.
"""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from math import sqrt

import numpy as np
import pillow_heif
from numpy.typing import NDArray
from PIL import (
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    ImageFile,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)
from PIL.ExifTags import Base

from facerec.engine.heif import check_codec
from facerec.engine.kinds import FORMATS, what_it_is
from facerec.engine.modes import to_rgb
from facerec.engine.native import libtiff_errors
from facerec.engine.options import EngineOptions
from facerec.engine.png import check_png
from facerec.errors import TooLarge, UnreadableImage, UnsupportedImage

_Reader = Callable[[io.BytesIO], ImageFile.ImageFile]

Pixels = NDArray[np.uint8]
"""RGB, shape (height, width, 3), C order."""

pillow_heif.options.DECODE_THREADS = 1  # there is a process for every core already

_HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"mif2", b"msf1")

# What the readers raise on damaged bytes, found by feeding them many (tests/unit/engine/test_damaged_pictures.py).
_READER_ERRORS = (
    OSError,
    EOFError,
    SyntaxError,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    AssertionError,
    ArithmeticError,
    RuntimeError,
    struct.error,
    zlib.error,
)

_TRANSPOSITIONS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@dataclass(frozen=True, slots=True)
class PictureInfo:
    """What the header says. ``width`` and ``height`` are in pixels, before the picture is turned upright."""

    format: str
    width: int
    height: int


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """A decoded picture. ``pixels`` may be smaller than the upright original of ``width`` x ``height``."""

    width: int
    height: int
    pixels: Pixels

    @property
    def scale_x(self) -> float:
        """Pixels of the original for one pixel here, from left to right."""
        return self.width / int(self.pixels.shape[1])

    @property
    def scale_y(self) -> float:
        """Pixels of the original for one pixel here, from top to bottom."""
        return self.height / int(self.pixels.shape[0])


def probe(image: bytes, max_pixels: int) -> PictureInfo:
    """Read the header of ``image`` alone. Cheap, and safe on hostile bytes.

    It does not look which side is up: a PNG may say so behind its pixels, and to get there Pillow decodes them all.

    Raises UnsupportedImage (no such format), UnreadableImage (damaged header), TooLarge (more than ``max_pixels``).
    """
    with _reading():
        name, opened = _open(image, max_pixels)
        return PictureInfo(name, *opened.size)


def decode(image: bytes, options: EngineOptions) -> Picture:
    """Decode ``image`` to upright RGB. Errors are those of ``probe``; UnreadableImage also when the pixels are damaged.

    Damage is what the decoder complains of, and in a PNG a wrong check sum; the other formats have none of their pixels.

    A JPEG much larger than ``options.detect_max_area`` is decoded at a half, a quarter or an eighth of its size, never
    below that area.
    """
    with _reading():
        _, opened = _open(image, options.max_pixels)
        width, height = opened.size
        if opened.format == "JPEG":
            opened.draft(None, size_within(width, height, options.detect_max_area))
        if opened.format == "PNG":
            check_png(image)
        with libtiff_errors() if opened.format == "TIFF" else nullcontext():
            opened.load()
        orientation = _orientation(opened)
        upright = to_rgb(opened)
        if orientation in _TRANSPOSITIONS:
            upright = upright.transpose(_TRANSPOSITIONS[orientation])
        if orientation >= 5:
            width, height = height, width
        return Picture(width, height, np.array(upright, np.uint8))


def size_within(width: int, height: int, area: int) -> tuple[int, int]:
    """The size of a picture shrunk to at most ``area`` pixels; its own when it is not larger."""
    if width * height <= area:
        return width, height
    factor = sqrt(area / (width * height))
    return max(1, int(width * factor)), max(1, int(height * factor))


def shrink(pixels: Pixels, area: int) -> Pixels:
    """``pixels`` with every pixel taken into account, at no more than ``area`` pixels; unchanged when not larger."""
    height, width = pixels.shape[:2]
    size = size_within(width, height, area)
    if size == (width, height):
        return pixels
    return np.array(Image.fromarray(pixels).resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0), np.uint8)


@contextmanager
def _reading() -> Iterator[None]:
    """The one door at which errors of Pillow and pillow-heif become ours; their warnings about damage end here."""
    with warnings.catch_warnings(), _whole_pictures_only():
        warnings.filterwarnings("ignore", module=r"PIL\.|pillow_heif")
        try:
            yield
        except Image.DecompressionBombError as error:
            raise TooLarge(f"the picture is too large: {error}") from error
        except _READER_ERRORS as error:
            raise UnreadableImage(f"the picture cannot be decoded: {error or type(error).__name__}") from error


@contextmanager
def _whole_pictures_only() -> Iterator[None]:
    """face_recognition lets Pillow fill up cut-off pictures, everywhere in the process that imports it."""
    before = ImageFile.LOAD_TRUNCATED_IMAGES
    ImageFile.LOAD_TRUNCATED_IMAGES = False
    try:
        yield
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = before


def _open(image: bytes, max_pixels: int) -> tuple[str, ImageFile.ImageFile]:
    """The format's name and its reader, with nothing but the header read."""
    name, reader = _format_of(image)
    if name == "HEIF":
        check_codec(image)
    if name == "WEBP":
        _check_length(image)
    opened = reader(io.BytesIO(image))
    width, height = opened.size
    if width < 1 or height < 1:
        raise UnreadableImage(f"the picture says that it has {width} x {height} pixels")
    if width * height > max_pixels:
        raise TooLarge(f"{width} x {height} pixels are more than the {max_pixels} allowed")
    return name, opened


def _check_length(webp: bytes) -> None:
    """A WebP that is cut off has no more than a decoder that cannot be made. The last byte may be padding."""
    size = 8 + int.from_bytes(webp[4:8], "little")
    if len(webp) + 1 < size:
        raise UnreadableImage(f"the picture is cut off: of {size} bytes there are {len(webp)}")


def _format_of(image: bytes) -> tuple[str, _Reader]:
    for name, fits, reader in _FORMATS:
        if fits(image):
            return name, reader
    raise UnsupportedImage(f"no picture of a supported format ({FORMATS}): it {what_it_is(image)}")


def _orientation(opened: ImageFile.ImageFile) -> int:
    """The EXIF orientation, 1 to 8. 1 (upright) when there is none, or none that makes sense: the picture still counts.

    The readers of TIFF and HEIC turn the picture themselves. To be asked when the pixels are decoded: to find it in a PNG, Pillow
    decodes them, and what is wrong with them must not pass for odd metadata.
    """
    if opened.format == "TIFF":
        return 1
    try:
        value = opened.getexif().get(Base.Orientation, 1)
    except _READER_ERRORS:
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _starts_with(*magics: bytes) -> Callable[[bytes], bool]:
    return lambda image: image.startswith(magics)


_FORMATS: tuple[tuple[str, Callable[[bytes], bool], _Reader], ...] = (
    # Not jpeg_factory: it would read the further pictures of a phone's MPO file; the first one is all we want.
    ("JPEG", _starts_with(b"\xff\xd8\xff"), JpegImagePlugin.JpegImageFile),
    ("PNG", _starts_with(b"\x89PNG\r\n\x1a\n"), PngImagePlugin.PngImageFile),
    ("GIF", _starts_with(b"GIF87a", b"GIF89a"), GifImagePlugin.GifImageFile),
    ("WEBP", lambda image: image[:4] == b"RIFF" and image[8:12] == b"WEBP", WebPImagePlugin.WebPImageFile),
    ("HEIF", lambda image: image[4:8] == b"ftyp" and image[8:12] in _HEIF_BRANDS, pillow_heif.HeifImageFile),
    ("TIFF", _starts_with(b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"), TiffImagePlugin.TiffImageFile),
    ("BMP", _starts_with(b"BM"), BmpImagePlugin.BmpImageFile),
)
