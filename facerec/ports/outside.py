"""The doors to pictures that are kept, and to whoever is told of what was done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol


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

    def check_writes(self) -> None:
        """Write a few bytes and remove them. Raises ImageStoreRefusesWrites when that fails."""


class Whereabouts(Protocol):
    """Finds the place of pictures. Every method may raise StoreUnavailable."""

    def of_image(self, owner: str, image_hash: str) -> Place | None: ...

    def of_face(self, owner: str, face_id: int) -> Place | None: ...


class Errands(Protocol):
    """What has to be done once, by whichever worker comes first. May raise StoreUnavailable."""

    def turn(self, errand: str, seconds: float) -> bool:
        """Whether the caller shall do ``errand``, which is due again after ``seconds``."""

    def finish(self, limit: int, after: float) -> None:
        """Finish what was begun at least ``after`` seconds ago, takes several steps, and lacks some of them.

        Its process has died, or is slow, and then some steps are tried twice, which does no harm.
        """

    def erasure(self, owner: str, image_hash: str) -> Place | None:
        """The erased image whose pictures may still be there."""

    def erasures(self, limit: int) -> Sequence[Place]:
        """Erased images whose pictures may still be there."""

    def settle(self, erased: Place) -> None:
        """The pictures of this erased image are gone."""


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

    def due(
        self, limit: int, lease: float, each: int | None = None, calling: Mapping[str, int] | None = None
    ) -> Sequence[Notice]:
        """What is due, of each owner the oldest first; due again after ``lease`` seconds unless it is settled before.

        No owner gets more than ``each``, with the calls under way in ``calling``; the one that waits for the longest comes first.
        """

    def settle(self, notice: Notice, status: int | None, error: str) -> None:
        """The notice is done with: told (``error`` is empty), or given up."""

    def skip(self, notice: Notice) -> None:
        """The notice is done with, and nobody was called."""

    def postpone(self, notice: Notice, seconds: float, status: int | None, error: str) -> None:
        """The call failed; the notice is due again after ``seconds``."""
