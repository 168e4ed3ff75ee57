"""The faces of one owner in one model, as matrices, and the exact search in them.

Rows live in blocks of at most BLOCK_ROWS, so that growing never copies what is there and wastes little: 512 bytes for the
encoding, 8 for the face id, 4 for the squared length.

A search multiplies float32 matrices (|a - b|^2 = |a|^2 + |b|^2 - 2ab), which is quick and rounds; it only picks candidates, a
little beyond the limit. Whatever rounding could decide is then measured in float64, so the answer is exact for the stored
encodings, and the same whichever of two faces is the probe. One probe among many rows is bound by the speed of memory:
every row is read once, and what is computed for a block stays in the cache.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from facerec.encodings import Distances, Encodings, FaceIds, Rows, distances, halves
from facerec.faces import ENCODING_LENGTH
from facerec.hits import Among, Beyond, Hit, Pairs, nearest_of_images, no_pairs
from facerec.identity import FACES_PER_IMAGE

BLOCK_ROWS = 16384
PROBES_AT_ONCE = 256
"""Probes of one matrix product; with BLOCK_ROWS it makes 16 MiB of products."""
PAIRS_AT_ONCE = 512
"""Pairs whose distance is measured at once; what is copied for them stays in the cache."""
FIRST_ROWS = 64
_ODD = np.uint64(0x9E3779B97F4A7C15)
"""A factor that spreads bits: 2**64 divided by the golden ratio."""
ROUNDING = 1e-4
"""More than float32 can be wrong by in a squared distance of encodings, whose squared length is about 2."""


class Block:
    """Some rows, filled from the front."""

    def __init__(self, capacity: int) -> None:
        self.encodings: Encodings = np.empty((capacity, ENCODING_LENGTH), np.float32)
        self.halves: NDArray[np.float32] = np.empty(capacity, np.float32)
        """Half the squared length of each row."""
        self.ids: FaceIds = np.empty(capacity, np.int64)
        self.used = 0

    @property
    def free(self) -> int:
        return len(self.ids) - self.used

    def append(self, ids: FaceIds, encodings: Encodings) -> None:
        rows = slice(self.used, self.used + len(ids))
        self.ids[rows] = ids
        self.encodings[rows] = encodings
        self.halves[rows] = halves(encodings)
        self.used += len(ids)

    def move_last(self, row: int, into: Block) -> None:
        """The last row goes where ``row`` of a block was, perhaps this one."""
        self.used -= 1
        into.encodings[row] = self.encodings[self.used]
        into.halves[row] = self.halves[self.used]
        into.ids[row] = self.ids[self.used]

    def closeness(self, probes: Encodings) -> NDArray[np.float32]:
        """ab - |b|^2 / 2 for probes a and rows b, rounded as float32 does; shape (probes, used).

        A pair is within a distance d when this is at least (|a|^2 - d^2) / 2.
        """
        rows = self.encodings[: self.used]
        products: NDArray[np.float32] = (rows @ probes[0])[None, :] if len(probes) == 1 else probes @ rows.T
        products -= self.halves[: self.used]
        return products


class Partition:
    """The faces of one owner in one model."""

    def __init__(self) -> None:
        self._blocks: list[Block] = []

    def __len__(self) -> int:
        return sum(block.used for block in self._blocks)

    @property
    def nbytes(self) -> int:
        return sum(block.encodings.nbytes + block.halves.nbytes + block.ids.nbytes for block in self._blocks)

    def digest(self, salt: np.uint64) -> int:
        """Sum over the faces of a hash of id and encoding, modulo 2**64."""
        factors = np.arange(1, ENCODING_LENGTH, 2, dtype=np.uint64) * _ODD
        total = np.uint64(0)
        for block in self._blocks:
            rows = np.ascontiguousarray(block.encodings[: block.used]).view(np.uint64)
            hashes = (rows * factors).sum(axis=1, dtype=np.uint64) + block.ids[: block.used].astype(np.uint64) * _ODD
            hashes = (hashes ^ (hashes >> np.uint64(29)) ^ salt) * _ODD
            total = np.add(total, hashes.sum(dtype=np.uint64))
        return int(total)

    def face_ids(self) -> FaceIds:
        return np.concatenate([block.ids[: block.used] for block in self._blocks] or [np.empty(0, np.int64)])

    def add(self, ids: FaceIds, encodings: Encodings) -> None:
        start = 0
        while start < len(ids):
            block = self._block_with_room()
            end = start + min(block.free, len(ids) - start)
            block.append(ids[start:end], encodings[start:end])
            start = end

    def remove(self, ticket: int) -> None:
        first, end = ticket * FACES_PER_IMAGE, (ticket + 1) * FACES_PER_IMAGE
        # From the end, so that what is moved into a gap is never to be removed itself.
        for block in self._blocks[::-1]:
            ids = block.ids[: block.used]
            for row in np.flatnonzero((ids >= first) & (ids < end))[::-1]:
                self._fill(block, int(row))

    def _fill(self, block: Block, row: int) -> None:
        """Every block but the last stays full: else blocks of which little is left would add up while faces come and go."""
        last = self._blocks[-1]
        last.move_last(row, block)
        if not last.used:
            self._blocks.pop()

    def pairs(self, probes: Encodings, tolerance: float) -> Pairs:
        parts = [no_pairs()]
        for block, places, rows, _ in self._candidates(probes, tolerance):
            far = _distances_of(probes, places, block, rows)
            near = far <= tolerance
            parts.append(Pairs(places[near], block.ids[rows[near]], far[near]))
        return Pairs(
            *(np.concatenate([getattr(part, name) for part in parts]) for name in ("rows", "face_ids", "distances"))
        )

    def near(self, probes: Encodings, tolerance: float) -> Iterator[tuple[Rows, FaceIds]]:
        for block, places, rows, sure in self._candidates(probes, tolerance):
            unsure = np.flatnonzero(~sure)
            sure[unsure] = _distances_of(probes, places[unsure], block, rows[unsure]) <= tolerance
            yield places[sure], block.ids[rows[sure]]

    def matches(self, probes: Encodings, tolerance: float) -> Pairs:
        """The nearest pair for each ticket, by distance, then ticket."""
        return nearest_of_images(self.pairs(probes, tolerance))

    def _candidates(self, probes: Encodings, limit: float) -> Iterator[tuple[Block, Rows, Rows, NDArray[np.bool_]]]:
        """For each block: pairs of probe and row that may be within ``limit``, and which of them surely are."""
        probes = np.ascontiguousarray(probes, np.float32)
        for start in range(0, len(probes), PROBES_AT_ONCE):
            some = probes[start : start + PROBES_AT_ONCE]
            bounds = halves(some)[:, None] - np.float32(limit * limit / 2)
            for block in self._blocks:
                closeness = block.closeness(some)
                if closeness.max() < bounds.min() - ROUNDING / 2:
                    continue
                places, rows = np.nonzero(closeness >= bounds - ROUNDING / 2)
                sure = closeness[places, rows] > bounds[places, 0] + ROUNDING / 2
                yield block, places + start, rows, sure

    def nearest(
        self, probe: Encodings, count: int, limit: float, among: Among | None, beyond: Beyond | None
    ) -> list[Hit]:
        probes = np.ascontiguousarray(probe[None, :], np.float32)
        hits: list[Hit] = []
        for block in self._blocks:
            hits += _nearest_in(block, probes, count, limit, among, beyond)
        hits.sort(key=lambda hit: (hit.distance, hit.face_id))
        return hits[:count]

    def _block_with_room(self) -> Block:
        if not self._blocks or not self._blocks[-1].free:
            size = min(BLOCK_ROWS, max(FIRST_ROWS, len(self)))
            self._blocks.append(Block(size))
        return self._blocks[-1]


def _nearest_in(
    block: Block, probes: Encodings, count: int, limit: float, among: Among | None, beyond: Beyond | None
) -> list[Hit]:
    closeness = block.closeness(probes)[0]
    bound = (float(halves(probes)[0]) * 2 - limit * limit - ROUNDING) / 2
    rows = np.flatnonzero(closeness >= bound)
    if among is not None:
        rows = rows[among.mask(block.ids[rows])]
    if beyond is not None:
        rows = _beyond(block, probes, rows, closeness, beyond)
    if len(rows) > count:
        near, place = closeness[rows], len(rows) - count
        rows = rows[near >= np.partition(near, place)[place] - ROUNDING / 2]
    far = _distances_of(probes, np.zeros_like(rows), block, rows)
    return [
        Hit(0, int(block.ids[row]), float(distance))
        for row, distance in zip(rows, far, strict=True)
        if distance <= limit
    ]


def _beyond(block: Block, probes: Encodings, rows: Rows, closeness: NDArray[np.float32], beyond: Beyond) -> Rows:
    """Those of ``rows`` that come after a hit; what rounding could decide is measured."""
    distance, face = beyond
    edge = (float(halves(probes)[0]) * 2 - distance * distance) / 2
    rows = rows[closeness[rows] <= edge + ROUNDING / 2]
    unsure = np.flatnonzero(closeness[rows] >= edge - ROUNDING / 2)
    far, ids = _distances_of(probes, np.zeros_like(unsure), block, rows[unsure]), block.ids[rows[unsure]]
    before = (far < distance) | ((far == distance) & (ids <= face))
    return np.delete(rows, unsure[before])


def _distances_of(probes: Encodings, places: Rows, block: Block, rows: Rows) -> Distances:
    """The distances of pairs of a probe and a row. One person in many pictures makes pairs by the ten thousand, so only some at a
    time are copied out.
    """
    found = np.empty(len(rows))
    for start in range(0, len(rows), PAIRS_AT_ONCE):
        some = slice(start, start + PAIRS_AT_ONCE)
        found[some] = distances(probes[places[some]], block.encodings[rows[some]])
    return found
