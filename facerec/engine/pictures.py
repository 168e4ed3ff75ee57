"""From the bytes of a picture file to upright RGB pixels.

Seven formats are read, each only by its own reader: the bytes are never offered to the other readers of Pillow. What `headers`
refuses reaches none of them.
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

from facerec.engine.headers import check_size, probe
from facerec.engine.modes import to_rgb
from facerec.engine.native import libtiff_errors
from facerec.engine.options import EngineOptions
from facerec.engine.png import check_png
from facerec.errors import TooLarge, UnreadableImage

Pixels = NDArray[np.uint8]
"""RGB, shape (height, width, 3), C order."""

pillow_heif.options.DECODE_THREADS = 1  # there is a process for every core already

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


def decode(image: bytes, options: EngineOptions) -> Picture:
    """Decode ``image`` to upright RGB. Errors are those of ``headers.probe``; UnreadableImage also when the pixels are damaged.

    Damage is what the decoder complains of, and in a PNG a wrong check sum; the other formats have none of their pixels.

    A JPEG much larger than ``options.detect_max_area`` is decoded at a half, a quarter or an eighth of its size, never
    below that area.
    """
    header = probe(image, options.max_pixels)
    with _reading():
        opened = _READERS[header.format](io.BytesIO(image))
        width, height = opened.size
        check_size(width, height, options.max_pixels)
        if header.format == "JPEG":
            opened.draft(None, size_within(width, height, options.detect_max_area))
        if header.format == "PNG":
            check_png(image)
        with libtiff_errors() if header.format == "TIFF" else nullcontext():
            opened.load()
        upright = to_rgb(opened)
        if header.orientation in _TRANSPOSITIONS:
            upright = upright.transpose(_TRANSPOSITIONS[header.orientation])
        if header.orientation >= 5:
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


_READERS: dict[str, Callable[[io.BytesIO], ImageFile.ImageFile]] = {
    # Not jpeg_factory: it would read the further pictures of a phone's MPO file; the first one is all we want.
    "JPEG": JpegImagePlugin.JpegImageFile,
    "PNG": PngImagePlugin.PngImageFile,
    "GIF": GifImagePlugin.GifImageFile,
    "WEBP": WebPImagePlugin.WebPImageFile,
    "HEIF": pillow_heif.HeifImageFile,
    "TIFF": TiffImagePlugin.TiffImageFile,
    "BMP": BmpImagePlugin.BmpImageFile,
}
