"""Faces in galleries, over Redis. Keys in database 0, ``{p}`` as in `facerec.adapters.redis.layout`:

===========================  ======  ===================================================================================
key                          type    holds
===========================  ======  ===================================================================================
{p}face:<id>                 hash    what was said of a face: meta, timestamp, day, galleries (comma between), cam_id, bbox,
                                     detector, friend, gender, age, emotions (comma between); no key when nothing was
{p}gallery:<name>            zset    face ids, by themselves; ``default`` has every face but bystanders
{p}gallery:<name>:metas      hash    meta -> how many faces of the gallery have it
{p}gallery:<name>:log        stream  its changes, ids <version>-0, field + or - with the face; trimmed; not of ``default``
{p}gallery:versions          hash    gallery -> version
{p}galleries                 zset    names of the galleries, without ``default``, by their numbers: in the order they were made;
                                     the number of one that is being removed is negative
{p}hidden                    zset    bystanders: faces of posted photos that were not meant; ``*hidden`` is the set's name in
                                     versions and log
{p}meta:<meta>               zset    ids of the faces with that meta, unless it is empty
{p}faces:person              hash    face id -> person
{p}person:<id>               hash    created_at, changed_at, name
{p}person:<id>:faces         zset    ids of its faces
{p}person:<id>:seen:<cam>    zset    the same, of one camera, by timestamp
{p}camera:<id>               hash    its fields, each as JSON
{p}cameras                   zset    cameras in the order they were made
gallery, person, camera      string  counters
plugins:counters             hash    counters of plugins
===========================  ======  ===================================================================================
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from facerec.adapters.redis.commits import moved
from facerec.adapters.redis.connection import Argument, RedisDatabases, call_token, mapped_errors
from facerec.adapters.redis.documents import removed_field
from facerec.adapters.redis.findface_removal import add_gallery, remove_gallery
from facerec.adapters.redis.findface_sets import gallery_key, number_of
from facerec.adapters.redis.layout import FACES, JOURNAL_LENGTH, LINKS, OWN, prefix
from facerec.adapters.redis.owners import known_owners
from facerec.encodings import stack_encodings
from facerec.enrolment import Candidates, Enrolment
from facerec.errors import BadParam, NotFound
from facerec.galleries import DEFAULT_GALLERY, Bounds, Change, Dropped, MetaCount, Page, StoredFace
from facerec.identity import FACES_PER_IMAGE, ticket_of
from facerec.index import FaceIndex
from facerec.ports import JournalGap, Moved
from facerec.records import encoding_of, face_id_of, is_comparable, model_of, unpack_face
from facerec.services.people import check_person_name

_AT_ONCE = 500


class RedisFaceBook:
    """`facerec.galleries.FaceBook` over Redis."""

    def __init__(self, databases: RedisDatabases) -> None:
        self._databases = databases

    # ------------------------------------------------------------ faces

    def faces(self, owner: str, ids: Sequence[int], *, hidden: bool = False) -> list[StoredFace | None]:
        found: list[StoredFace | None] = []
        for start in range(0, len(ids), _AT_ONCE):
            some = ids[start : start + _AT_ONCE]
            arguments: list[Argument] = [prefix(owner), int(hidden)]
            for face in some:
                arguments += [face, ticket_of(face), face % FACES_PER_IMAGE]
            rows = self._databases.read("findface_faces", *arguments) if some else []
            found += [_stored(face, row) if row else None for face, row in zip(some, rows, strict=True)]
        return found

    def faces_of_image(self, owner: str, image_hash: str) -> list[StoredFace] | None:
        p = prefix(owner)
        with mapped_errors():
            if self._databases.client(OWN).hget(f"{p}image:{image_hash}", "state") != b"done":
                return None
            records = self._databases.client(FACES).lrange(p + image_hash, 0, -1)
        found = self.faces(owner, [face_id_of(record) for record in records], hidden=True)
        return [face for face in found if face]

    def removed_faces(self, owner: str, image_hash: str) -> str:
        return removed_field(self._databases, owner, image_hash)

    def enrol(
        self, owner: str, image_hash: str, enrolment: Enrolment, candidates: Candidates
    ) -> bool | Moved | JournalGap:
        text, position = enrolment.text(candidates.faces), candidates.position
        seen = "" if position is None else position
        kind, *rest = self._databases.call("findface_enrol", prefix(owner), image_hash, text, seen)
        if kind == b"moved":
            return moved(rest[0], int(seen))
        return JournalGap() if kind == b"gap" else bool(kind == b"ok")

    def change(self, owner: str, face: int, change: Change) -> None:
        document: dict[str, Any] = {}
        if change.meta is not None:
            document["meta"] = change.meta
        if change.galleries:
            how, names = change.galleries
            document["galleries"] = {how: list(names)}
        if change.person is not None:
            document["person"] = str(change.person)
        if change.fields:
            document["fields"] = dict(change.fields)
        if change.friend_days:
            document["friend"] = {"since": f"{change.friend_since:.6f}", "days": change.friend_days}
        reply = self._databases.call("findface_change", prefix(owner), face, json.dumps(document))
        if reply == b"unknown":
            raise NotFound("there is no such face")
        if reply == b"no person":
            raise BadParam("person_id", "there is no such person", str(change.person))
        if reply != b"ok":
            raise BadParam("galleries", "there is no such gallery", reply[1].decode())

    def drop(self, owner: str, face: int, tolerance: float) -> Dropped | None:
        tried = None
        while True:
            stored = self.faces(owner, [face])[0]
            if stored is None:
                # After a try that was cut off, the face that is gone is the one that was dropped.
                return tried
            arguments = self._what_goes(owner, stored, tolerance)
            reply = self._databases.call("findface_drop", *arguments)
            if reply != b"changed":
                return Dropped(stored.image, last=reply == b"last")
            tried = Dropped(stored.image, last=False)

    def _what_goes(self, owner: str, stored: StoredFace, tolerance: float) -> list[Argument]:
        p = prefix(owner)
        with mapped_errors():
            faces, links = self._databases.client(FACES), self._databases.client(LINKS)
            records = faces.lrange(p + stored.image, 0, -1)
            linked = sorted(links.smembers(p + stored.image))
            with faces.pipeline(transaction=False) as pipeline:
                for other in linked:
                    pipeline.lrange(p + other.decode(), 0, -1)
                of_linked = pipeline.execute()
        left = [record for record in records if face_id_of(record) != stored.id]
        lost = [other for other, some in zip(linked, of_linked, strict=True) if not _match(left, some, tolerance)]
        seen, seen_links = _sha(records), _sha(linked)
        return [owner, p, stored.image, stored.id, JOURNAL_LENGTH, seen, seen_links, *lost]

    # ------------------------------------------------------------ pages

    def page(self, owner: str, gallery: str, bounds: Bounds, limit: int, meta: str | None = None) -> Page:
        if not self.has_gallery(owner, gallery):
            return Page((), newer=False, older=False)
        p = prefix(owner)
        within = gallery_key(p, gallery)
        key = f"{p}meta:{meta}" if meta else within
        walk = self._walk(key, bounds, within if meta else "", limit + 1)
        if meta == "":
            walk = self._without_meta(p, self._walk(key, bounds, "", _AT_ONCE))
        found: list[int] = []
        for face in walk:
            found.append(face)
            if len(found) > limit:
                break
        more, found = len(found) > limit, found[:limit]
        if bounds.is_rising:
            return Page(tuple(reversed(found)), newer=more, older=bool(found))
        newer = bounds.below is not None and self._any_newer(key, found[0] if found else bounds.below - 1)
        return Page(tuple(found), newer=newer, older=more)

    def _walk(self, key: str, bounds: Bounds, within: str, chunk: int) -> Iterator[int]:
        """Ids of a sorted set: falling from ``below``, or rising from ``above``; only those in the set ``within`` too."""
        client = self._databases.client(OWN)
        low, high = f"({bounds.above}" if bounds.above is not None else "-inf", "+inf"
        high = f"({bounds.below}" if bounds.below is not None else high
        while True:
            with mapped_errors():
                if bounds.is_rising:
                    found = client.zrangebyscore(key, low, high, 0, chunk)
                else:
                    found = client.zrevrangebyscore(key, high, low, 0, chunk)
                inside = client.zmscore(within, found) if within and found else found
            for face, is_inside in zip(found, inside, strict=True):
                if is_inside is not None:
                    yield int(face)
            if len(found) < chunk:
                return
            low, high = (f"({int(found[-1])}", high) if bounds.is_rising else (low, f"({int(found[-1])}")

    def _without_meta(self, p: str, ids: Iterator[int]) -> Iterator[int]:
        for face in ids:
            with mapped_errors():
                meta = self._databases.client(OWN).hget(f"{p}face:{face}", "meta")
            if not meta:
                yield face

    def _any_newer(self, key: str, face: int) -> bool:
        with mapped_errors():
            return bool(self._databases.client(OWN).zcount(key, f"({face}", "+inf"))

    def metas(self, owner: str, gallery: str, after: str | None, limit: int) -> tuple[list[MetaCount], bool]:
        if not self.has_gallery(owner, gallery):
            return [], False
        with mapped_errors():
            key = f"{gallery_key(prefix(owner), gallery)}:metas"
            counts = dict(self._databases.client(OWN).hscan_iter(key, count=_AT_ONCE))
        names = sorted(name.decode() for name in counts)
        rest = [name for name in names if after is None or name > after]
        found = []
        for name in rest[:limit]:
            newest = self.page(owner, gallery, Bounds(), 1, meta=name).ids
            if newest:
                found.append(MetaCount(name, int(counts[name.encode()]), newest[0]))
        return found, len(rest) > limit

    # ------------------------------------------------------------ galleries

    def galleries(self, owner: str) -> list[str]:
        with mapped_errors():
            names = self._databases.client(OWN).zrangebyscore(f"{prefix(owner)}galleries", 0, "+inf")
        return [DEFAULT_GALLERY, *(name.decode() for name in names)]

    def has_gallery(self, owner: str, gallery: str) -> bool:
        if gallery == DEFAULT_GALLERY:
            return True
        number = number_of(self._databases, owner, gallery)
        return number is not None and number >= 0

    def add_gallery(self, owner: str, gallery: str) -> None:
        add_gallery(self._databases, owner, gallery)

    def remove_gallery(self, owner: str, gallery: str) -> None:
        remove_gallery(self._databases, owner, gallery)

    # ------------------------------------------------------------ persons

    def add_person(self, owner: str, name: str) -> int:
        now = f"{time.time():.6f}"
        return int(self._databases.call("findface_person", prefix(owner), now, check_person_name(name), call_token()))

    def seen_days(self, owner: str, person: int, camera: str, since: float) -> int:
        p = prefix(owner)
        with mapped_errors():
            client = self._databases.client(OWN)
            faces = client.zrangebyscore(f"{p}person:{person}:seen:{camera}", since, "+inf")
            with client.pipeline(transaction=False) as pipeline:
                for face in faces:
                    pipeline.hget(f"{p}face:{face.decode()}", "day")
                return len({day for day in pipeline.execute() if day})

    def person_faces(self, owner: str, person: int) -> list[int]:
        with mapped_errors():
            return [int(face) for face in self._databases.client(OWN).zrevrange(_faces_of(owner, person), 0, -1)]

    def owners(self) -> list[str]:
        return known_owners(self._databases)

    def count(self, name: str) -> int:
        with mapped_errors():
            return int(self._databases.client(OWN).hincrby("plugins:counters", name, 1))

    # ------------------------------------------------------------ cameras

    def cameras(self, owner: str) -> list[dict[str, Any]]:
        with mapped_errors():
            ids = self._databases.client(OWN).zrange(f"{prefix(owner)}cameras", 0, -1)
        found = [self.camera(owner, camera.decode()) for camera in ids]
        return [camera for camera in found if camera]

    def camera(self, owner: str, camera: str) -> dict[str, Any] | None:
        with mapped_errors():
            found = self._databases.client(OWN).hgetall(f"{prefix(owner)}camera:{camera}")
        return {name.decode(): json.loads(value) for name, value in found.items()} or None

    def put_camera(self, owner: str, camera: str, fields: Mapping[str, Any], *, new: bool) -> None:
        flat: list[Argument] = []
        for name, value in fields.items():
            flat += [name, json.dumps(value)]
        what = "add" if new else "change"
        if self._databases.call("findface_camera", prefix(owner), camera, what, *flat) == b"unknown":
            raise NotFound("there is no such camera")

    def remove_camera(self, owner: str, camera: str) -> bool:
        reply = self._databases.call("findface_camera", prefix(owner), camera, "remove", call_token())
        return bool(reply == b"ok")


def _faces_of(owner: str, person: int) -> str:
    return f"{prefix(owner)}person:{person}:faces"


def _sha(parts: Sequence[bytes]) -> str:
    # The script compares by Redis's own SHA-1; nothing is protected by it.
    return hashlib.sha1(b"".join(parts), usedforsecurity=False).hexdigest()


def _match(some: Sequence[bytes], others: Sequence[bytes], tolerance: float) -> bool:
    """Whether a comparable face of the one image is near one of the other, in one model."""
    index = FaceIndex()
    index.add("", others)
    probes = [record for record in some if is_comparable(record)]
    return any(
        len(index.near("", model_of(probe), stack_encodings([probe]), tolerance)[0])
        for probe in probes
        if np.isfinite(encoding_of(probe)).all()
    )


def _stored(face_id: int, row: Sequence[Any]) -> StoredFace:
    image, done_at, record, person, flat = row
    attributes = {name.decode(): value.decode() for name, value in zip(flat[::2], flat[1::2], strict=True)}
    names = tuple(name for name in attributes.get("galleries", "").split(",") if name)
    return StoredFace(
        id=face_id,
        image=image.decode(),
        face=unpack_face(record)[1],
        record=record,
        timestamp=float(attributes.get("timestamp", done_at)),
        meta=attributes.get("meta", ""),
        galleries=(DEFAULT_GALLERY, *names),
        person=int(person) if person else None,
        attributes=attributes,
    )
