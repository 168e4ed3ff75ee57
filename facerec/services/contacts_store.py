"""The door between contacts and the store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from facerec.errors import ServiceUnavailable
from facerec.ports import Admission
from facerec.services.contacts_faces import ContactFace


class LeaseLost(ServiceUnavailable):
    """Somebody else has the user's turn now: this call was away for too long, and nothing more of it is written."""


@dataclass(frozen=True, slots=True, eq=False)
class Contact:
    """A contact's faces, and the face record of each that has a face, by face_id."""

    contact_id: int
    faces: Mapping[int, ContactFace]
    records: Mapping[int, bytes] = field(repr=False)


@dataclass(frozen=True, slots=True, eq=False)
class Snapshot:
    """Contacts at one moment. ``stale`` are contacts whose clusters must be made anew: those that lost a face by an erasure,
    or all, when the encodings were exchanged for another model's."""

    version: str
    contacts: Mapping[int, Contact]
    stale: frozenset[int]


@dataclass(frozen=True, slots=True, eq=False)
class Change:
    """A contact as it becomes. ``representatives`` are the face_ids of all of them afterwards."""

    contact_id: int
    added: Sequence[ContactFace] = ()
    deleted: Sequence[ContactFace] = ()
    representatives: Sequence[int] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """The representatives of a user at one moment, and their face records. ``stale`` as in `Snapshot`."""

    version: str
    stale: bool
    faces: Sequence[ContactFace]
    records: Sequence[bytes] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Turn:
    """The right to change the contacts of one user. ``token`` is checked inside every step that writes."""

    owner: str
    user_id: int
    token: str


class ContactStore(Protocol):
    """Every method is one atomic step and may raise StoreUnavailable; those with a turn raise LeaseLost when it is over."""

    def take_turn(self, turn: Turn, seconds: float) -> bool:
        """Whether it is ours now, for so many seconds."""

    def keep_turn(self, turn: Turn, seconds: float) -> bool:
        """Whether it is still ours, and is for so many seconds from now on."""

    def end_turn(self, turn: Turn) -> None: ...

    def read(self, owner: str, user_id: int, contact_ids: Sequence[int] | None, *, records: bool) -> Snapshot:
        """These contacts, None for all; those without faces are left out."""

    def known(self, owner: str, user_id: int, version: str | None) -> Known | None:
        """The representatives, or None when the user's version is still ``version``."""

    def write(self, turn: Turn, call: str, version: str, changes: Sequence[Change], *, leaves: bool = False) -> bool:
        """Write all changes, or nothing and False when the user is not at ``version`` any more or a picture is gone.

        ``call`` names this write, which may be sent twice. With ``leaves`` everything else of the user goes, too.
        """

    def new_ids(self, count: int) -> range:
        """Ids that no face of the system has."""

    def expect(self, turn: Turn, image: str, url: str) -> Admission:
        """Admit an image under the name ``url`` for this user; until a face of a contact has it, it is `loose`."""

    def unsettled(self, limit: int) -> list[tuple[str, int]]:
        """Some owners and users that have `loose` images: a call is under way for them, or died."""

    def loose(self, turn: Turn) -> list[str]:
        """Images that came into the core for this user's contacts and may be without a face of a contact."""

    def discard(self, turn: Turn, image: str) -> bool:
        """Erase an image if contacts alone brought it and no face of a contact has it; whether it was.

        Nothing happens when the turn is over: whoever has it now sees to it.
        """

    def records(self, owner: str, image: str) -> list[bytes] | None:
        """The face records of a finished image, None when it is not finished."""

    def removed_faces(self, owner: str, image: str) -> str:
        """The field of the image document that says which faces were removed (`facerec.removed`); '' for none."""

    def failure(self, owner: str, image: str) -> tuple[str, str] | None:
        """Code and reason when nobody finishes the image any more: its job was given up, or it was erased."""

    def recognized(self, owner: str, user_id: int, call: str, url: str, candidates: Sequence[Mapping[str, Any]]) -> int:
        """Remember an answer; its id."""

    def feedback(self, owner: str, recognize_id: int, rank: int | None) -> None:
        """Raises NotFound for an unknown answer, BadParam for a rank that it does not have."""

    def statistics(self, owner: str, user_id: int | None) -> dict[str, int]: ...

    def recognitions(self, owner: str, user_id: int | None, limit: int) -> list[dict[str, Any]]:
        """The newest answers, newest first."""
