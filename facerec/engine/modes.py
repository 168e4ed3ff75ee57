"""Every colour mode of Pillow to 8-bit RGB as a person would see it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image


def to_rgb(picture: Image.Image) -> Image.Image:
    """``picture`` (decoded) as RGB.

    Transparent pixels are laid on white, 16-bit values lose their low byte, floating point values are taken as 0 to 1
    or, when larger, as 0 to 255. Raises ValueError for a mode that has no way to RGB.
    """
    if picture.mode == "RGB" and "transparency" not in picture.info:
        return picture
    if picture.mode.startswith("I"):
        return _grey(_eight_bits(np.asarray(picture).astype(np.int64)))
    if picture.mode == "F":
        values = np.nan_to_num(np.asarray(picture, np.float64), posinf=255.0, neginf=0.0)
        return _grey(np.clip(values * (255.0 if values.max() <= 1.0 else 1.0), 0, 255))
    if picture.has_transparency_data:
        rgba = picture.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba).convert("RGB")
    return picture.convert("RGB")


def _eight_bits(values: NDArray[np.int64]) -> NDArray[np.int64]:
    """16-bit greys to 8 bits; modes named I hold 16-bit files, whatever the width of their integers."""
    return np.right_shift(np.clip(values, 0, 65535), 8)


def _grey(values: NDArray[np.int64] | NDArray[np.float64]) -> Image.Image:
    return Image.fromarray(values.astype(np.uint8)).convert("RGB")
