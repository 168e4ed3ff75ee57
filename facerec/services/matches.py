"""Whom an image in the crowd matches, asked from a worker."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from facerec.errors import error_for
from facerec.faces import Model
from facerec.identity import ticket_of
from facerec.jobs import Request
from facerec.ports import Match, MatchPage, Requester
from facerec.records import encoding_bytes, face_id_of, is_comparable, model_of

TICKETS_AT_ONCE = 50_000
FACES_AT_ONCE = 10_000


class WorkerMatches:
    """`facerec.ports.Matches` over requests; each may take ``seconds``. ``clock`` gives seconds since the epoch."""

    def __init__(self, requester: Requester, seconds: float, clock: Callable[[], float] = time.time) -> None:
        self._requester = requester
        self._seconds = seconds
        self._clock = clock

    def tickets(self, owner: str, model: Model, records: Sequence[bytes]) -> list[int]:
        found: list[int] = []
        while True:
            after = (0.0, found[-1] if found else 0)
            page = self._ask(owner, model, records, {"order": "ticket", "count": TICKETS_AT_ONCE, "after": after})
            found += [match.ticket for match in page.matches]
            if page.is_last:
                return found

    def page(
        self, owner: str, model: Model, records: Sequence[bytes], limit: int, after: tuple[float, int]
    ) -> MatchPage:
        return self._ask(owner, model, records, {"order": "distance", "count": limit, "after": after})

    def by_face(
        self, owner: str, model: Model, records: Sequence[bytes], tolerance: float, limit: int
    ) -> dict[int, list[Match]]:
        found: dict[int, list[Match]] = {face_id_of(record): [] for record in records}
        # The nearest are the image's own faces, and an image may have several.
        count = min(len(records) + 2 * limit, FACES_AT_ONCE)
        for probes in _by_model([record for record in records if is_comparable(record)]):
            document = self._call("search", owner, model, probes, {"count": count, "limit": tolerance})
            for record, row in zip(probes, document["probes"], strict=True):
                found[face_id_of(record)] = _nearest_images(face_id_of(record), row)[:limit]
        return found

    def _ask(self, owner: str, model: Model, records: Sequence[bytes], parameters: Mapping[str, Any]) -> MatchPage:
        probes = [record for record in records if is_comparable(record)]
        if not probes:
            return MatchPage((), 0, True)
        models = [_name(model_of(record)) for record in probes]
        more: dict[str, Any] = {"models": models} if len(set(models)) > 1 else {}
        more["but"] = ticket_of(face_id_of(probes[0]))
        document = self._call("matches", owner, model, probes, {**parameters, **more})
        return _page_of(document, [face_id_of(record) for record in probes])

    def _call(
        self, verb: str, owner: str, model: Model, probes: Sequence[bytes], parameters: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        """A worker of the release before looks at ``model`` alone."""
        which = {"set": _name(model), "model": _name(model_of(probes[0]))}
        body = b"".join(encoding_bytes(record) for record in probes)
        deadline = self._clock() + self._seconds
        reply = self._requester.call(Request(verb, owner, deadline, {**parameters, **which}, body))
        if not reply.ok:
            raise error_for(str(reply.document["code"]), str(reply.document["reason"]))
        return reply.document


def _name(model: Model) -> str:
    return model.name.lower()


def _by_model(records: Sequence[bytes]) -> list[list[bytes]]:
    groups: dict[Model, list[bytes]] = {}
    for record in records:
        groups.setdefault(model_of(record), []).append(record)
    return list(groups.values())


def _nearest_images(face: int, hits: Sequence[Mapping[str, Any]]) -> list[Match]:
    """Of each other image its nearest face; ``hits`` are nearest first."""
    nearest: dict[int, Match] = {}
    for hit in hits:
        ticket = ticket_of(hit["face_id"])
        if ticket != ticket_of(face):
            nearest.setdefault(ticket, Match(hit["distance"], ticket, face, hit["face_id"]))
    return list(nearest.values())


def _page_of(document: Mapping[str, Any], faces: Sequence[int]) -> MatchPage:
    matches = tuple(
        Match(distance, ticket_of(face_id), faces[probe], face_id) for distance, probe, face_id in document["matches"]
    )
    return MatchPage(matches, document["total"], document["is_last"])
