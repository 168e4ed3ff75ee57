"""The doors to the store and its journal: what the rule reads and writes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from facerec.enrolment import Enrolment
from facerec.faces import Model
from facerec.jobs import ScanJob
from facerec.records import Heads


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
    ``restored``: the image is done, and these are faces that were removed from it and come back.
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
    restored: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class JournalEntry:
    """One change of the sets of known faces. ``position`` counts from 1 without gaps.

    ``operation`` is ``add`` to the current set or ``remove`` from both; or of a regeneration (`facerec.sets`): ``aside``, an
    image in the set aside from now on (without records: out of it); ``open``, ``switch``, ``close``, whose ticket tells the
    models of the two sets.
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


class JournalEnd(Protocol):
    """The journal as a front end asks."""

    def position(self) -> int:
        """Where the journal ends: all that is known to anybody now was written at or before it. May raise StoreUnavailable."""


class Journal(JournalEnd, Protocol):
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

    def renew(self, jobs: Sequence[ScanJob]) -> None:
        """These are still in hand: their claims hold as long as new ones."""

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
