"""Confidence: the distance of two faces as a number from 0 to 1, bigger is closer.

``confidence(d) = 1 / (1 + (d / 0.6) ** 4)``: 1 for equal encodings, exactly 0.5 at the distance 0.6 at which a match is
decided, strictly falling, never 0. The steep middle part spreads the distances between strangers and acquaintances over
most of the scale; `distance_of` is the exact inverse, so a threshold of confidence is a limit of distance.
"""

from __future__ import annotations

from facerec.errors import BadParam
from facerec.presets import PRESETS, tolerance_of

MIDDLE = 0.6
STEEPNESS = 4
FARTHEST = 4.0
"""More than two encodings can be apart."""
DEFAULT_THRESHOLD = 0.75


def confidence(distance: float) -> float:
    """The confidence that two faces so far apart show one person."""
    return 1.0 / (1.0 + (distance / MIDDLE) ** STEEPNESS)


def distance_of(threshold: float) -> float:
    """The greatest distance whose confidence is at least ``threshold`` (0 to 1)."""
    if threshold <= 0.0:
        return FARTHEST
    return float(min(FARTHEST, MIDDLE * ((1.0 - threshold) / threshold) ** (1.0 / STEEPNESS)))


def threshold_of(value: object) -> float | None:
    """A threshold as users give it: a number from 0 to 1, its text, or a preset; ``none`` is None. Raises BadParam."""
    if isinstance(value, str) and value in PRESETS:
        return confidence(tolerance_of(value))
    if value == "none":
        return None
    try:
        number = float(value) if isinstance(value, int | float | str) and not isinstance(value, bool) else -1.0
    except (ValueError, OverflowError):
        number = -1.0
    if not 0.0 <= number <= 1.0:
        shown = value[:100] if isinstance(value, str) else None
        raise BadParam("threshold", f"must be a number from 0 to 1, none, {', '.join(PRESETS)}", shown)
    return number
