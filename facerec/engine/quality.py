"""The quality filter: why a face should not be compared.

The limits are measured on the faces of ``benchmarks/accuracy.py`` and the portraits; docs/accuracy.md has the numbers.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from facerec.engine.options import EngineOptions
from facerec.engine.pictures import Pixels
from facerec.faces import Box, Mark, Model, Point

UNSURE_BELOW = {Model.HOG: 0.3, Model.CNN: 0.6, Model.CNN_68: 0.6, Model.CNN_HOG: 0.6}
"""Detector scores: of 126 real faces one has less. The reference engine tells none, so nothing is unsure there."""

BLURRED_BELOW = 0.006
"""See ``sharpness``. Chips blurred until they fall below match strangers twice as often; no sharp picture came near."""

TURNED_BEYOND = 0.3
"""See ``turn``; about one face in a hundred."""

_EYES_AND_NOSE = {5: ((0, 1), (2, 3), 4), 68: ((36, 39), (42, 45), 33)}
"""Numbers of the corners of one eye, of the other, and of the point under the nose, by the number of landmarks."""


def marks(
    box: Box, points: tuple[Point, ...], *, confidence: float, chip: Pixels | None, model: Model, options: EngineOptions
) -> frozenset[Mark]:
    """The reasons to distrust a face; none when the filter is off. ``box`` and ``points`` are in full-size pixels.

    ``confidence`` is not judged for faces that were not detected (0 in ``compute``), blur not without a chip.
    """
    if not options.quality_filter:
        return frozenset()
    reasons = {
        Mark.SMALL: min(box.right - box.left, box.bottom - box.top) < options.smallest_face,
        Mark.UNSURE: confidence != 0.0 and confidence < UNSURE_BELOW.get(model, -math.inf),
        Mark.BLURRED: chip is not None and sharpness(chip) < BLURRED_BELOW,
        Mark.TURNED: abs(turn(points)) > TURNED_BEYOND,
    }
    return frozenset(mark for mark, holds in reasons.items() if holds)


def sharpness(chip: Pixels) -> float:
    """Variance of the Laplacian over the variance of the brightness, in the middle of the chip.

    Independent of brightness and contrast; about 0.05 for a good photo, 0 for a plain surface.
    """
    grey = np.asarray(Image.fromarray(chip).convert("L"), np.float32)[25:125, 25:125]
    inner = grey[1:-1, 1:-1]
    laplacian = grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:] - 4 * inner
    return float(laplacian.var() / (grey.var() + 1.0))


def turn(points: tuple[Point, ...]) -> float:
    """How far the nose lies from the middle between the eyes, along the line of the eyes: 0 for a frontal face.

    About 0.5 when one eye is straight above the nose.
    """
    one, other, nose = _EYES_AND_NOSE[len(points)]
    first, second = _middle(points, one), _middle(points, other)
    axis = second - first
    length2 = float(axis @ axis)
    if length2 == 0.0:
        return 1.0
    return float((np.array([points[nose].x, points[nose].y]) - first) @ axis) / length2 - 0.5


def _middle(points: tuple[Point, ...], numbers: tuple[int, int]) -> NDArray[np.float64]:
    middle: NDArray[np.float64] = np.mean([(points[i].x, points[i].y) for i in numbers], axis=0)
    return middle
