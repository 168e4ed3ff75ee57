"""What travels through the broker: a scan job, and a request for which a person waits.

The body of a message is raw bytes (an image, or encodings); everything else is in its headers. A message that lacks a header
is a `MalformedJob`. Versions are checked so that an old worker never misreads a newer message: that is a `NewerMessage`, and
goes back to wait for a newer worker. Every release reads what the one before it wrote.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from facerec.errors import BadParam, MalformedJob, NewerMessage
from facerec.identity import check_hash, check_image_name, check_owner, image_hash
from facerec.nesting import finite, parse_shallow_json

JOB_VERSION = 1
"""What is written. A release that changes it goes on reading the one before: OLDEST_VERSION."""
OLDEST_VERSION = 1
LATEST = 253_370_764_800.0
"""The beginning of the year 9999, in seconds since the epoch: later times cannot be shown."""
Headers = Mapping[str, Any]
SECONDS_LEFT = "seconds-left"


@dataclass(frozen=True, slots=True)
class ScanJob:
    """One image to be scanned for its owner.

    ``ticket`` is unique to one upload: the same bytes sent twice make two jobs with two tickets, a redelivered or retried
    job keeps its own. ``attempt`` counts from 1. ``queued_at`` is in seconds since the epoch.
    """

    owner: str
    hash: str
    name: str
    ticket: int
    queued_at: float
    body: bytes = field(repr=False)
    attempt: int = 1

    @property
    def headers(self) -> dict[str, Any]:
        return {
            "facerec-version": JOB_VERSION,
            "owner": self.owner,
            "hash": self.hash,
            "name": self.name,
            "ticket": self.ticket,
            "queued-at": f"{self.queued_at:.6f}",
            "attempt": self.attempt,
        }

    @classmethod
    def from_message(cls, headers: Headers, body: bytes) -> Self:
        """Raises MalformedJob when a header is missing or wrong, or the hash is not that of the body."""
        _check_version(headers)
        try:
            job = cls(
                owner=check_owner(_text(headers, "owner")),
                hash=check_hash(_text(headers, "hash")),
                name=check_image_name(_text(headers, "name")),
                ticket=_positive(headers, "ticket"),
                queued_at=_seconds(headers, "queued-at"),
                body=body,
                attempt=_positive(headers, "attempt"),
            )
        except (BadParam, ValueError) as error:
            raise MalformedJob(str(error)) from error
        if image_hash(body) != job.hash:
            raise MalformedJob("the hash is not that of the body")
        return job


REGENERATE = "regenerate"


@dataclass(frozen=True, slots=True)
class RegenerateJob:
    """One image whose faces are to be made anew for the regeneration ``run``. It has no body: the worker finds the pictures."""

    owner: str
    hash: str
    run: int
    body: bytes = b""

    @property
    def ticket(self) -> int:
        """What tells messages of one image apart."""
        return self.run

    @property
    def headers(self) -> dict[str, Any]:
        return {
            "facerec-version": JOB_VERSION,
            "kind": REGENERATE,
            "owner": self.owner,
            "hash": self.hash,
            "run": self.run,
        }

    @classmethod
    def from_message(cls, headers: Headers) -> Self:
        """Raises MalformedJob when a header is missing or wrong."""
        _check_version(headers)
        try:
            return cls(
                check_owner(_text(headers, "owner")), check_hash(_text(headers, "hash")), _positive(headers, "run")
            )
        except BadParam as error:
            raise MalformedJob(str(error)) from error


@dataclass(frozen=True, slots=True)
class Request:
    """Work that a person waits for.

    ``verb`` is ``analyse`` (body: an image) or ``search`` (body: encodings, float32 little-endian, one after the other)
    or ``enroll`` (body: a photo).
    ``deadline`` is in seconds since the epoch on the clock of the process that has the request; work whose deadline has passed is
    dropped. Clocks may be apart: what travels is how many seconds are left.
    """

    verb: str
    owner: str
    deadline: float
    parameters: Mapping[str, Any]
    body: bytes = field(repr=False)

    @property
    def headers(self) -> dict[str, Any]:
        return {
            "facerec-version": JOB_VERSION,
            "verb": self.verb,
            "owner": self.owner,
            "deadline": f"{self.deadline:.6f}",
            "parameters": json.dumps(self.parameters),
        }

    def headers_with(self, seconds: float) -> dict[str, Any]:
        """The headers of a message that is sent now, when so many seconds are left."""
        return self.headers | {SECONDS_LEFT: f"{seconds:.6f}"}

    @classmethod
    def from_message(cls, headers: Headers, body: bytes, now: float) -> Self:
        """A request that arrived ``now``. The broker drops one whose time has run out before; one of the release before tells the
        deadline alone. Raises MalformedJob when a header is missing or wrong."""
        _check_version(headers)
        try:
            parameters = parse_shallow_json(_text(headers, "parameters"))
            if not isinstance(parameters, dict):
                raise ValueError("parameters must be an object")
            return cls(
                verb=_text(headers, "verb"),
                owner=check_owner(_text(headers, "owner")),
                deadline=_deadline(headers, now),
                parameters=parameters,
                body=body,
            )
        except (BadParam, ValueError) as error:
            raise MalformedJob(str(error)) from error


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to a `Request`: ``document`` is JSON-like; an error is ``{"code", "reason", ...}`` with ``ok`` False."""

    ok: bool
    document: Mapping[str, Any]


def _deadline(headers: Headers, now: float) -> float:
    """Raises MalformedJob, ValueError."""
    if SECONDS_LEFT in headers:
        return now + _seconds(headers, SECONDS_LEFT)
    return _seconds(headers, "deadline")


def _check_version(headers: Headers) -> None:
    version = headers.get("facerec-version")
    if not isinstance(version, int) or isinstance(version, bool) or version < OLDEST_VERSION:
        raise MalformedJob(f"message version {version!r} is not known here")
    if version > JOB_VERSION:
        raise NewerMessage(f"message version {version} is newer than {JOB_VERSION}, which this release knows")


def _text(headers: Headers, name: str) -> str:
    value = headers.get(name)
    if not isinstance(value, str):
        raise MalformedJob(f"header {name} is missing or no text")
    return value


def _seconds(headers: Headers, name: str) -> float:
    """Seconds, of a time since the epoch. Raises MalformedJob, ValueError."""
    value = finite(_text(headers, name))
    if not 0 <= value < LATEST:
        raise MalformedJob(f"header {name} is no time that can be")
    return value


def _positive(headers: Headers, name: str) -> int:
    value = headers.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value < 1 << 51:
        raise MalformedJob(f"header {name} is missing or no positive number")
    return value
