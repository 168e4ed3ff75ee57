"""What a detector gives, and boxes carried between pictures of different size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from facerec.engine.pictures import Picture, Pixels
from facerec.errors import BadParam
from facerec.faces import Box, Point


@dataclass(frozen=True, slots=True)
class Detection:
    """A face as a detector reports it. ``box`` is in pixels of the picture that the detector was given."""

    box: Box
    confidence: float


class Detector(Protocol):
    """Finds the faces in RGB pixels, best first."""

    def find(self, pixels: Pixels) -> list[Detection]: ...


LARGEST_BOX = 10
"""Sides of a box that somebody gives us, in sides of the picture."""


def checked(boxes: Sequence[Box], width: int, height: int) -> Sequence[Box]:
    """Boxes from outside as they are; one may lie partly outside the picture. Raises BadParam that says why."""
    for box in boxes:
        problem = _problem(box, width, height)
        if problem:
            raise BadParam("face", f"no face can be there: {problem}", str(box))
    return boxes


def _problem(box: Box, width: int, height: int) -> str:
    if box.right <= box.left or box.bottom <= box.top:
        return "the box is empty"
    if box.right <= 0 or box.bottom <= 0 or box.left >= width or box.top >= height:
        return f"the box lies outside the picture of {width} x {height} pixels"
    if box.right - box.left > LARGEST_BOX * width + 1 or box.bottom - box.top > LARGEST_BOX * height + 1:
        return f"the box is more than {LARGEST_BOX} times as large as the picture of {width} x {height} pixels"
    return ""


def scaled(box: Box, x: float, y: float) -> Box:
    """``box`` with its horizontal and vertical coordinates multiplied, rounded to whole pixels."""
    return Box(
        top=round(box.top * y), right=round(box.right * x), bottom=round(box.bottom * y), left=round(box.left * x)
    )


def trimmed(box: Box, width: int, height: int) -> Box:
    """``box`` cut to the picture, as ``face_recognition.face_locations`` does."""
    return Box(top=max(box.top, 0), right=min(box.right, width), bottom=min(box.bottom, height), left=max(box.left, 0))


def to_original(box: Box, detected_in: Pixels, picture: Picture) -> Box:
    """A detector's box as a box of the upright original, cut to it."""
    height, width = detected_in.shape[:2]
    carried = scaled(box, picture.width / width, picture.height / height)
    return trimmed(carried, picture.width, picture.height)


def to_decoded(box: Box, picture: Picture) -> Box:
    """A box of the upright original as a box of the decoded pixels."""
    return scaled(box, 1 / picture.scale_x, 1 / picture.scale_y)


def points_to_original(points: tuple[Point, ...], picture: Picture) -> tuple[Point, ...]:
    """Points of the decoded pixels as points of the upright original."""
    return tuple(Point(round(p.x * picture.scale_x), round(p.y * picture.scale_y)) for p in points)
