"""What plain face_recognition says of the same pictures: the truth that the service is held to."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import numpy as np

TOLERANCE = 0.6


def plain_matches(paths: dict[str, Path]) -> dict[str, set[str]]:
    """What face_recognition by itself says: the names of the pictures with a face within the tolerance of one of these."""
    import face_recognition

    encodings = {}
    for name, path in paths.items():
        picture = face_recognition.load_image_file(path)
        encodings[name] = face_recognition.face_encodings(picture)
    matches: dict[str, set[str]] = {name: set() for name in paths}
    for one, other in combinations(paths, 2):
        distances = [np.linalg.norm(a - b) for a in encodings[one] for b in encodings[other]]
        if any(distance <= TOLERANCE for distance in distances):
            matches[one].add(other)
            matches[other].add(one)
    return matches
