"""The doors between the heart and the world: small interfaces in the words of the field.

Adapters implement them over a client library; the fakes in `facerec.adapters.memory` do over dictionaries, and pass the
same contract tests.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from facerec.enrolment import Enrolment
from facerec.faces import Box, Model
from facerec.jobs import RegenerateJob, Reply, Request, ScanJob
from facerec.records import Heads

MATCHES_SHOWN = 1000
"""Matches in an image document when nobody says how many."""

# ---------------------------------------------------------------- broker


class JobPublisher(Protocol):
    """The way to the scan queue. Safe for use by many threads; connects lazily and again after a failure."""

    def publish(self, job: ScanJob | RegenerateJob) -> None:
        """Returns when the broker has confirmed the job. Raises BrokerUnavailable when that did not happen in time."""

    def retry(self, job: ScanJob, delay: float) -> None:
        """Put the job on the scan queue again after ``delay`` seconds. Returns and raises as `publish` does."""

    def delay(self, headers: Mapping[str, Any], body: bytes, delay: float) -> None:
        """Put a message that nobody here can read on the scan queue again as it is. Returns and raises as `publish` does."""

    def bury(self, headers: Mapping[str, Any], body: bytes, code: str, reason: str) -> None:
        """Lay a message to the dead letters, with why. Returns and raises as `publish` does."""

    def depth(self) -> int:
        """How many scan jobs wait, not older than a second. Raises BrokerUnavailable."""

    def ping(self) -> None:
        """Raises BrokerUnavailable unless the broker answers."""

    def close(self) -> None: ...


class Requester(Protocol):
    """The way to a worker for which a person waits. Safe for use by many threads."""

    def call(self, request: Request, is_gone: Callable[[], bool] = lambda: False) -> Reply:
        """The worker's reply. Raises DeadlineExceeded, BrokerUnavailable.

        ``is_gone`` is asked now and then whether the person still waits; when not, the request is withdrawn and
        DeadlineExceeded raised.
        """

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True, eq=False)
class Delivery:
    """A message that must be acknowledged once. ``token`` is the consumer's own and says which connection it came by."""

    queue: str
    headers: Mapping[str, Any]
    body: bytes = field(repr=False)
    redelivered: bool
    token: Any
    reply_to: str = ""
    correlation_id: str = ""


class Consumer(Protocol):
    """The receiving side of a worker. One thread of its own runs `run`; all other methods may be called by any thread."""

    def run(self, handle: Callable[[Delivery], None]) -> None:
        """Call ``handle`` with each message until `stop` and `close`; connects, declares and reconnects by itself.

        ``handle`` must return at once: the connection's heartbeat waits for it.
        """

    def ack(self, deliveries: Iterable[Delivery]) -> None:
        """The messages are done with. Those of a dead connection are dropped: the broker delivers them again."""

    def reply(self, delivery: Delivery, reply: Reply) -> None:
        """Answer a request. An answer for someone who is gone is dropped."""

    def is_awaited(self, delivery: Delivery) -> bool:
        """Whether whoever sent the request still waits for the answer."""

    def stop(self) -> None:
        """Take no more messages; those that were delivered can still be acknowledged."""

    def close(self) -> None:
        """End `run` after what was acknowledged has been sent."""

    @property
    def connected(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A job that was given up: which (empty where the message was no job), why, when (seconds since the epoch), how big."""

    hash: str
    owner: str
    name: str
    ticket: int
    code: str
    reason: str
    attempts: int
    buried_at: float
    size: int


class DeadLetterBox(Protocol):
    """Where given up jobs rest. Every method may raise BrokerUnavailable.

    While one caller looks through the letters another sees only those that the first has not reached.
    """

    def count(self) -> int: ...

    def list(self, limit: int) -> list[DeadLetter]:
        """The oldest ``limit`` letters."""

    def redrive(
        self,
        predicate: Callable[[DeadLetter], bool],
        prepare: Callable[[DeadLetter], Mapping[str, Any]] = lambda _letter: {},
    ) -> Sequence[DeadLetter]:
        """Put the jobs of the letters that ``predicate`` picks on the scan queue again, as first attempts; returns those.

        ``prepare`` is called just before and returns headers to be changed, for example a new ``ticket``.
        """

    def drop(self, predicate: Callable[[DeadLetter], bool]) -> Sequence[DeadLetter]:
        """Throw away the letters that ``predicate`` picks; returns those."""


# ---------------------------------------------------------------- store


@dataclass(frozen=True, slots=True)
class Admission:
    """What the store knows of an image before its job is published.

    ``state`` is ``new``, ``queued``, ``processing``, ``done`` or ``failed``; when it is ``done`` the name has been recorded and
    no job is needed.
    """

    state: str
    ticket: int


@dataclass(frozen=True, slots=True)
class Start:
    """Whether a job needs work.

    ``verdict``: ``go`` = do it; ``done`` = the image was scanned before, its name is recorded now; ``claimed`` = another
    unacknowledged job does the same image, the name is recorded for it; ``erased`` = erased after this job was queued;
    ``failed`` = this very job was given up before, with ``code`` and ``reason``. ``image_ticket`` is the ticket under which the
    image was first announced: the face ids derive from it.
    """

    verdict: str
    image_ticket: int = 0
    code: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Scanned:
    """A finished analysis that waits to be written. ``records`` are face records, ``links`` the tickets of matching images.

    ``enrolment`` is what was said of a posted photo, ``candidates`` the near known faces of each face that needs a person.
    """

    owner: str
    hash: str
    image_ticket: int
    job_ticket: int
    width: int
    height: int
    model: Model
    records: tuple[bytes, ...] = field(repr=False)
    links: frozenset[int]
    enrolment: Enrolment | None = None
    candidates: Mapping[int, Sequence[int]] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True, eq=False)
class JournalEntry:
    """One change of the sets of known faces. ``position`` counts from 1 without gaps.

    ``operation`` is ``add`` to the current set or ``remove`` from both; or of a regeneration (`facerec.sets`): ``aside``, an
    image in the set aside from now on; ``open``, ``switch``, ``close``, whose ticket tells the models of the two sets.
    """

    position: int
    operation: str
    owner: str
    hash: str
    image_ticket: int
    records: tuple[bytes, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Written:
    """The batch is in the databases; the journal ends at ``position`` now."""

    position: int


@dataclass(frozen=True, slots=True, eq=False)
class Moved:
    """Nothing was written, because the journal went on: compare with ``entries`` and try again."""

    entries: tuple[JournalEntry, ...]


@dataclass(frozen=True, slots=True)
class Obsolete:
    """Nothing was written, because these images (owner, hash) were finished by someone else or erased meanwhile."""

    images: frozenset[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class JournalGap:
    """The journal was trimmed beyond the position asked for: load everything anew."""


@dataclass(frozen=True, slots=True)
class Held:
    """Nothing was written, because the sets of faces are about to be switched: try again in a moment."""


@dataclass(frozen=True, slots=True)
class Split:
    """Nothing was written, because images of this batch match so many others that they must be written one by one."""


@dataclass(frozen=True, slots=True, eq=False)
class KnownFaces:
    """Some images of one owner: how many faces each has, and the heads of their face records in that order.

    What cannot be a face record is a row of zeros. An image may be told twice.
    """

    owner: str
    counts: NDArray[np.int64]
    heads: Heads = field(repr=False)


class Journal(Protocol):
    """The store as the index sees it. Every method may raise StoreUnavailable."""

    def count(self) -> int:
        """About how many images with faces there are."""

    def load(self) -> tuple[int, Iterator[KnownFaces]]:
        """A journal position, and every image with faces that was known then.

        Images that came or went while reading may or may not be among them; the journal after the position tells.
        """

    def since(self, position: int) -> tuple[JournalEntry, ...] | JournalGap:
        """What happened after ``position``, oldest first."""


class Commits(Protocol):
    """The store as the worker sees it. Every method is one atomic step and may raise StoreUnavailable.

    The one step of `commit` may be prepared by others that change no answer.
    """

    def begin(self, jobs: Sequence[ScanJob]) -> list[Start]:
        """For each job, claim its image or tell why not."""

    def commit(self, batch: Sequence[Scanned], position: int) -> Written | Moved | Obsolete | JournalGap | Split | Held:
        """Write the batch to all five databases if the journal still ends at ``position``; all or nothing."""

    def retrying(self, job: ScanJob, delay: float, code: str, reason: str) -> None:
        """The job waits ``delay`` seconds for its next try."""

    def fail(self, job: ScanJob, code: str, reason: str) -> None:
        """The image is ``failed``, unless it is done."""

    def lost(self, seconds: float) -> list[tuple[str, str]]:
        """Declare ``failed`` what was announced more than ``seconds`` ago and is claimed by nobody; owner and hash of each.

        Only for when no job waits in the broker. Should such a job turn up after all, it is done as usual.
        """


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

    The answers are complete for everything written before the question. Every method may raise BrokerUnavailable,
    DeadlineExceeded and ServiceUnavailable.
    """

    def tickets(self, owner: str, records: Sequence[bytes]) -> list[int]:
        """Tickets of all images with a face that matches one of these face records of one image, that image's not among them."""

    def page(self, owner: str, records: Sequence[bytes], limit: int, after: tuple[float, int]) -> MatchPage:
        """The first ``limit`` matches behind distance and ticket ``after``, nearest first."""

    def by_face(self, owner: str, records: Sequence[bytes], tolerance: float, limit: int) -> dict[int, list[Match]]:
        """For the id of each face of one image the nearest other images with a face at most ``tolerance`` from it."""


class Admissions(Protocol):
    """The store as the front door sees it. Every method may raise StoreUnavailable, and is one atomic step.

    But for images with very many matches (`facerec.adapters.redis.crowd`): `matching_names`, `matching_page` and `image` ask
    a worker about those in several steps, and may raise what `Matches` raises.
    """

    def admit(self, owner: str, image_hash: str, name: str) -> Admission: ...

    def queued(self, job: ScanJob) -> None:
        """The job is about to be published: the image is queued, unless it is in work or done already.

        Written before the broker is asked, so that a job which the broker takes and then loses leaves a trace.
        """

    def withdraw(self, job: ScanJob) -> None:
        """The broker did not take the job: undo `queued`, unless a worker has it after all or it was sent again."""

    def known_url(self, owner: str, url: str) -> str | None:
        """The hash of the image that was scanned to the end from ``url``, or None."""

    def matching_names(self, owner: str, image_hash: str) -> list[str]:
        """The names of the images that match, sorted; its own are not in it. Empty when unknown or not done."""

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

        ``name`` is a prefix. Raises BadParam for a cursor that is not ours.
        """

    def erase(self, owner: str, image_hash: str) -> dict[str, Any] | None:
        """Erase an image; the receipt says what was removed from where and when. None when unknown."""

    def ping(self) -> None:
        """Raises StoreUnavailable unless the store answers."""


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
        """Whether any token is configured; without one only loopback clients are served."""


@dataclass(frozen=True, slots=True)
class Census:
    """Workers that hold the whole index and have no problem, and those that ought to and do not."""

    live: int
    missing: int


class Workers(Protocol):
    """Who works: a worker tells that it lives, the front door counts."""

    def alive(self, worker: str, state: Mapping[str, Any], seconds: float) -> None:
        """``worker`` lives and should be forgotten unless it says so again within ``seconds``."""

    def gone(self, worker: str) -> None: ...

    def workers(self) -> dict[str, dict[str, Any]]: ...

    def census(self, seconds: float) -> Census:
        """A worker that fell silent without signing off is missed for so many seconds."""


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


# ---------------------------------------------------------------- pictures


@dataclass(frozen=True, slots=True)
class Place:
    """Where the pictures of one image lie.

    ``ticket`` is the one under which the image was first announced: an image that was erased and sent again has a new
    place, so that nobody who still tidies up after the old one can touch it.
    """

    owner: str
    hash: str
    ticket: int


class ImageStore(Protocol):
    """Keeps pictures. Safe for many threads. Every method may raise ImageStoreUnavailable."""

    @property
    def kind(self) -> str:
        """``none`` when nothing is kept, else the protocol: ``file``, ``s3``."""

    def put(self, place: Place, pictures: Mapping[str, bytes]) -> None:
        """Keep the pictures under their names (`facerec.services.pictures`); those that are there are written anew."""

    def get(self, place: Place, name: str) -> bytes | None:
        """A picture, None when it is not kept."""

    def erase(self, owner: str, image_hash: str, ticket: int) -> int:
        """Remove all pictures of the image whose place has this ticket or an older one; how many there were."""

    def expire(self, before: float) -> int:
        """Remove the pictures of images kept before ``before`` (seconds since the epoch); how many there were."""

    def ping(self) -> None:
        """Raises ImageStoreUnavailable unless the store answers."""


class Whereabouts(Protocol):
    """Finds the place of pictures. Every method may raise StoreUnavailable."""

    def of_image(self, owner: str, image_hash: str) -> Place | None: ...

    def of_face(self, owner: str, face_id: int) -> Place | None: ...


class Errands(Protocol):
    """What has to be done for the pictures, once, by whichever worker comes first. May raise StoreUnavailable."""

    def turn(self, errand: str, seconds: float) -> bool:
        """Whether the caller shall do ``errand``, which is due again after ``seconds``."""

    def erasure(self, owner: str, image_hash: str) -> Place | None:
        """The erased image whose pictures may still be there."""

    def erasures(self, limit: int) -> Sequence[Place]:
        """Erased images whose pictures may still be there."""

    def settle(self, erased: Place) -> None:
        """The pictures of this erased image are gone."""


# ---------------------------------------------------------------- webhooks


@dataclass(frozen=True, slots=True)
class Notice:
    """One call that is due: tell ``url`` that an image came into ``state``.

    ``attempt`` counts from 1; ``claim`` is the store's own and says whose turn it is.
    """

    owner: str
    hash: str
    state: str
    attempt: int
    claim: str
    url: str
    secret: str = field(repr=False)


class Webhooks(Protocol):
    """Where owners want to be told of finished and failed images, and what is still to be told.

    A change of state and the notice of it are one step in the store, so none is lost; one may be told twice.
    """

    def set(self, owner: str, url: str, secret: str) -> None: ...

    def get(self, owner: str) -> dict[str, str] | None:
        """``url``, ``secret``, and of the last call ``last_at``, ``last_status`` and ``last_error``, as far as there are."""

    def remove(self, owner: str) -> bool:
        """Forget the URL and all that is to be told; whether there was one."""

    def due(self, limit: int, lease: float) -> Sequence[Notice]:
        """What is due, oldest first; due again after ``lease`` seconds unless it is settled before."""

    def settle(self, notice: Notice, status: int | None, error: str) -> None:
        """The notice is done with: told (``error`` is empty), or given up."""

    def skip(self, notice: Notice) -> None:
        """The notice is done with, and nobody was called."""

    def postpone(self, notice: Notice, seconds: float, status: int | None, error: str) -> None:
        """The call failed; the notice is due again after ``seconds``."""
