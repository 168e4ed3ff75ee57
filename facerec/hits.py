"""What a search finds, and among which faces it looks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facerec.encodings import Distances, FaceIds, Rows
from facerec.identity import FACES_PER_IMAGE

Beyond = tuple[float, int]
"""A hit's distance and face id."""


@dataclass(frozen=True, slots=True, eq=False)
class Among:
    """Some faces: those with these sorted ids, or, unless ``inside``, all others."""

    ids: FaceIds
    inside: bool

    def mask(self, ids: FaceIds) -> NDArray[np.bool_]:
        """For each of ``ids`` whether it is one of them."""
        if not len(self.ids):
            return np.full(len(ids), not self.inside)
        places = np.minimum(np.searchsorted(self.ids, ids), len(self.ids) - 1)
        mask: NDArray[np.bool_] = (self.ids[places] == ids) == self.inside
        return mask


@dataclass(frozen=True, slots=True)
class Hit:
    """A known face near a probe. ``probe`` is the row of the probe, ``distance`` Euclidean."""

    probe: int
    face_id: int
    distance: float


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """Pairs of a probe and a known face, as arrays of one length: rows of the probes, face ids, distances."""

    rows: Rows
    face_ids: FaceIds
    distances: Distances


def nearest_of_images(found: Pairs) -> Pairs:
    """The nearest pair for each ticket, by distance, then ticket."""
    places, ids, far = found.rows, found.face_ids, found.distances
    order = np.lexsort((ids, places, far))
    _, first = np.unique(ids[order] // FACES_PER_IMAGE, return_index=True)
    chosen = order[first]
    chosen = chosen[np.lexsort((ids[chosen], far[chosen]))]
    return Pairs(places[chosen], ids[chosen], far[chosen])


def no_pairs() -> Pairs:
    return Pairs(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.float64))
