"""Many images at a glance."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from facerec.adapters.redis.connection import RedisDatabases, mapped_errors
from facerec.adapters.redis.documents import ImageDocuments, NoMatches, fields_of, named, set_of
from facerec.adapters.redis.layout import FACES, prefix
from facerec.faces import Model
from facerec.nearest import nearest_of_each
from facerec.ports import Matches
from facerec.records import face_id_of

_UNFINISHED = ("queued", "processing", "failed")
_AT_ONCE = 500


class RedisOverview:
    """`facerec.ports.Overview` over Redis."""

    def __init__(self, databases: RedisDatabases, matches: Matches | None = None) -> None:
        self._databases = databases
        self._matches = matches or NoMatches()
        self._documents = ImageDocuments(databases)

    def counts(self, owner: str) -> dict[str, int]:
        total, *unfinished = (int(number) for number in self._databases.read("counts", prefix(owner)))
        return dict(zip(_UNFINISHED, unfinished, strict=True)) | {"done": total - sum(unfinished)}

    def face_matches(
        self, owner: str, image_hash: str, tolerance: float, limit: int
    ) -> dict[int, list[dict[str, Any]]] | None:
        stored = self._databases.read("image", owner, prefix(owner), image_hash)
        if not stored:
            return None
        if stored[4]:
            model = set_of(fields_of(stored[0]))
            return self._told(owner, self._near_in_crowd(owner, model, stored[2], tolerance, limit))
        near: dict[int, list[tuple[float, str, int]]] = {face_id_of(record): [] for record in stored[2]}
        for links, images in self._linked(owner, [link.decode() for link in stored[3]]):
            for nearest in nearest_of_each(stored[2], images):
                rows = zip(nearest.distances.tolist(), links, nearest.others.tolist(), strict=True)
                near[nearest.face] += [row for row in rows if row[0] <= tolerance]
        return self._told(owner, {face_id: sorted(found)[:limit] for face_id, found in near.items()})

    def _near_in_crowd(
        self, owner: str, model: Model, records: Sequence[bytes], tolerance: float, limit: int
    ) -> dict[int, list[tuple[float, str, int]]]:
        """Of an image that has more matches than links are kept for."""
        found = self._matches.by_face(owner, model, records, tolerance, limit)
        hashes = named(self._databases, owner, sorted({match.ticket for near in found.values() for match in near}))
        return {
            face: [
                (match.distance, hashes[match.ticket][0], match.matched_face)
                for match in near
                if match.ticket in hashes
            ]
            for face, near in found.items()
        }

    def _linked(self, owner: str, links: Sequence[str]) -> Iterator[tuple[Sequence[str], list[list[bytes]]]]:
        """Some links at a time with the face records of these images."""
        p = prefix(owner)
        for start in range(0, len(links), _AT_ONCE):
            some = links[start : start + _AT_ONCE]
            with mapped_errors(), self._databases.client(FACES).pipeline(transaction=False) as pipeline:
                for link in some:
                    pipeline.lrange(p + link, 0, -1)
                yield some, pipeline.execute()

    def _told(self, owner: str, near: dict[int, list[tuple[float, str, int]]]) -> dict[int, list[dict[str, Any]]]:
        hashes = sorted({link for found in near.values() for _, link, _ in found})
        names = {summary["hash"]: summary["names"] for summary in self.summaries(owner, hashes)}
        return {
            face_id: [
                {"hash": link, "names": names[link], "distance": distance, "face": other}
                for distance, link, other in found
                if link in names
            ]
            for face_id, found in near.items()
        }

    def summaries(self, owner: str, hashes: Sequence[str]) -> list[dict[str, Any]]:
        return self._documents.summaries(owner, hashes)
