"""Whom an image in the crowd matches, asked from a worker."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from facerec.errors import error_for
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

    def tickets(self, owner: str, records: Sequence[bytes]) -> list[int]:
        found: list[int] = []
        while True:
            after = (0.0, found[-1] if found else 0)
            page = self._ask(owner, records, {"order": "ticket", "count": TICKETS_AT_ONCE, "after": after})
            found += [match.ticket for match in page.matches]
            if page.is_last:
                return found

    def page(self, owner: str, records: Sequence[bytes], limit: int, after: tuple[float, int]) -> MatchPage:
        return self._ask(owner, records, {"order": "distance", "count": limit, "after": after})

    def by_face(self, owner: str, records: Sequence[bytes], tolerance: float, limit: int) -> dict[int, list[Match]]:
        found: dict[int, list[Match]] = {face_id_of(record): [] for record in records}
        probes = [record for record in records if is_comparable(record)]
        if not probes:
            return found
        # The nearest are the image's own faces, and an image may have several.
        count = min(len(records) + 2 * limit, FACES_AT_ONCE)
        document = self._call("search", owner, probes, {"count": count, "limit": tolerance})
        own = ticket_of(face_id_of(probes[0]))
        for record, row in zip(probes, document["probes"], strict=True):
            nearest: dict[int, Match] = {}
            for hit in row:
                ticket = ticket_of(hit["face_id"])
                if ticket != own:
                    match = Match(hit["distance"], ticket, face_id_of(record), hit["face_id"])
                    nearest.setdefault(ticket, match)
            found[face_id_of(record)] = list(nearest.values())[:limit]
        return found

    def _ask(self, owner: str, records: Sequence[bytes], parameters: Mapping[str, Any]) -> MatchPage:
        probes = [record for record in records if is_comparable(record)]
        if not probes:
            return MatchPage((), 0, True)
        document = self._call("matches", owner, probes, {**parameters, "but": ticket_of(face_id_of(probes[0]))})
        return _page_of(document, [face_id_of(record) for record in probes])

    def _call(self, verb: str, owner: str, probes: Sequence[bytes], parameters: Mapping[str, Any]) -> Mapping[str, Any]:
        """``probes`` are faces of one image, so they have one model."""
        model = {"model": model_of(probes[0]).name.lower()}
        body = b"".join(encoding_bytes(record) for record in probes)
        deadline = self._clock() + self._seconds
        reply = self._requester.call(Request(verb, owner, deadline, {**parameters, **model}, body))
        if not reply.ok:
            raise error_for(str(reply.document["code"]), str(reply.document["reason"]))
        return reply.document


def _page_of(document: Mapping[str, Any], faces: Sequence[int]) -> MatchPage:
    matches = tuple(
        Match(distance, ticket_of(face_id), faces[probe], face_id) for distance, probe, face_id in document["matches"]
    )
    return MatchPage(matches, document["total"], document["is_last"])
