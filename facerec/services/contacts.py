"""Contacts: which contact of a user does a face belong to? The use cases of the contacts contract (docs/contacts.md).

A contact's faces are faces of the core: their pictures are images of the owner, seen and erased there like all others. Every
call that changes a user waits for the user's turn, prepares, and writes once.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import Any

from facerec.encodings import stack_encodings
from facerec.errors import BadParam, DeadlineExceeded
from facerec.records import model_of
from facerec.services.contacts_adding import Adding
from facerec.services.contacts_changes import Memory, call_name, changed, documents, named, renew
from facerec.services.contacts_faces import Document, Result, check_face_url, whole_number
from facerec.services.contacts_rule import CANDIDATES, confidence, nearest_contacts
from facerec.services.contacts_scans import Probe, Scans
from facerec.services.contacts_store import Change, Contact, ContactStore, Known
from facerec.services.contacts_sweep import settle
from facerec.services.contacts_turns import LEASE, Turns

DEFAULT_TIMEOUT = 300.0
LONGEST_TIMEOUT = 3600.0
MOST_FACES = 10_000
DETAILS = 1000
"""Answers that are told at once unless another number is asked for."""
ResultDocument = dict[str, list[Document]]


class Recognition(list[Document]):
    """The answer of `Contacts.recognize_face`: a list, which also knows by which id to give feedback on it."""

    def __init__(self, recognize_id: int, faces: Sequence[Document]) -> None:
        super().__init__(faces)
        self.recognize_id = recognize_id


class Contacts:
    """The contacts of one owner's users. Safe for many threads; pictures are looked at side by side in ``pool``.

    Wrong ids of a whole call raise BadParam; what is wrong with one face is told in the result. StoreUnavailable is raised when
    nothing can be done.
    """

    def __init__(
        self,
        owner: str,
        store: ContactStore,
        scans: Scans,
        pool: Executor,
        *,
        lease: float = LEASE,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._owner = owner
        self._store = store
        self._scans = scans
        self._clock = clock
        self._turns = Turns(store, clock, lease)
        self._adding = Adding(store, scans, pool, clock)
        self._memory = Memory(store, owner)

    def add_faces(
        self, user_id: int, contact_id: int, faces: Sequence[Mapping[str, Any]], timeout: float | None = None
    ) -> ResultDocument:
        """From now on ``faces`` identify the contact. What is not finished after ``timeout`` seconds is in ``error``."""
        _check_ids(user_id, contact_id)
        given = _many(faces)
        deadline = self._deadline(timeout)
        result = Result()
        with self._turns.turn(self._owner, user_id, deadline) as turn:
            settle(self._store, turn)
            self._adding.add(turn, contact_id, given, deadline, result)
            settle(self._store, turn)
        return result.document()

    def delete_faces(
        self, user_id: int, contact_id: int, faces: Sequence[Mapping[str, Any]], timeout: float | None = None
    ) -> ResultDocument:
        """``faces`` count no longer; each is named by its ``face_id``, or by its ``id``."""
        _check_ids(user_id, contact_id)
        given = _many(faces)
        while True:
            result = Result()
            with self._turns.turn(self._owner, user_id, self._deadline(timeout)) as turn:
                settle(self._store, turn)
                snapshot = self._store.read(self._owner, user_id, [contact_id], records=True)
                contact = snapshot.contacts.get(contact_id) or Contact(contact_id, {}, {})
                gone = named(contact, given, user_id, result)
                if not self._store.write(turn, call_name(), snapshot.version, [changed(contact, deleted=gone)]):
                    continue
                settle(self._store, turn)
            result.deleted = [face.document() for face in gone]
            return result.document()

    def delete_contact(self, user_id: int, contact_id: int, timeout: float | None = None) -> ResultDocument:
        """All faces of the contact."""
        _check_ids(user_id, contact_id)
        return self._delete(user_id, [contact_id], timeout)

    def delete_user(self, user_id: int, timeout: float | None = None) -> ResultDocument:
        """All contacts and faces of the user, what was answered to it, and the user."""
        whole_number("user_id", user_id)
        return self._delete(user_id, None, timeout)

    def get_faces(self, user_id: int, contact_id: int | None = None) -> list[Document]:
        """By contact_id and face_id. An unknown user or contact has none."""
        whole_number("user_id", user_id)
        wanted = None if contact_id is None else [whole_number("contact_id", contact_id)]
        return documents(self._store.read(self._owner, user_id, wanted, records=False))

    def recognize_face(self, user_id: int, face_url: str, timeout: float | None = None) -> Recognition | None:
        """The at most three nearest contacts, each with its nearest representative; None when the picture shows no face.

        Raises what fetching and looking raise: FetchFailed, FetchTimeout, ForbiddenUrl, UnsupportedImage and so on.
        """
        whole_number("user_id", user_id)
        url = check_face_url(face_url)
        deadline = self._deadline(timeout)
        probe = self._scans.probe(self._owner, url, deadline)
        if probe is None:
            return None
        faces = self._nearest(user_id, probe, deadline)
        number = self._store.recognized(self._owner, user_id, call_name(), url, faces)
        return Recognition(number, [face | {"recognize_id": number} for face in faces])

    def recognition_feedback(self, recognize_id: int, result: int | None) -> None:
        """The ``result``-th face of that answer (1 to 3) was right, or None of them; a later feedback replaces an earlier.

        Raises NotFound for an answer that nobody got, BadParam for a rank that it does not have.
        """
        whole_number("recognize_id", recognize_id)
        rank = None if result is None else whole_number("result", result)
        if rank is not None and not 1 <= rank <= CANDIDATES:
            raise BadParam("result", f"must be 1 to {CANDIDATES} or null", result)
        self._store.feedback(self._owner, recognize_id, rank)

    def recognition_stats(self, user_id: int | None = None) -> dict[str, int]:
        """``recognize_calls`` (that found a face), ``feedback_calls`` (of as many answers), ``true_positives`` and
        ``false_positives`` among them; of all users when ``user_id`` is None."""
        return self._store.statistics(self._owner, None if user_id is None else whole_number("user_id", user_id))

    def recognition_stat_details(self, user_id: int | None = None, limit: int = DETAILS) -> list[dict[str, Any]]:
        """The newest answers, newest first, each with its candidates and feedback."""
        user = None if user_id is None else whole_number("user_id", user_id)
        return self._store.recognitions(self._owner, user, limit)

    def _delete(self, user_id: int, wanted: Sequence[int] | None, timeout: float | None) -> ResultDocument:
        while True:
            with self._turns.turn(self._owner, user_id, self._deadline(timeout)) as turn:
                settle(self._store, turn)
                snapshot = self._store.read(self._owner, user_id, wanted, records=False)
                changes = [
                    Change(contact.contact_id, deleted=list(contact.faces.values()))
                    for contact in snapshot.contacts.values()
                ]
                if self._store.write(turn, call_name(), snapshot.version, changes, leaves=wanted is None):
                    settle(self._store, turn)
                    return Result(deleted=documents(snapshot)).document()

    def _nearest(self, user_id: int, probe: Probe, deadline: float) -> list[Document]:
        known = self._known(user_id, deadline)
        rows = [n for n, record in enumerate(known.records) if model_of(record) is probe.model]
        if not rows:
            return []
        encodings = stack_encodings([known.records[n] for n in rows])
        contacts = [known.faces[n].given.contact_id for n in rows]
        return [
            known.faces[rows[found.place]].document() | {"recognition_confidence": confidence(found.distance)}
            for found in nearest_contacts(probe.encoding, encodings, contacts)
        ]

    def _known(self, user_id: int, deadline: float) -> Known:
        """The representatives as they are now; after an erasure elsewhere the clusters that it touched are made anew first."""
        while True:
            known = self._memory.known(user_id)
            if not known.stale:
                return known
            with self._turns.turn(self._owner, user_id, deadline) as turn:
                renew(self._store, turn)
            if self._clock() >= deadline:
                raise DeadlineExceeded("the contacts of this user change faster than they can be read")

    def _deadline(self, timeout: float | None) -> float:
        if timeout is None:
            return self._clock() + DEFAULT_TIMEOUT
        if isinstance(timeout, bool) or not isinstance(timeout, int | float) or not 0 <= timeout <= LONGEST_TIMEOUT:
            raise BadParam("timeout", f"must be 0 to {LONGEST_TIMEOUT:g} seconds", str(timeout)[:100])
        return self._clock() + timeout


def _check_ids(user_id: int, contact_id: int) -> None:
    whole_number("user_id", user_id)
    whole_number("contact_id", contact_id)


def _many(faces: object) -> list[object]:
    if isinstance(faces, str | bytes | Mapping) or not isinstance(faces, Sequence):
        raise BadParam("faces", "faces must be a list of face structures")
    if len(faces) > MOST_FACES:
        raise BadParam("faces", f"at most {MOST_FACES} faces in one call", len(faces))
    return list(faces)


class ContactBooks:
    """The contacts of every owner over one store; ``parallel`` pictures are looked at side by side."""

    def __init__(
        self,
        store: ContactStore,
        scans: Scans,
        *,
        parallel: int = 8,
        lease: float = LEASE,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._pool = ThreadPoolExecutor(parallel, thread_name_prefix="contacts")
        self._store, self._scans, self._lease, self._clock = store, scans, lease, clock
        self._lock = threading.Lock()
        self._books: dict[str, Contacts] = {}

    def of(self, owner: str) -> Contacts:
        with self._lock:
            if owner not in self._books:
                book = Contacts(owner, self._store, self._scans, self._pool, lease=self._lease, clock=self._clock)
                self._books[owner] = book
            return self._books[owner]

    def close(self) -> None:
        """Let go of pictures that nobody waits for any more."""
        self._pool.shutdown(wait=False, cancel_futures=True)
