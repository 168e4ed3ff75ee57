"""Image documents as the core contract shows them, put together from the databases."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np

from facerec.adapters.redis.connection import RedisDatabases, mapped_errors
from facerec.adapters.redis.layout import FACES, OWN, SWITCHED, prefix
from facerec.adapters.redis.names import names_of, published_names
from facerec.errors import BadParam, InternalError, ServiceUnavailable
from facerec.faces import Face, Model
from facerec.nearest import nearest_pairs
from facerec.ports import Match, Matches, MatchPage
from facerec.records import unpack_face

_AT_ONCE = 200
_FEW_NAMES = 1000
Fields = dict[str, str]


_NO_WORKER = "this image has more matches than are kept, and there is no way to ask a worker"


class NoMatches:
    """`facerec.ports.Matches` where there is no way to a worker."""

    def tickets(self, *_: object) -> list[int]:
        raise ServiceUnavailable(_NO_WORKER)

    def page(self, *_: object) -> MatchPage:
        raise ServiceUnavailable(_NO_WORKER)

    def by_face(self, *_: object) -> dict[int, list[Match]]:
        raise ServiceUnavailable(_NO_WORKER)


class ImageDocuments:
    """Reads image documents; those that are not finished have no faces and matches. ``matches`` knows those of the crowd."""

    def __init__(self, databases: RedisDatabases, matches: Matches | None = None) -> None:
        self._databases = databases
        self._matches = matches or NoMatches()

    def image(self, owner: str, image_hash: str, limit: int, cursor: str) -> dict[str, Any] | None:
        """The whole document with a page of matches, None when unknown. Raises StoreUnavailable, BadParam."""
        after = parse_cursor(cursor)
        stored = self._databases.call("image", owner, prefix(owner), image_hash)
        if not stored:
            return None
        fields, names, records, links, crowded, persons = stored
        if names is None:
            names = list(names_of(self._databases, owner, image_hash))
        if crowded:
            page = self._matches.page(owner, set_of(fields_of(fields)), records, limit, after)
        else:
            page = self._kept_page(owner, records, [link.decode() for link in links], limit, after)
        faces = [unpack_face(record) for record in records]
        return {
            **summary(image_hash, fields_of(fields), names),
            "faces": [
                face_document(face_id, face) | {"person": int(person) if person else None}
                for (face_id, face), person in zip(faces, persons, strict=True)
            ],
            "matches": self._named(owner, page.matches),
            "matches_total": page.total,
            "matches_cursor": "" if page.is_last else f"{page.matches[-1].distance!r}:{page.matches[-1].ticket}",
        }

    def summaries(self, owner: str, hashes: Sequence[str]) -> list[dict[str, Any]]:
        """Documents without faces and matches; images that are gone meanwhile are left out. Raises StoreUnavailable."""
        p = prefix(owner)
        few = self._with_few_names(owner, hashes)
        with mapped_errors(), self._databases.client(OWN).pipeline(transaction=True) as pipeline:
            pipeline.exists(SWITCHED)
            for image_hash in hashes:
                pipeline.hgetall(f"{p}image:{image_hash}")
                if image_hash in few:
                    pipeline.hkeys(f"{p}names:{image_hash}")
            switched, *replies = pipeline.execute()
        found = iter(replies)
        summaries = []
        for key in hashes:
            doc = {name.decode(): value.decode() for name, value in next(found).items()}
            names = next(found) if key in few else list(names_of(self._databases, owner, key))
            if doc:
                summaries.append(summary(key, _of_current(doc, bool(switched)), names))
        return summaries

    def _with_few_names(self, owner: str, hashes: Sequence[str]) -> set[str]:
        """Those whose names are read in one step with the rest."""
        with mapped_errors(), self._databases.client(OWN).pipeline(transaction=False) as pipeline:
            for image_hash in hashes:
                pipeline.hlen(f"{prefix(owner)}names:{image_hash}")
            counts = pipeline.execute()
        return {key for key, count in zip(hashes, counts, strict=True) if count <= _FEW_NAMES}

    def _kept_page(
        self, owner: str, records: Sequence[bytes], links: Sequence[str], limit: int, after: tuple[float, int]
    ) -> MatchPage:
        """Of an image outside the crowd."""
        p = prefix(owner)
        with mapped_errors(), self._databases.client(FACES).pipeline(transaction=False) as pipeline:
            for link in links:
                pipeline.lrange(p + link, 0, -1)
            lists = pipeline.execute()
        matches = sorted(nearest_pairs(records, lists))
        following = [match for match in matches if (match.distance, match.ticket) > after]
        return MatchPage(tuple(following[:limit]), len(matches), len(following) <= limit)

    def _named(self, owner: str, matches: Sequence[Match]) -> list[dict[str, Any]]:
        found = named(self._databases, owner, [match.ticket for match in matches])
        return [
            {
                "hash": found[match.ticket][0],
                "names": sorted(found[match.ticket][1:]),
                "distance": match.distance,
                "face": match.face,
                "matched_face": match.matched_face,
            }
            for match in matches
            if match.ticket in found
        ]


def named(databases: RedisDatabases, owner: str, tickets: Sequence[int]) -> dict[int, list[str]]:
    """Ticket -> hash and names of the finished image, for those that are there. Raises StoreUnavailable."""
    found: dict[int, list[str]] = {}
    for start in range(0, len(tickets), _AT_ONCE):
        some = tickets[start : start + _AT_ONCE]
        for ticket, image in zip(some, databases.call("named", prefix(owner), *some), strict=True):
            if not image:
                continue
            image_hash, *names = image
            if names == [None]:
                names = published_names(databases, owner, image_hash.decode())
            found[ticket] = [image_hash.decode(), *(name.decode() for name in names)]
    return found


def removed_field(databases: RedisDatabases, owner: str, image_hash: str) -> str:
    """What the document says of removed faces (`facerec.removed`). Raises StoreUnavailable."""
    with mapped_errors():
        return (databases.client(OWN).hget(f"{prefix(owner)}image:{image_hash}", "removed") or b"").decode()


def parse_cursor(cursor: str) -> tuple[float, int]:
    """Distance and ticket of the last match seen. Raises BadParam."""
    if not cursor:
        return -1.0, 0
    distance, _, ticket = cursor.partition(":")
    try:
        after = float(distance), int(ticket)
    except ValueError as error:
        raise BadParam("cursor", "is none of ours", cursor[:100]) from error
    if not math.isfinite(after[0]):
        raise BadParam("cursor", "is none of ours", cursor[:100])
    return after


def set_of(fields: Fields) -> Model:
    """The model of the set that a finished image's document was read from. Raises InternalError when it is damaged."""
    try:
        return Model(int(fields["model"]))
    except (KeyError, ValueError) as error:
        raise InternalError(f"a finished image is of no model: {error!r}") from error


def summary(image_hash: str, fields: Fields, names: Sequence[bytes]) -> dict[str, Any]:
    """The part of the document that needs no faces."""
    return {
        "hash": image_hash,
        "state": fields["state"],
        "reason": fields.get("code"),
        "detail": fields.get("reason"),
        "names": sorted(name.decode() for name in names),
        "width": _number(fields.get("width")),
        "height": _number(fields.get("height")),
        "model": Model(int(fields["model"])).name.lower() if "model" in fields else None,
        "queued_at": _time(fields.get("queued_at")),
        "done_at": _time(fields.get("done_at")),
        "attempts": int(fields.get("attempts", 0)),
    }


def face_document(face_id: int, face: Face) -> dict[str, Any]:
    """A face as the contract shows it."""
    box = face.box
    return {
        "id": face_id,
        "box": {"top": box.top, "right": box.right, "bottom": box.bottom, "left": box.left},
        "landmarks": [{"x": point.x, "y": point.y} for point in face.landmarks],
        "confidence": round(float(np.float32(face.confidence)), 6),
        "marks": sorted(mark.name.lower() for mark in face.marks),
    }


def _of_current(fields: Fields, switched: bool) -> Fields:
    """The fields with the model of the current set."""
    other = fields.get("other_model")
    return fields | {"model": other} if switched and other else fields


def fields_of(flat: Sequence[bytes]) -> Fields:
    return {name.decode(): value.decode() for name, value in zip(flat[::2], flat[1::2], strict=True)}


def _number(text: str | None) -> int | None:
    return None if text is None else int(text)


def _time(text: str | None) -> str | None:
    return None if text is None else datetime.fromtimestamp(float(text), UTC).isoformat()
