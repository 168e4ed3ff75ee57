"""The words of the field as values: box, point, face, analysis, model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from facerec.model import Model

__all__ = [
    "ENCODING_LENGTH",
    "Analysis",
    "Box",
    "Encoding",
    "Face",
    "Mark",
    "Model",
    "Point",
    "Renderings",
]

ENCODING_LENGTH = 128
Encoding = NDArray[np.float32]
"""The 128 numbers that describe a face (dlib: descriptor; elsewhere: embedding). Shape (128,), float32."""


class Mark(Enum):
    """Why the quality filter distrusts a face. A marked face is stored and shown, but not compared."""

    SMALL = 1
    UNSURE = 2
    BLURRED = 4
    TURNED = 8


@dataclass(frozen=True, slots=True)
class Box:
    """A bounding box in pixels of the upright, full-size picture; ``right`` and ``bottom`` as dlib gives them.

    It may reach beyond the picture.
    """

    top: int
    right: int
    bottom: int
    left: int

    @property
    def area(self) -> int:
        return max(0, self.right - self.left) * max(0, self.bottom - self.top)


@dataclass(frozen=True, slots=True)
class Point:
    """A pixel of the upright, full-size picture."""

    x: int
    y: int


@dataclass(frozen=True, slots=True, eq=False)
class Face:
    """One face: where it is and what it looks like.

    ``landmarks`` has 5 or 68 points in dlib's order; ``confidence`` is the detector's score as it gives it.
    """

    box: Box
    landmarks: tuple[Point, ...]
    confidence: float
    encoding: Encoding
    model: Model
    marks: frozenset[Mark] = frozenset()

    @property
    def comparable(self) -> bool:
        return not self.marks


@dataclass(frozen=True, slots=True, eq=False)
class Renderings:
    """Small upright JPEGs of one picture, without its metadata, made where it was decoded.

    ``preview`` and ``small`` show all of it (`facerec.engine.renderings` has the sizes), ``thumbnails`` one face each.
    """

    preview: bytes
    small: bytes
    thumbnails: tuple[bytes, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Analysis:
    """Everything the engine found in one picture. ``width`` and ``height`` are of the upright original, in pixels.

    ``chips`` holds one aligned 150 x 150 face as PNG bytes for each face, in the same order, or is empty when not asked for.
    So is ``renderings`` None.
    """

    width: int
    height: int
    model: Model
    faces: Sequence[Face]
    chips: tuple[bytes, ...] = ()
    renderings: Renderings | None = None
