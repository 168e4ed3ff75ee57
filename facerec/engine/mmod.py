"""dlib's CNN face detector (max-margin object detection) around its network.

The network slides an 80-pixel window over a picture that holds the whole image pyramid, one level beside the other. The
layout of that picture, the way back to the photo and the suppression of overlapping boxes follow
dlib/image_transforms/image_pyramid.h, dlib/dnn/loss.h (``loss_mmod_``) and dlib/image_processing/box_overlap_testing.h.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from facerec.engine.detection import Detection, Detector
from facerec.engine.dlibs import resized
from facerec.engine.pictures import Pixels
from facerec.engine.pyramid import Tiling, pyramid_tiling
from facerec.engine.runtime import Network, normalized
from facerec.engine.weights import Floats
from facerec.faces import Box

STRIDE = 8
"""Pixels between two windows: three convolutions of stride 2."""

FIRST_CENTRE = 14.0
"""Pixel of the tiled picture under the centre of the first window.

dlib maps a point p back through a convolution of stride s, size f and padding d as ``p * s + (f - 1) / 2 - d``; three of
stride 2 and size 5 without padding give 2 + 2 * 2 + 4 * 2, the padded ones nothing.
"""

SMALLEST_SIDE = 10
"""Pixels, after the doubling; dlib's detector breaks on a smaller picture, in which no face could be anyway."""


@dataclass(frozen=True, slots=True)
class Rules:
    """``window``: side of the sliding window in pixels. Two boxes are one face when the overlap is above ``iou`` of the
    rectangle around both, or above ``covered`` of either."""

    window: int
    iou: float
    covered: float

    @classmethod
    def of(cls, network: Network) -> Rules:
        """As the converter read them from dlib's file."""
        told = network.metadata
        return cls(int(told["window"]), float(told["nms_iou"]), float(told["nms_covered"]))


class CnnDetector:
    """Finds faces from 80 pixels on, also turned ones; from 40 when the picture is doubled once.

    ``threshold`` is dlib's ``adjust_threshold``: a window counts when its score is above it.
    """

    def __init__(self, network: Network, upsample: int = 0, threshold: float = 0.0) -> None:
        self._network = network
        self._rules = Rules.of(network)
        self._upsample = upsample
        self._threshold = threshold

    def find(self, pixels: Pixels) -> list[Detection]:
        for _ in range(self._upsample):
            pixels = doubled(pixels)
        if min(pixels.shape[:2]) < SMALLEST_SIDE:
            return []
        tiling = pyramid_tiling(pixels.shape[0], pixels.shape[1])
        scores = self._network(tiled(pixels, tiling))[0, 0]
        rows, columns = np.nonzero(scores > self._threshold)
        order = np.argsort(-scores[rows, columns], kind="stable")
        found = [
            Detection(
                _window_box(tiling, int(rows[i]), int(columns[i]), self._rules.window),
                float(scores[rows[i], columns[i]]),
            )
            for i in order
        ]
        return [_halved(kept, self._upsample) for kept in suppressed(found, self._rules)]


class ConfirmedDetector:
    """Model 4: a CNN face that no HOG face overlaps enough keeps only a part of its confidence."""

    OVERLAP = 0.35
    UNCONFIRMED = 0.8
    """Intersection over union that confirms, and the part that is kept otherwise: the contract of Nextcloud's model 4."""

    def __init__(self, cnn: Detector, hog: Detector) -> None:
        self._cnn = cnn
        self._hog = hog

    def find(self, pixels: Pixels) -> list[Detection]:
        found = self._cnn.find(pixels)
        if not found:
            return []
        witnesses = [d.box for d in self._hog.find(pixels)]
        return [self._judged(detection, witnesses) for detection in found]

    def _judged(self, detection: Detection, witnesses: Sequence[Box]) -> Detection:
        if any(intersection_over_union(detection.box, box) >= self.OVERLAP for box in witnesses):
            return detection
        return Detection(detection.box, detection.confidence * self.UNCONFIRMED)


def intersection_over_union(a: Box, b: Box) -> float:
    """Common area over the area covered by both, 0 to 1."""
    common = Box(
        top=max(a.top, b.top), right=min(a.right, b.right), bottom=min(a.bottom, b.bottom), left=max(a.left, b.left)
    )
    if common.right <= common.left or common.bottom <= common.top:
        return 0.0
    return common.area / (a.area + b.area - common.area)


def doubled(pixels: Pixels) -> Pixels:
    """dlib's ``pyramid_up``: twice the size in the coordinates of ``pyramid_down<2>``, bilinear."""
    rows, columns = pixels.shape[:2]
    larger: Pixels = resized(pixels, _up(rows - 1, 0.75) + 1, _up(columns - 1, 1.25) + 1)
    return larger


def _up(last: int, offset: float) -> int:
    return _rounded((last + offset) * 2)


def _halved(detection: Detection, times: int) -> Detection:
    """The box as it lies in the picture before it was doubled so often."""
    left, top, right, bottom = detection.box.left, detection.box.top, detection.box.right, detection.box.bottom
    x0, y0, x1, y1 = float(left), float(top), float(right), float(bottom)
    for _ in range(times):
        x0, y0, x1, y1 = x0 / 2 - 1.25, y0 / 2 - 0.75, x1 / 2 - 1.25, y1 / 2 - 0.75
    return Detection(
        Box(top=_rounded(y0), right=_rounded(x1), bottom=_rounded(y1), left=_rounded(x0)), detection.confidence
    )


def _rounded(value: float) -> int:
    """dlib's way from a real to a whole coordinate: halves away from zero."""
    return int(math.copysign(math.floor(abs(value) + 0.5), value))


def tiled(pixels: Pixels, tiling: Tiling) -> Floats:
    """The picture that holds every level of the pyramid, (1, 3, height, width); between the levels it is 0."""
    canvas = np.zeros((1, 3, tiling.height, tiling.width), np.float32)
    level = normalized([pixels])[0]
    for tile in tiling.tiles:
        if level.shape[1:] != (tile.height, tile.width):
            level = np.stack([resized(np.ascontiguousarray(plane), tile.height, tile.width) for plane in level])
        canvas[0, :, tile.top : tile.top + tile.height, tile.left : tile.left + tile.width] = level
    return canvas


def _window_box(tiling: Tiling, row: int, column: int, window: int) -> Box:
    """The box in the photo of the window at a place of the score map."""
    x, y = column * STRIDE + FIRST_CENTRE, row * STRIDE + FIRST_CENTRE
    level, tile = tiling.nearest(x, y)
    half = (window - 1) / 2
    return Box(
        top=_rounded(tiling.to_photo(level, y - half - tile.top)),
        right=_rounded(tiling.to_photo(level, x + half - tile.left)),
        bottom=_rounded(tiling.to_photo(level, y + half - tile.top)),
        left=_rounded(tiling.to_photo(level, x - half - tile.left)),
    )


def suppressed(detections: Sequence[Detection], rules: Rules) -> list[Detection]:
    """``detections`` (best first) without those that overlap a better one too much."""
    kept: list[Detection] = []
    for detection in detections:
        if not any(_same_face(better.box, detection.box, rules) for better in kept):
            kept.append(detection)
    return kept


def _same_face(a: Box, b: Box, rules: Rules) -> bool:
    """dlib's ``test_box_overlap``, which divides by the smallest rectangle around both boxes and not by their union."""
    width = min(a.right, b.right) - max(a.left, b.left) + 1
    height = min(a.bottom, b.bottom) - max(a.top, b.top) + 1
    if width <= 0 or height <= 0:
        return False
    inner = width * height
    around = (max(a.right, b.right) - min(a.left, b.left) + 1) * (max(a.bottom, b.bottom) - min(a.top, b.top) + 1)
    return inner / around > rules.iou or inner > rules.covered * min(_inclusive_area(a), _inclusive_area(b))


def _inclusive_area(box: Box) -> int:
    """dlib counts the right column and the bottom row as part of a rectangle."""
    return (box.right - box.left + 1) * (box.bottom - box.top + 1)
