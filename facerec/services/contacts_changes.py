"""What a change makes of a contact: its faces, its clusters, who represents them."""

from __future__ import annotations

import threading
import uuid
from collections import OrderedDict
from collections.abc import Collection, Mapping, Sequence

from facerec.errors import BadParam, InternalError
from facerec.records import encoding_of, model_of
from facerec.services.contacts_faces import ContactFace, Document, Result, face_named
from facerec.services.contacts_rule import Ranked, representatives
from facerec.services.contacts_store import Change, Contact, ContactStore, Known, Snapshot, Turn

USERS_REMEMBERED = 64
RENEWED_AT_ONCE = 200


def call_name() -> str:
    """A name for one writing step, which may be sent twice."""
    return uuid.uuid4().hex


def changed(
    contact: Contact,
    *,
    added: Sequence[ContactFace] = (),
    deleted: Sequence[ContactFace] = (),
    records: Mapping[int, bytes] | None = None,
) -> Change:
    """The contact as it becomes; ``records`` are the face records of the added faces, by face_id."""
    gone = {face.given.face_id for face in deleted}
    known = {**contact.records, **(records or {})}
    faces = [*(face for face in contact.faces.values() if face.given.face_id not in gone), *added]
    return Change(contact.contact_id, added, deleted, _leaders(faces, known))


def _leaders(faces: Sequence[ContactFace], records: Mapping[int, bytes]) -> list[int]:
    """The face_ids of the representatives, sorted."""
    ranked = []
    for face in faces:
        record = records.get(face.given.face_id)
        if record is not None:
            ranked.append(Ranked(face.id, face.given.score, model_of(record).value, encoding_of(record)))
    leaders = set(representatives(ranked).values())
    return sorted(face.given.face_id for face in faces if face.id in leaders)


def named(contact: Contact, faces: Collection[object], user_id: int, result: Result) -> list[ContactFace]:
    """The stored faces that are meant, each once; the others go into ``result``."""
    by_id = {face.id: face for face in contact.faces.values()}
    found: dict[int, ContactFace] = {}
    for face in faces:
        try:
            face_id, number = face_named(face, user_id, contact.contact_id)
        except BadParam as error:
            result.refuse(face, error)
            continue
        stored = contact.faces.get(face_id) if face_id is not None else by_id.get(number or 0)
        if stored is None or stored.given.face_id in found:
            result.not_found.append(dict(face))  # type: ignore[call-overload]
        else:
            found[stored.given.face_id] = stored
    return list(found.values())


def renew(store: ContactStore, turn: Turn) -> None:
    """Make the clusters anew of stale contacts, some in each step. Raises LeaseLost, StoreUnavailable."""
    while True:
        stale = sorted(store.read(turn.owner, turn.user_id, [], records=False).stale)[:RENEWED_AT_ONCE]
        if not stale:
            return
        snapshot = store.read(turn.owner, turn.user_id, stale, records=True)
        contacts = [snapshot.contacts.get(contact) or Contact(contact, {}, {}) for contact in stale]
        store.write(turn, call_name(), snapshot.version, [changed(contact) for contact in contacts])


def documents(snapshot: Snapshot) -> list[Document]:
    """All faces by contact_id and face_id."""
    return [
        contact.faces[face_id].document()
        for _, contact in sorted(snapshot.contacts.items())
        for face_id in sorted(contact.faces)
    ]


class Memory:
    """The representatives of the users that were asked for lately; always asked whether they are still the same."""

    def __init__(self, store: ContactStore, owner: str) -> None:
        self._store = store
        self._owner = owner
        self._lock = threading.Lock()
        self._users: OrderedDict[int, Known] = OrderedDict()

    def known(self, user_id: int) -> Known:
        """The representatives as they are now. Raises StoreUnavailable."""
        with self._lock:
            before = self._users.get(user_id)
        version = before.version if before and not before.stale else None
        after = self._store.known(self._owner, user_id, version)
        if after is None and before is not None:
            return before
        if after is None:
            raise InternalError("the store answered that nothing changed to one who knew nothing")
        with self._lock:
            self._users[user_id] = after
            self._users.move_to_end(user_id)
            while len(self._users) > USERS_REMEMBERED:
                self._users.popitem(last=False)
        return after
