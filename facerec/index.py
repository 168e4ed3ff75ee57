"""Every known encoding in memory: exact search by Euclidean distance.

Rows live in blocks of at most BLOCK_ROWS, so that growing never copies what is there and wastes little: 512 bytes for the
encoding, 8 for the face id, 4 for the squared length. The index knows faces by id alone; the id leads to the image
(`facerec.identity.ticket_of`), so nothing else need be kept.

A search multiplies float32 matrices (|a - b|^2 = |a|^2 + |b|^2 - 2ab), which is quick and rounds; it only picks candidates, a
little beyond the limit. Whatever rounding could decide is then measured in float64, so the answer is exact for the stored
encodings, and the same whichever of two faces is the probe. One probe among many rows is bound by the speed of memory:
every row is read once, and what is computed for a block stays in the cache.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facerec.errors import InternalError
from facerec.faces import ENCODING_LENGTH, Model
from facerec.identity import FACES_PER_IMAGE
from facerec.ports import JournalEntry
from facerec.records import Heads, encoding_bytes, face_id_of, is_comparable, model_of

BLOCK_ROWS = 16384
PROBES_AT_ONCE = 256
"""Probes of one matrix product; with BLOCK_ROWS it makes 16 MiB of products."""
FIRST_ROWS = 64
_ODD = np.uint64(0x9E3779B97F4A7C15)
"""A factor that spreads bits: 2**64 divided by the golden ratio."""
ROUNDING = 1e-4
"""More than float32 can be wrong by in a squared distance of encodings, whose squared length is about 2."""

Encodings = NDArray[np.float32]
FaceIds = NDArray[np.int64]
Rows = NDArray[np.int64]
Distances = NDArray[np.float64]
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


class FaceIndex:
    """The known encodings of all owners and models, current up to journal ``position``. For use by one thread at a time."""

    def __init__(self, position: int = 0) -> None:
        self.position = position
        self._partitions: dict[tuple[str, Model], _Partition] = {}

    def __len__(self) -> int:
        return sum(len(partition) for partition in self._partitions.values())

    @property
    def nbytes(self) -> int:
        """Bytes of memory in the matrices."""
        return sum(partition.nbytes for partition in self._partitions.values())

    def apply(self, entry: JournalEntry) -> None:
        """Follow the journal by one entry. Raises InternalError when it is not the next one."""
        if entry.position != self.position + 1:
            raise InternalError(f"journal entry {entry.position} after position {self.position}")
        if entry.operation == "add":
            self.add(entry.owner, entry.records)
        elif entry.operation == "remove":
            self.remove(entry.owner, entry.image_ticket)
        self.position = entry.position

    def add(self, owner: str, records: Iterable[bytes]) -> None:
        """Know these faces from now on; those that the quality filter marked are left out."""
        rows: dict[Model, list[bytes]] = {}
        for record in records:
            if is_comparable(record):
                rows.setdefault(model_of(record), []).append(record)
        for model, group in rows.items():
            partition = self._partitions.setdefault((owner, model), _Partition())
            partition.add(np.array([face_id_of(record) for record in group]), stack_encodings(group))

    def add_heads(self, owner: str, heads: Heads) -> None:
        """Know these faces from now on, as `add` does; all heads must be whole."""
        heads = heads[heads["marks"] == 0]
        for number in np.unique(heads["model"]):
            some = heads[heads["model"] == number]
            partition = self._partitions.setdefault((owner, Model(int(number))), _Partition())
            partition.add(some["id"].astype(np.int64), some["encoding"])

    def remove(self, owner: str, ticket: int) -> None:
        """Forget the faces of the image that ``ticket`` announced."""
        for (of, _), partition in self._partitions.items():
            if of == owner:
                partition.remove(ticket)

    def within(self, owner: str, model: Model, probes: Encodings, tolerance: float) -> list[Hit]:
        """All faces at most ``tolerance`` (inclusive) from each probe; ``probes`` has shape (n, 128)."""
        partition = self._partitions.get((owner, model))
        return list(partition.within(probes, tolerance)) if partition else []

    def near(self, owner: str, model: Model, probes: Encodings, tolerance: float) -> tuple[Rows, FaceIds]:
        """The same faces as of `within` as two arrays, rows of ``probes`` and face ids, without their distances.

        For many faces it is much quicker: only pairs that rounding could decide are measured.
        """
        partition = self._partitions.get((owner, model))
        pairs = list(partition.near(probes, tolerance)) if partition else []
        empty = np.empty(0, np.int64)
        return (
            np.concatenate([rows for rows, _ in pairs] or [empty]),
            np.concatenate([ids for _, ids in pairs] or [empty]),
        )

    def matches(self, owner: str, model: Model, probes: Encodings, tolerance: float) -> Pairs:
        """For each image with a face at most ``tolerance`` from a probe the nearest such pair; nearest image first."""
        partition = self._partitions.get((owner, model))
        return partition.matches(probes, tolerance) if partition else _no_pairs()

    def nearest(
        self,
        owner: str,
        model: Model,
        probe: Encodings,
        count: int,
        limit: float,
        among: FaceIds | Among | None = None,
        beyond: Beyond | None = None,
    ) -> list[Hit]:
        """The ``count`` nearest faces at most ``limit`` from one probe of shape (128,), nearest first, ties by face id.

        ``among`` keeps to these face ids; ``beyond`` is the last hit of an earlier search, which this one goes on from.
        """
        if isinstance(among, np.ndarray):
            among = Among(np.unique(among), inside=True)
        partition = self._partitions.get((owner, model))
        return partition.nearest(probe, count, limit, among, beyond) if partition and count > 0 else []

    def face_ids(self, owner: str, model: Model) -> FaceIds:
        """Sorted ids of all known faces, for comparing the index with the databases."""
        partition = self._partitions.get((owner, model))
        return np.sort(partition.face_ids()) if partition else np.empty(0, np.int64)

    def digest(self) -> int:
        """A number that tells two indexes apart: equal for the same faces in whatever order."""
        total = 0
        for (owner, model), partition in self._partitions.items():
            salt = int.from_bytes(hashlib.sha256(f"{owner} {model.value}".encode()).digest()[:8], "little")
            total += partition.digest(np.uint64(salt))
        return total % (1 << 63)

    def partitions(self) -> list[tuple[str, Model]]:
        return list(self._partitions)


class _Block:
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
        self.halves[rows] = _halves(encodings)
        self.used += len(ids)

    def drop(self, row: int) -> None:
        last = self.used - 1
        self.encodings[row] = self.encodings[last]
        self.halves[row] = self.halves[last]
        self.ids[row] = self.ids[last]
        self.used = last

    def closeness(self, probes: Encodings) -> NDArray[np.float32]:
        """ab - |b|^2 / 2 for probes a and rows b, rounded as float32 does; shape (probes, used).

        A pair is within a distance d when this is at least (|a|^2 - d^2) / 2.
        """
        rows = self.encodings[: self.used]
        products: NDArray[np.float32] = (rows @ probes[0])[None, :] if len(probes) == 1 else probes @ rows.T
        products -= self.halves[: self.used]
        return products


class _Partition:
    """The faces of one owner in one model."""

    def __init__(self) -> None:
        self._blocks: list[_Block] = []

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
        for block in self._blocks:
            ids = block.ids[: block.used]
            for row in np.flatnonzero((ids >= first) & (ids < end))[::-1]:
                block.drop(int(row))
        self._blocks = [block for block in self._blocks if block.used]

    def within(self, probes: Encodings, tolerance: float) -> Iterator[Hit]:
        for block, places, rows, _ in self._candidates(probes, tolerance):
            far = distances(probes[places], block.encodings[rows])
            near = far <= tolerance
            found = (places[near].tolist(), block.ids[rows[near]].tolist(), far[near].tolist())
            yield from map(Hit, *found)

    def near(self, probes: Encodings, tolerance: float) -> Iterator[tuple[Rows, FaceIds]]:
        for block, places, rows, sure in self._candidates(probes, tolerance):
            unsure = np.flatnonzero(~sure)
            sure[unsure] = distances(probes[places[unsure]], block.encodings[rows[unsure]]) <= tolerance
            yield places[sure], block.ids[rows[sure]]

    def matches(self, probes: Encodings, tolerance: float) -> Pairs:
        """The nearest pair for each ticket, by distance, then ticket."""
        parts = [_no_pairs()]
        for block, places, rows, _ in self._candidates(probes, tolerance):
            far = distances(probes[places], block.encodings[rows])
            near = far <= tolerance
            parts.append(Pairs(places[near], block.ids[rows[near]], far[near]))
        places, ids, far = (
            np.concatenate([getattr(part, name) for part in parts]) for name in ("rows", "face_ids", "distances")
        )
        order = np.lexsort((ids, places, far))
        _, first = np.unique(ids[order] // FACES_PER_IMAGE, return_index=True)
        chosen = order[first]
        chosen = chosen[np.lexsort((ids[chosen], far[chosen]))]
        return Pairs(places[chosen], ids[chosen], far[chosen])

    def _candidates(self, probes: Encodings, limit: float) -> Iterator[tuple[_Block, Rows, Rows, NDArray[np.bool_]]]:
        """For each block: pairs of probe and row that may be within ``limit``, and which of them surely are."""
        probes = np.ascontiguousarray(probes, np.float32)
        for start in range(0, len(probes), PROBES_AT_ONCE):
            some = probes[start : start + PROBES_AT_ONCE]
            bounds = _halves(some)[:, None] - np.float32(limit * limit / 2)
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

    def _block_with_room(self) -> _Block:
        if not self._blocks or not self._blocks[-1].free:
            size = min(BLOCK_ROWS, max(FIRST_ROWS, len(self)))
            self._blocks.append(_Block(size))
        return self._blocks[-1]


def _nearest_in(
    block: _Block, probes: Encodings, count: int, limit: float, among: Among | None, beyond: Beyond | None
) -> list[Hit]:
    closeness = block.closeness(probes)[0]
    bound = (float(_halves(probes)[0]) * 2 - limit * limit - ROUNDING) / 2
    rows = np.flatnonzero(closeness >= bound)
    if among is not None:
        rows = rows[among.mask(block.ids[rows])]
    if beyond is not None:
        rows = _beyond(block, probes, rows, closeness, beyond)
    if len(rows) > count:
        near, place = closeness[rows], len(rows) - count
        rows = rows[near >= np.partition(near, place)[place] - ROUNDING / 2]
    far = distances(probes, block.encodings[rows])
    return [
        Hit(0, int(block.ids[row]), float(distance))
        for row, distance in zip(rows, far, strict=True)
        if distance <= limit
    ]


def _beyond(block: _Block, probes: Encodings, rows: Rows, closeness: NDArray[np.float32], beyond: Beyond) -> Rows:
    """Those of ``rows`` that come after a hit; what rounding could decide is measured."""
    distance, face = beyond
    edge = (float(_halves(probes)[0]) * 2 - distance * distance) / 2
    rows = rows[closeness[rows] <= edge + ROUNDING / 2]
    unsure = np.flatnonzero(closeness[rows] >= edge - ROUNDING / 2)
    far, ids = distances(probes, block.encodings[rows[unsure]]), block.ids[rows[unsure]]
    before = (far < distance) | ((far == distance) & (ids <= face))
    return np.delete(rows, unsure[before])


def _no_pairs() -> Pairs:
    return Pairs(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.float64))


def distances(some: Encodings, others: Encodings) -> Distances:
    """The distances of rows two by two, or of one row to all, computed in float64."""
    differences = some.astype(np.float64) - others.astype(np.float64)
    found: Distances = np.sqrt(np.einsum("ij,ij->i", differences, differences))
    return found


def euclidean(one: Encodings, other: Encodings) -> float:
    """The distance of two encodings, computed in float64."""
    return float(distances(one[None, :], other[None, :])[0])


def stack_encodings(records: Sequence[bytes]) -> Encodings:
    """The encodings of face records as one matrix of shape (n, 128)."""
    joined = b"".join([encoding_bytes(record) for record in records])
    return np.frombuffer(joined, dtype="<f4").reshape(-1, ENCODING_LENGTH)


def _halves(encodings: Encodings) -> NDArray[np.float32]:
    halves: NDArray[np.float32] = np.einsum("ij,ij->i", encodings, encodings) / np.float32(2)
    return halves
