"""The doors through which the front asks: matches, states, tokens, workers, changes."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from facerec.faces import Box, Model
from facerec.jobs import ScanJob
from facerec.ports.store import Admission

MATCHES_SHOWN = 1000
"""Matches in an image document when nobody says how many."""


@dataclass(frozen=True, slots=True, order=True)
class Match:
    """The nearest pair of faces of two images: ``face`` is one of the image asked for, ``matched_face`` of the other.

    ``ticket`` is the other image's. Matches are ordered by distance, then ticket.
    """

    distance: float
    ticket: int
    face: int
    matched_face: int


@dataclass(frozen=True, slots=True)
class MatchPage:
    """Some matches of an image, nearest first; ``total`` is the number of all."""

    matches: tuple[Match, ...]
    total: int
    is_last: bool


class Matches(Protocol):
    """A worker's index as the front door asks it about an image that matches more others than the store keeps links for.

    The answers are complete for everything written before the question. ``model`` is the one of the set that the image's face
    records were read from; a record may be of another, when a regeneration could not make it anew. Every method may raise
    BrokerUnavailable, DeadlineExceeded and ServiceUnavailable.
    """

    def tickets(self, owner: str, model: Model, records: Sequence[bytes]) -> list[int]:
        """Tickets of all images with a face that matches one of these face records of one image, that image's not among them."""

    def page(
        self, owner: str, model: Model, records: Sequence[bytes], limit: int, after: tuple[float, int]
    ) -> MatchPage:
        """The first ``limit`` matches behind distance and ticket ``after``, nearest first."""

    def by_face(
        self, owner: str, model: Model, records: Sequence[bytes], tolerance: float, limit: int
    ) -> dict[int, list[Match]]:
        """For the id of each face of one image the nearest other images with a face at most ``tolerance`` from it."""


class Admissions(Protocol):
    """The store as the front door sees it. Every method may raise StoreUnavailable, and is one atomic step.

    But for images with very many matches (`facerec.adapters.redis.crowd`): `matching_names`, `matching_page` and `image` ask
    a worker about those in several steps, and may raise what `Matches` raises.
    """

    def admit(self, owner: str, image_hash: str, name: str) -> Admission: ...

    def announce(self, owner: str, image_hash: str, name: str, queued_at: float) -> Admission:
        """`admit`, and unless the image is done `queued`, in one step; the state is that before."""

    def queued(self, job: ScanJob) -> None:
        """The job is about to be published: the image is queued, unless it is in work or done already.

        Written before the broker is asked, so that a job which the broker takes and then loses leaves a trace.
        """

    def withdraw(self, job: ScanJob) -> None:
        """The broker did not take the job: undo `queued`, unless a worker has it after all or it was sent again."""

    def known_url(self, owner: str, url: str) -> str | None:
        """The hash of the image that was scanned to the end from ``url``, or None."""

    def matching_names(self, owner: str, image_hash: str) -> list[str]:
        """The names of the images that match, sorted: its own only where another image bears it. Empty when unknown or not done."""

    def matching_page(self, owner: str, image_hash: str, limit: int, cursor: str) -> tuple[list[str], str]:
        """The first ``limit`` of the `matching_names` behind ``cursor``, and the next cursor ('' on the last page)."""

    def image(self, owner: str, image_hash: str, limit: int = MATCHES_SHOWN, cursor: str = "") -> dict[str, Any] | None:
        """The image document of the core contract, without thumbnails' addresses; None when unknown.

        ``matches`` holds at most ``limit`` matches behind ``cursor``; ``matches_total`` says how many there are in all,
        ``matches_cursor`` how to go on ('' when these are the last). Raises BadParam for a cursor that is not ours.
        """

    def images(
        self, owner: str, state: str | None, name: str | None, limit: int, cursor: str
    ) -> tuple[list[dict[str, Any]], str]:
        """A page of image documents without faces and matches, newest first, and the next cursor ('' on the last).

        ``name`` is a prefix of one of the image's names. Raises BadParam for a cursor that is not ours.
        """

    def erase(self, owner: str, image_hash: str) -> dict[str, Any] | None:
        """Erase an image; the receipt says what was removed from where and when. None when unknown."""

    def ping(self) -> None:
        """Raises StoreUnavailable unless the store answers who reads."""

    def check_writes(self) -> None:
        """Raises StoreUnavailable (StoreRefusesWrites) unless the store takes changes; changes nothing."""


@dataclass(frozen=True, slots=True)
class Attributes:
    """What an analyser says of one face, as far as it was asked: ``gender`` is male or female, ``age`` in years,
    ``emotions`` the two that fit best, the best first.
    """

    gender: str | None = None
    age: float | None = None
    emotions: tuple[str, ...] = ()


class Analyser(Protocol):
    """Tells age, gender and emotions. The service brings none: an operator names one by ANALYSER (docs/findface.md)."""

    def look(self, photo: bytes, boxes: Sequence[Box], wanted: Collection[str]) -> Sequence[Attributes]:
        """One answer for each box, in pixels of the upright photo. ``wanted`` are some of gender, age, emotions.

        Called by several threads at once. What it raises is logged, and the caller is told that the analyser failed.
        """


class Tokens(Protocol):
    """Who may call. Only hashes of tokens are kept."""

    def owner_of(self, token: str) -> str | None: ...

    def add(self, owner: str, token: str) -> None:
        """Let ``token`` in as ``owner``. Raises BadParam, Conflict when somebody has it."""

    def any(self) -> bool:
        """Whether any token is configured; without one only loopback clients are served.

        What another process did to the first or last token may be seen a second later.
        """


class Workers(Protocol):
    """Who works: a worker tells that it lives, the front door shows it."""

    def alive(self, worker: str, state: Mapping[str, Any], seconds: float) -> None:
        """``worker`` lives and should be forgotten unless it says so again within ``seconds``."""

    def gone(self, worker: str) -> None: ...

    def workers(self) -> dict[str, dict[str, Any]]: ...


@dataclass(frozen=True, slots=True)
class Change:
    """An image of ``owner`` came into ``state``, which may also be ``erased``."""

    owner: str
    hash: str
    state: str


class Subscription(Protocol):
    """Changes as they happen. Belongs to one thread."""

    def next(self, seconds: float) -> Change | None:
        """The next change, None when there was none within ``seconds``.

        Raises StoreUnavailable when changes may have been missed; the subscription is of no use then.
        """

    def close(self) -> None: ...


class Changes(Protocol):
    """Tells of changes of state, of all owners."""

    def subscribe(self) -> Subscription:
        """Every change after this has returned is told. Raises StoreUnavailable."""


class Overview(Protocol):
    """Many images at a glance. Every method may raise StoreUnavailable."""

    def counts(self, owner: str) -> dict[str, int]:
        """How many images are in each state."""

    def summaries(self, owner: str, hashes: Sequence[str]) -> list[dict[str, Any]]:
        """Image documents without faces and matches; unknown images are left out."""

    def face_matches(
        self, owner: str, image_hash: str, tolerance: float, limit: int
    ) -> dict[int, list[dict[str, Any]]] | None:
        """For each face of an image the ``limit`` nearest images with a face within ``tolerance``, None when unknown.

        The image document has each matching image once, with its nearest pair of faces; here it stands with every face that
        it matches: ``{"hash", "names", "distance", "face"}``, nearest first.
        """


class Sessions(Protocol):
    """Who uses the page: a browser that has shown a token. Only hashes are kept. May raise StoreUnavailable."""

    def open(self, token: str, seconds: float) -> str | None:
        """The secret of a new session, None when nobody has this token."""

    def owner_of(self, secret: str) -> str | None:
        """Whose session it is; None when it is over, or its token was revoked."""

    def close(self, secret: str) -> None: ...


class Rates(Protocol):
    """How fast callers ask: a bucket for each, which every request takes one token from and which fills at a steady rate."""

    def take(self, caller: str, rate: float, burst: int) -> float:
        """One request; ``rate`` a second may come for ever, ``burst`` at once. Raises StoreUnavailable.

        0 when it may come; else the seconds to wait until one may, and nothing was taken.
        """
