"""The doors through which the whole store is copied out and in, and what passes through them.

An archive is a text of JSON lines; each has a ``kind``:

========  ================================================================================================================
kind      holds
========  ================================================================================================================
export    the first line: ``version``, ``exported_at``, ``images`` (about how many), ``ticket``: images that were announced
          later are not in the archive
image     one image: ``owner``, ``hash``, ``document`` (the fields of its document as they are stored), ``names`` (name ->
          ticket of the newest upload under it), ``faces`` (id, model, box, landmarks, confidence, marks, encoding as base64
          of 128 little-endian float32; ``shift`` when the landmarks are stored coarser), ``links`` (hashes of linked images)
crowd     an image in the crowd: ``owner``, ``hash``
key       some other key of database 0: ``key``, ``type``, a part of its ``value``, ``expires_at`` (seconds since the epoch)
before    what changed of another key while it was copied, as it was when the copy began: ``key``, ``type``, ``value`` and
          ``without`` (fields or members that were not there); ``whole``: the key had nothing else. Comes after all keys
end       the last line: ``images``, ``faces``, ``ticket`` and ``position``, at which the counters go on
========  ================================================================================================================

Not in it are: the journal, what workers and browsers' sessions say of themselves, tokens, and the jobs in the broker and
the pictures in the image store, which have backups of their own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class StoredImage:
    """All that is stored of one image. ``document`` as stored; ``names``: name -> ticket; ``links``: hashes."""

    owner: str
    hash: str
    document: Mapping[str, str]
    names: Mapping[str, int]
    records: tuple[bytes, ...] = field(repr=False)
    links: tuple[str, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class DamagedImage:
    """An image that cannot be read, and why."""

    owner: str
    hash: str
    reason: str


@dataclass(frozen=True, slots=True)
class StoredKey:
    """A key of database 0, or a part of one, that belongs to no image.

    ``type`` is that of Redis. ``value`` has one item for a string, pairs of field and value, of member and score or of an
    entry's id and its fields (one after the other) otherwise. ``begins``: this is the key's first part.
    """

    key: bytes
    type: str
    value: tuple[tuple[bytes, ...], ...]
    begins: bool
    expires_at: float | None


@dataclass(frozen=True, slots=True)
class Before:
    """What a key of people held when the copy began, of what changed since: some of it, or the ``whole`` key.

    ``type`` is ``hash`` (``value`` has pairs) or ``set``; ``without``: fields or members that were not there.
    """

    key: str
    type: str
    value: tuple[tuple[str, ...], ...]
    without: tuple[str, ...] = ()
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Counters:
    """Where the counter of tickets and the journal stand."""

    ticket: int
    position: int


class Archive(Protocol):
    """The store as it is copied out. Every method may raise StoreUnavailable."""

    def begin(self) -> None:
        """This moment is copied of people, whatever changes from now on."""

    def forget(self) -> None:
        """Nothing more is copied: give up what `begin` began, if anything is left of it."""

    def count(self) -> int:
        """How many images there are."""

    def images(self, newest: int) -> Iterator[StoredImage | DamagedImage]:
        """Every image up to the ticket ``newest``, each as it is at one moment; by owner and ticket."""

    def crowd(self) -> Iterator[tuple[str, str]]:
        """Owner and hash of the images in the crowd."""

    def others(self) -> Iterator[StoredKey]:
        """Everything else that is copied."""

    def before(self) -> Iterator[Before]:
        """What people were when the copy began, as far as they changed since. Comes after everything that changed."""

    def counters(self) -> Counters: ...


class Restoration(Protocol):
    """The store as it is copied in. Every method may raise StoreUnavailable."""

    def begin(self, ticket: int) -> None:
        """Let nobody commit from now on, and give no ticket up to this one to new images.

        Raises Conflict when there are images, unless an earlier import was cut off.
        """

    def add(self, images: Sequence[StoredImage]) -> list[bool]:
        """Write images, each in one atomic step; False for those that are there already.

        An image is linked to those of its links that are there; the others link to it when they come.
        """

    def join_crowd(self, owner: str, image_hash: str) -> None: ...

    def set(self, key: StoredKey) -> None:
        """Write a key or a part of one. A mark of an erasure also takes out the image, if that is not newer."""

    def set_before(self, before: Before) -> None:
        """Write what a key of people held at the moment of the copy."""

    def finish(self, counters: Counters) -> None:
        """Let all commit again, after loading everything anew."""
