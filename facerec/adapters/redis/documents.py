"""Image documents as the core contract shows them, put together from the databases."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np

from facerec.adapters.redis.connection import RedisDatabases, mapped_errors
from facerec.adapters.redis.layout import FACES, OWN, prefix
from facerec.adapters.redis.names import names_of, published_names
from facerec.errors import BadParam, InternalError, ServiceUnavailable
from facerec.faces import Face, Model
from facerec.nearest import nearest_pairs
from facerec.ports import Match, Matches, MatchPage
from facerec.records import unpack_face

log = logging.getLogger(__name__)
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
        stored = self._databases.read("image", owner, prefix(owner), image_hash)
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
        summaries = []
        for start in range(0, len(hashes), _AT_ONCE):
            some = hashes[start : start + _AT_ONCE]
            summaries += self._summaries(owner, some)
        return summaries

    def _summaries(self, owner: str, hashes: Sequence[str]) -> list[dict[str, Any]]:
        """Images whose documents are damaged are told of in the log, and keep nobody from seeing the others."""
        try:
            replies = self._databases.read("summaries", prefix(owner), _FEW_NAMES, *hashes)
        except InternalError as error:
            if len(hashes) == 1:
                _log_damage(owner, hashes[0], error)
                return []
            return [one for each in hashes for one in self._summaries(owner, [each])]
        found = []
        for key, (flat, few_names) in zip(hashes, replies, strict=True):
            if not flat:
                continue
            names = list(names_of(self._databases, owner, key)) if few_names is None else few_names
            try:
                found.append(summary(key, fields_of(flat), names))
            except InternalError as error:
                _log_damage(owner, key, error)
        return found

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
        for ticket, image in zip(some, databases.read("named", prefix(owner), *some), strict=True):
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


def _log_damage(owner: str, image_hash: str, error: InternalError) -> None:
    log.error(
        "%s is left out: %s: run facerec fsck",
        image_hash,
        error.reason,
        extra={"action": "damaged_document", "owner": owner, "image_hash": image_hash},
    )


def summary(image_hash: str, fields: Fields, names: Sequence[bytes]) -> dict[str, Any]:
    """The part of the document that needs no faces. Raises InternalError when it is damaged."""
    try:
        return _summary(image_hash, fields, names)
    except (KeyError, ValueError, OverflowError, OSError) as error:
        raise InternalError(f"the document of {image_hash} is damaged: {error!r}") from error


def _summary(image_hash: str, fields: Fields, names: Sequence[bytes]) -> dict[str, Any]:
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


def fields_of(flat: Sequence[bytes]) -> Fields:
    """Raises InternalError for what is no text."""
    try:
        return {name.decode(): value.decode() for name, value in zip(flat[::2], flat[1::2], strict=True)}
    except UnicodeDecodeError as error:
        raise InternalError(f"a document is damaged: {error}") from error


def _number(text: str | None) -> int | None:
    return None if text is None else int(text)


def _time(text: str | None) -> str | None:
    return None if text is None else datetime.fromtimestamp(float(text), UTC).isoformat()
