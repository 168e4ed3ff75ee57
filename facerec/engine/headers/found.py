"""What is found in a header, whatever the format."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Measures:
    """``width`` and ``height`` in pixels as they are stored; ``orientation`` is EXIF's, 1 to 8, that of upright is 1.

    TIFF and HEIC say how they look upright, so their orientation is 1.
    """

    width: int
    height: int
    orientation: int = 1
