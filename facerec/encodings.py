"""Encodings as matrices, and how far apart they are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from facerec.faces import ENCODING_LENGTH
from facerec.records import encoding_bytes

Encodings = NDArray[np.float32]
"""Shape (n, 128)."""
FaceIds = NDArray[np.int64]
Rows = NDArray[np.int64]
Distances = NDArray[np.float64]


def distances(some: Encodings, others: Encodings) -> Distances:
    """The distances of rows two by two, or of one row to all, computed in float64."""
    differences = np.subtract(some, others, dtype=np.float64)
    found: Distances = np.sqrt(np.einsum("ij,ij->i", differences, differences))
    return found


def euclidean(one: Encodings, other: Encodings) -> float:
    """The distance of two encodings, computed in float64."""
    return float(distances(one[None, :], other[None, :])[0])


def stack_encodings(records: Sequence[bytes]) -> Encodings:
    """The encodings of face records as one matrix of shape (n, 128)."""
    joined = b"".join([encoding_bytes(record) for record in records])
    return np.frombuffer(joined, dtype="<f4").reshape(-1, ENCODING_LENGTH)


def halves(encodings: Encodings) -> NDArray[np.float32]:
    """Half the squared length of each row."""
    found: NDArray[np.float32] = np.einsum("ij,ij->i", encodings, encodings) / np.float32(2)
    return found
