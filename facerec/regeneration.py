"""The doors of a regeneration: how it stands, who steers it, who makes its steps, who writes to the set aside."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from facerec.faces import Model
from facerec.ports import JournalGap, Moved, Obsolete, Written
from facerec.regenerate import Made, Share, Skip, Wanted

ACTIONS = ("pause", "resume", "cut over", "roll back", "cancel", "finish")


@dataclass(frozen=True, slots=True, eq=False)
class Remade:
    """An image for the set aside. ``links``: tickets of the images there that have a face within tolerance."""

    wanted: Wanted
    made: Made
    links: frozenset[int] = frozenset()


class AsideCommits(Protocol):
    """The store as a worker sees it that writes to the set aside."""

    def set_aside(self, images: Sequence[Remade], position: int) -> Sequence[Written | Moved | Obsolete | JournalGap]:
        """Write images, one after the other, if the journal still ends at ``position`` and each is as it was.

        What became of them; the first that is not written is the last that was tried. All or nothing of each.
        """


@dataclass(frozen=True, slots=True)
class Run:
    """A regeneration as it is now. Times in seconds since the epoch; the counts are of faces but for the first three.

    ``state``: ``running``, ``paused``, ``switching``, or ``dropping``. ``total``: finished images, ``done``: those in both
    sets, ``waiting``: those known to lack in the set aside, ``parked``: those of them of which the rest is in no share.
    """

    run: int
    state: str
    switched: bool
    model: Model
    base: Model
    aside_model: Model
    parts: tuple[str, ...]
    shares: tuple[Share, ...]
    workers: int
    walked: bool
    settling: bool
    counted: bool
    total: int
    done: int
    waiting: int
    parked: int
    moved: int
    kept: int
    unmoved: int
    found: int
    gained: int
    lost: int
    started_at: float
    switched_at: float | None
    until: float | None
    trouble: str

    @property
    def complete(self) -> bool:
        return self.walked and self.waiting == 0

    @property
    def phase(self) -> str:
        """``state`` in one word for people."""
        if self.state != "running":
            return self.state
        if self.settling:
            return "settling"
        if self.switched:
            return "cut over"
        return "ready" if self.complete else "running"


@dataclass(frozen=True, slots=True)
class Batch:
    """Images that a conductor took, by owner and hash. Numbers go up within a run."""

    number: int
    images: tuple[tuple[str, str], ...]


class Regenerations(Protocol):
    """The store as the regeneration sees it. Every method is one short atomic step, and may raise StoreUnavailable."""

    def current(self) -> Run | None: ...

    def start(
        self, model: Model, base: Model, parts: Sequence[str], share: Share, skip: Skip, workers: int, keep: float
    ) -> tuple[bool, int]:
        """Begin, or add a share to the run under way: whether it is new, and its number. Raises Conflict."""

    def act(self, action: str) -> None:
        """Do one of ACTIONS; a switch is only asked for. Raises Conflict."""

    def notes(self) -> Iterable[tuple[str, str, Mapping[str, Any]]]:
        """Owner, hash and note of each image of which there is something to say."""

    def last(self) -> dict[str, Any] | None:
        """The report of the run that ended last."""

    def records(self) -> Iterable[Sequence[bytes]]:
        """The face records of each image in the current set."""

    def model(self) -> Model | None:
        """The model of the current set, None while no regeneration has fixed it."""


class Steps(Protocol):
    """What a conductor does, step by step. Every method may raise StoreUnavailable."""

    def turn(self, worker: str, seconds: float) -> bool: ...

    def current(self) -> Run | None: ...

    def walk(self, run: int, what: str, limit: int) -> bool:
        """Go on through the images; whether there are more."""

    def take(self, run: int, at_once: int, again: float, published: int) -> Batch:
        """Images to be done now; they are due again after ``again`` seconds.

        ``published`` is the number of the last batch whose jobs the caller knows to be published, 0 for none. The images of
        another that was taken last are due at once: who took it died, or did not reach the broker.
        """

    def switch(self, run: int) -> str: ...

    def settle(self, run: int, limit: int) -> bool:
        """List the faces that a switch brought, of some images; whether there are more."""

    def act(self, action: str) -> None: ...

    def notes(self) -> Iterable[tuple[str, str, Mapping[str, Any]]]: ...

    def end(self, run: int, report: Mapping[str, Any]) -> bool:
        """Forget the run whose set was dropped; False when something of it is left."""
