"""Every known encoding in memory: exact search by Euclidean distance.

The index knows faces by id alone; the id leads to the image (`facerec.identity.ticket_of`), so nothing else need be kept. How the
encodings lie and are searched: `facerec.partition`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import numpy as np

from facerec.encodings import Encodings, FaceIds, Rows, stack_encodings
from facerec.errors import InternalError
from facerec.faces import Model
from facerec.hits import Among, Beyond, Hit, Pairs, no_pairs
from facerec.partition import Partition
from facerec.ports import JournalEntry
from facerec.records import Heads, face_id_of, is_comparable, model_of


class FaceIndex:
    """The known encodings of all owners and models, current up to journal ``position``. For use by one thread at a time."""

    def __init__(self, position: int = 0) -> None:
        self.position = position
        self._partitions: dict[tuple[str, Model], Partition] = {}

    def __len__(self) -> int:
        """Any thread may ask, while another adds owners."""
        return sum(len(partition) for partition in list(self._partitions.values()))

    def count(self, owner: str, model: Model) -> int:
        """How many faces of this owner are known to this model."""
        partition = self._partitions.get((owner, model))
        return len(partition) if partition else 0

    @property
    def nbytes(self) -> int:
        """Bytes of memory in the matrices. Any thread may ask, while another adds owners."""
        return sum(partition.nbytes for partition in list(self._partitions.values()))

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
            partition = self._partitions.setdefault((owner, model), Partition())
            partition.add(np.array([face_id_of(record) for record in group]), stack_encodings(group))

    def add_heads(self, owner: str, heads: Heads) -> None:
        """Know these faces from now on, as `add` does; all heads must be whole."""
        heads = heads[heads["marks"] == 0]
        for number in np.unique(heads["model"]):
            some = heads[heads["model"] == number]
            partition = self._partitions.setdefault((owner, Model(int(number))), Partition())
            partition.add(some["id"].astype(np.int64), some["encoding"])

    def remove(self, owner: str, ticket: int) -> None:
        """Forget the faces of the image that ``ticket`` announced."""
        for (of, _), partition in self._partitions.items():
            if of == owner:
                partition.remove(ticket)

    def within(self, owner: str, model: Model, probes: Encodings, tolerance: float) -> list[Hit]:
        """All faces at most ``tolerance`` (inclusive) from each probe; ``probes`` has shape (n, 128)."""
        pairs = self.pairs(owner, model, probes, tolerance)
        return list(map(Hit, pairs.rows.tolist(), pairs.face_ids.tolist(), pairs.distances.tolist()))

    def pairs(self, owner: str, model: Model, probes: Encodings, tolerance: float) -> Pairs:
        """What `within` finds, as arrays, which are small even for ten thousands."""
        partition = self._partitions.get((owner, model))
        return partition.pairs(probes, tolerance) if partition else no_pairs()

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
        return partition.matches(probes, tolerance) if partition else no_pairs()

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
