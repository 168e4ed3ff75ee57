"""What dlib itself does for us: the HOG detector, the landmarks, the aligned chips. The only module that imports it.

No object of dlib may be used by two threads at once (davisking/dlib#340): an engine belongs to one thread.
"""

from __future__ import annotations

import logging
import os
import sys
import tempfile
import weakref
from collections.abc import Sequence
from typing import Any

import dlib

from facerec.engine.chips import CHIP_SIZE
from facerec.engine.detection import Detection
from facerec.engine.pictures import Pixels
from facerec.engine.weights import FIVE_POINTS_FILE, SIXTY_EIGHT_POINTS_FILE, model_file
from facerec.faces import Box, Point

CHIP_PADDING = 0.25
"""Around the face, as a part of its size: the encoder was trained so (tools/python/src/face_recognition.cpp)."""

_FORGET_ABOVE = 500_000
"""Pixels. dlib's detector keeps the features of its last picture, tens of megabytes for a large one; an unused one takes
a millisecond, about 3 % of the detection in the smallest such picture."""

logger = logging.getLogger(__name__)


class HogDetector:
    """dlib's frontal face detector: HOG features and a linear classifier; its weights are inside dlib.

    Finds faces from 80 pixels on, from 40 when the picture is doubled once. The confidence is the distance to the
    classifier's threshold, 0 and more.
    """

    def __init__(self, upsample: int = 1, threshold: float = 0.0) -> None:
        self._detector = dlib.get_frontal_face_detector()
        self._unused = self._saved()
        self._upsample = upsample
        self._threshold = threshold

    def find(self, pixels: Pixels) -> list[Detection]:
        rectangles, scores, _ = self._detector.run(pixels, self._upsample, self._threshold)
        found = [Detection(_box(r), score) for r, score in zip(rectangles, scores, strict=True)]
        if pixels.shape[0] * pixels.shape[1] * 4**self._upsample > _FORGET_ABOVE:
            self._detector = dlib.fhog_object_detector(self._unused)
        return found

    def _saved(self) -> str:
        """The detector as a file. Reading it takes 1 ms, making one anew 500; a Python copy leaks 150 kB each."""
        path = _file_of(self)
        self._detector.save(path)
        return path


def _file_of(owner: object) -> str:
    """A file that ends with ``owner``: in memory on Linux; elsewhere in TMPDIR, where it stays when this process is killed."""
    if sys.platform == "linux":
        handle = os.memfd_create("hog-detector")
        weakref.finalize(owner, os.close, handle)
        return f"/proc/self/fd/{handle}"
    handle, path = tempfile.mkstemp(prefix="hog-detector-")
    os.close(handle)
    weakref.finalize(owner, os.unlink, path)
    return path


class Landmarks:
    """Finds 5 or 68 points in a face.

    The 68-point file was trained on the iBUG 300-W pictures, whose licence excludes commercial use; it is loaded only
    when ``points`` is 68. Raises ModelMissing when the file is not installed.
    """

    def __init__(self, points: int) -> None:
        if points == 68:
            logger.warning(
                "the 68-point landmark file is licensed for non-commercial use only", extra={"action": "model_loaded"}
            )
        name = SIXTY_EIGHT_POINTS_FILE if points == 68 else FIVE_POINTS_FILE
        self._predictor = dlib.shape_predictor(str(model_file(name)))

    def find(self, pixels: Pixels, box: Box) -> Any:
        """dlib's ``full_object_detection`` of the face in ``box``; ``points_of`` and ``chips_of`` take it."""
        return self._predictor(pixels, dlib.rectangle(box.left, box.top, box.right, box.bottom))


def points_of(shape: Any) -> tuple[Point, ...]:
    """The landmarks of ``Landmarks.find`` in dlib's order."""
    return tuple(Point(part.x, part.y) for part in shape.parts())


def chips_of(pixels: Pixels, shapes: Sequence[Any]) -> list[Pixels]:
    """The aligned faces, RGB (150, 150, 3), bit for bit those that dlib's own encoder takes."""
    if not shapes:
        return []
    wanted = dlib.full_object_detections()
    wanted.extend(shapes)
    chips: list[Pixels] = dlib.get_face_chips(pixels, wanted, size=CHIP_SIZE, padding=CHIP_PADDING)
    return chips


def jittered(chip: Pixels, count: int) -> list[Pixels]:
    """``count`` copies of ``chip``, each moved, turned, zoomed or mirrored a little at random (``dlib::jitter_image``)."""
    copies: list[Pixels] = dlib.jitter_image(chip, num_jitters=count)
    return copies


def resized(pixels: Any, rows: int, columns: int) -> Any:
    """dlib's bilinear resize of an RGB uint8 image or of one float32 plane."""
    return dlib.resize_image(pixels, rows, columns)


def _box(rectangle: Any) -> Box:
    return Box(top=rectangle.top(), right=rectangle.right(), bottom=rectangle.bottom(), left=rectangle.left())
