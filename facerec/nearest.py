"""The nearest pairs of faces of an image and some others, one face against all at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facerec.encodings import Distances, Encodings, FaceIds, distances
from facerec.errors import InternalError
from facerec.identity import ticket_of
from facerec.ports import Match
from facerec.records import HEAD, Heads, is_whole

_AT_ONCE = 8192
"""Faces that one is compared with in one step, which takes 8 MiB."""


@dataclass(frozen=True, slots=True, eq=False)
class Nearest:
    """What is nearest to one face: for each image the distance, infinite when nothing can be compared, and the face there."""

    face: int
    distances: Distances
    others: FaceIds


def heads_of(records: Sequence[bytes]) -> Heads:
    """Records as rows. Raises InternalError when one is damaged."""
    for record in records:
        if not is_whole(record):
            raise InternalError(f"damaged face record of {len(record)} bytes")
    return np.frombuffer(b"".join([record[: HEAD.itemsize] for record in records]), HEAD)


def nearest_of_each(records: Sequence[bytes], images: Sequence[Sequence[bytes]]) -> Iterator[Nearest]:
    """For each comparable face of an image, by its id, what is nearest to it in each of some images; ties by face id.

    Only faces of one model are compared. Raises InternalError when a record is damaged.
    """
    mine = heads_of(records)
    mine = np.sort(mine[mine["marks"] == 0], order="id")
    heads = heads_of([record for image in images for record in image])
    places = np.repeat(np.arange(len(images)), [len(image) for image in images])[heads["marks"] == 0]
    heads = heads[heads["marks"] == 0]
    order = np.lexsort((heads["id"], places))
    places, heads = places[order], heads[order]
    ids, encodings = heads["id"].astype(np.int64), np.ascontiguousarray(heads["encoding"])
    for face in mine:
        far = np.full(len(images), np.inf)
        others = np.zeros(len(images), np.int64)
        same = np.flatnonzero(heads["model"] == face["model"])
        if len(same):
            found = _distances(face["encoding"], encodings[same])
            at, nearest = _least_of_each(places[same], found)
            far[at], others[at] = found[nearest], ids[same][nearest]
        yield Nearest(int(face["id"]), far, others)


def nearest_pairs(records: Sequence[bytes], images: Sequence[Sequence[bytes]]) -> list[Match]:
    """The nearest pair of an image with each of the others that have a comparable face, in their order; ties by face ids."""
    far = np.full(len(images), np.inf)
    mine, theirs = np.zeros(len(images), np.int64), np.zeros(len(images), np.int64)
    for nearest in nearest_of_each(records, images):
        nearer = nearest.distances < far
        far[nearer], mine[nearer], theirs[nearer] = nearest.distances[nearer], nearest.face, nearest.others[nearer]
    rows = zip(far.tolist(), mine.tolist(), theirs.tolist(), strict=True)
    return [Match(distance, ticket_of(other), one, other) for distance, one, other in rows if np.isfinite(distance)]


def _distances(probe: Encodings, encodings: Encodings) -> Distances:
    parts = range(0, len(encodings), _AT_ONCE)
    return np.concatenate([distances(encodings[start : start + _AT_ONCE], probe) for start in parts])


def _least_of_each(places: NDArray[np.int64], found: Distances) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The different places, which are sorted, and for each where its first least distance is."""
    different, starts, sizes = np.unique(places, return_index=True, return_counts=True)
    least = np.flatnonzero(found == np.repeat(np.minimum.reduceat(found, starts), sizes))
    _, first = np.unique(places[least], return_index=True)
    return different, least[first]
