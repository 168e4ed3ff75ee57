"""Aligned faces as files."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from facerec.engine.pictures import Pixels
from facerec.engine.png import check_png
from facerec.errors import UnreadableImage

CHIP_SIZE = 150
"""Width and height in pixels of the aligned faces that the encoder was trained on."""


def chip_to_png(chip: Pixels) -> bytes:
    """The chip as PNG: lossless, so that encoding it again gives the same numbers."""
    out = io.BytesIO()
    Image.fromarray(chip).save(out, "PNG", compress_level=1)
    return out.getvalue()


def chip_from_png(png: bytes) -> Pixels:
    """A stored chip back as RGB pixels. Raises UnreadableImage when it is no PNG of 150 x 150."""
    try:
        with Image.open(io.BytesIO(png), formats=["PNG"]) as opened:
            size = opened.size
            if size == (CHIP_SIZE, CHIP_SIZE):
                check_png(png)
                return np.array(opened.convert("RGB"), np.uint8)
    except (OSError, SyntaxError, ValueError) as error:
        raise UnreadableImage(f"the stored chip cannot be decoded: {error}") from error
    raise UnreadableImage(f"a stored chip must have {CHIP_SIZE} x {CHIP_SIZE} pixels, not {size[0]} x {size[1]}")
