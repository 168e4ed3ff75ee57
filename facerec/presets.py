"""Tolerances with names, for people who ask "who is this?" and should not have to know distances.

The numbers beside them are those of docs/accuracy.md (model `HOG`, pictures of Labeled Faces in the Wild): what each costs in
acquaintances missed and strangers taken for somebody.
"""

from __future__ import annotations

from dataclasses import dataclass

from facerec.errors import BadParam


@dataclass(frozen=True, slots=True)
class Preset:
    """``tolerance`` is the Euclidean distance, inclusive, up to which a known face counts.

    ``found`` is the part of the pairs of one person that match, ``strangers`` says that one pair of strangers in that many
    is expected to match.
    """

    tolerance: float
    found: float
    strangers: int


PRESETS = {
    "strict": Preset(0.50, 0.840, 40_000),
    "medium": Preset(0.55, 0.949, 2_100),
    "low": Preset(0.60, 0.978, 190),
}
DEFAULT_PRESET = "medium"


def tolerance_of(preset: str) -> float:
    """The distance that a preset allows. Raises BadParam."""
    if preset not in PRESETS:
        raise BadParam("preset", f"must be one of {', '.join(PRESETS)}", preset[:100])
    return PRESETS[preset].tolerance
