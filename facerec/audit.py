"""The door through which the store is checked and repaired, and what is found there.

What must hold, for every owner; the name before each group is that in the report:

- ``documents``: every image has a document with a known state and a ticket of its own, under which the list of images has it;
  no ticket is beyond the counter.
- ``states``: the lists of queued, processing and failed images say what the documents say.
- ``names``: each name of a finished image leads (database 1) to the newest image of that name; each finished image has
  (database 2) the names under which it was sent; the holders and the list of names agree.
- ``faces``: a finished image has as many face records as its document says; they decode, and their ids are its ticket's.
- ``links``: database 4 links two images in both directions if and only if they have comparable faces of one model within
  the tolerance, and not both are in the crowd.
- ``unfinished``: databases 1 to 4 have nothing of an image that is not done.
- ``strays``: no key is left of an image that is not known.
- ``journal``: its entries decode, follow each other without a gap, and end where the store says.
- ``index``: what a worker loads is what database 3 holds.
- ``types``: each key is of its type.
- ``people``: faces, persons and their lists agree (`facerec.adapters.redis.people_check`).
- ``galleries``: each face is in the galleries that it should be in, and nothing else is
  (`facerec.adapters.redis.galleries_check`).
- ``contacts``: every face of a contact is a face of an image, or is none; its clusters and their representatives are those
  of its faces; contacts and persons know each other; no call left anything (`facerec.adapters.redis.contacts_check`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

INVARIANTS = (
    "documents",
    "states",
    "names",
    "faces",
    "links",
    "unfinished",
    "strays",
    "journal",
    "index",
    "types",
    "people",
    "galleries",
    "contacts",
)


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that must not be.

    ``kind`` says which of the repairs fits, ``subject`` what to repair: a hash, a name, a key or a position. ``evidence`` is
    what a repair must find unchanged.
    """

    invariant: str
    kind: str
    owner: str
    hash: str
    subject: str
    detail: str
    evidence: tuple[str, ...] = field(default=(), compare=False)


@dataclass(frozen=True, slots=True, eq=False)
class Inspection:
    """One image as it was at journal ``position``, and what was wrong with it. ``links``: hash of another image -> its ticket."""

    owner: str
    hash: str
    position: int
    state: str
    ticket: int
    crowded: bool
    records: tuple[bytes, ...] = field(repr=False)
    links: dict[str, int] = field(repr=False)
    faults: tuple[Fault, ...]

    @property
    def comparable(self) -> bool:
        """Whether the image is finished and its face records are sound."""
        return self.state == "done" and not any(fault.kind == "faces" for fault in self.faults)


class Audit(Protocol):
    """The store as its inspector sees it. Every method may raise StoreUnavailable.

    Each look at an image or a key is one atomic step that takes milliseconds, so what it finds is true although others write.
    """

    def owners(self) -> list[str]: ...

    def images(self, owner: str) -> Iterator[list[tuple[str, int]]]:
        """All images by ticket, in pages of hashes and tickets."""

    def inspect(self, owner: str, hashes: Sequence[str]) -> list[Inspection]:
        """Hold images against every invariant that needs no distances."""

    def crowded(self, owner: str) -> set[int]:
        """Tickets of the images in the crowd. Who is in it stays there until it is erased."""

    def hashes(self, owner: str, tickets: Sequence[int]) -> dict[int, str]:
        """The hashes of those tickets that are known."""

    def strays(self) -> Iterator[Fault]:
        """Keys and list members that belong to no image."""

    def journal_faults(self) -> Iterator[Fault]: ...

    def people_faults(self) -> Iterator[Fault]: ...

    def people_faults_again(self, faults: Sequence[Fault]) -> Iterator[Fault]:
        """What is wrong now where these faults of people were found."""

    def gallery_faults(self) -> Iterator[Fault]: ...

    def contact_faults(self) -> Iterator[Fault]: ...


class Repairs(Protocol):
    """The store as its repairer sees it. Each repair is one atomic step, or several that each leave what is sound,
    and does nothing when the fault is gone.

    Every method may raise StoreUnavailable, and InternalError for what no repair can mend.
    """

    def repair(self, fault: Fault) -> bool:
        """Repair what is not a link; whether there is a way to."""

    def set_link(self, owner: str, one: str, other: str, wanted: bool, position: int) -> bool:
        """Link two images or unlink them, if the journal still ends at ``position``; whether it did."""
