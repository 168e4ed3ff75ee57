"""A small picture in every format and colour mode, made here: four coloured quarters, so that a turn shows."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pillow_heif
from PIL import Image

WIDTH, HEIGHT = 64, 48
QUARTERS = ((255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0))
"""Colours of the top left, top right, bottom left and bottom right quarter."""


def scene() -> Image.Image:
    """The picture as it looks upright."""
    pixels = np.empty((HEIGHT, WIDTH, 3), np.uint8)
    pixels[: HEIGHT // 2, : WIDTH // 2] = QUARTERS[0]
    pixels[: HEIGHT // 2, WIDTH // 2 :] = QUARTERS[1]
    pixels[HEIGHT // 2 :, : WIDTH // 2] = QUARTERS[2]
    pixels[HEIGHT // 2 :, WIDTH // 2 :] = QUARTERS[3]
    return Image.fromarray(pixels)


def saved(picture: Image.Image, kind: str, **parameters: Any) -> bytes:
    """``picture`` as a file of that format."""
    out = io.BytesIO()
    if kind == "HEIF":
        pillow_heif.from_pillow(picture).save(out, quality=90, **parameters)
    else:
        picture.save(out, kind, **parameters)
    return out.getvalue()


def every_format() -> dict[str, bytes]:
    """The scene in each format that is read."""
    return {
        "JPEG": saved(scene(), "JPEG", quality=95, subsampling=0),
        "PNG": saved(scene(), "PNG"),
        "GIF": saved(scene().quantize(16), "GIF"),
        "WEBP": saved(scene(), "WEBP", lossless=True),
        "BMP": saved(scene(), "BMP"),
        "TIFF": saved(scene(), "TIFF", compression="tiff_lzw"),
        "HEIF": saved(scene(), "HEIF"),
    }
