"""Adding faces: checked one by one, looked at side by side, written in one step."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, Future, wait
from dataclasses import dataclass, field

from facerec.errors import BadParam, DeadlineExceeded, FacerecError
from facerec.records import face_id_of
from facerec.services.contacts_changes import call_name, changed
from facerec.services.contacts_faces import ContactFace, Given, Result, given_face
from facerec.services.contacts_scans import Portrait, Scans
from facerec.services.contacts_store import Contact, ContactStore, LeaseLost, Turn

RESERVE = 0.05
"""Share of the time of a call that is kept for writing what was finished."""


@dataclass(frozen=True, slots=True, eq=False)
class _Wanted:
    """A face to add, as it came and as it was understood; ``again`` are others in the call with the same face_id."""

    face: object
    given: Given
    again: list[object] = field(default_factory=list)


class Adding:
    """`add` for all users of one owner; pictures are looked at side by side in ``pool``."""

    def __init__(self, store: ContactStore, scans: Scans, pool: Executor, clock: Callable[[], float]) -> None:
        self._store = store
        self._scans = scans
        self._clock = clock
        self._pool = pool

    def add(self, turn: Turn, contact_id: int, faces: Sequence[object], deadline: float, result: Result) -> None:
        """Fill ``result``. Raises LeaseLost, StoreUnavailable."""
        wanted = _understood(turn, contact_id, faces, result)
        portraits: dict[int, Portrait] = {}
        errors: dict[int, FacerecError] = {}
        while True:
            snapshot = self._store.read(turn.owner, turn.user_id, [contact_id], records=True)
            contact = snapshot.contacts.get(contact_id) or Contact(contact_id, {}, {})
            new = {number: one for number, one in wanted.items() if number not in contact.faces}
            missing = {number: one for number, one in new.items() if number not in portraits and number not in errors}
            if missing:
                self._look(turn, missing, deadline, portraits, errors)
                continue
            ready = {number: one for number, one in new.items() if number in portraits}
            added = self._faces(ready, portraits)
            records = {number: record for number in ready if (record := portraits[number].record) is not None}
            change = changed(contact, added=added, records=records)
            if self._store.write(turn, call_name(), snapshot.version, [change]):
                break
            self._forget_erased(turn, portraits)
        self._report(wanted, {**contact.faces, **{face.given.face_id: face for face in added}}, added, errors, result)

    def _report(
        self,
        wanted: dict[int, _Wanted],
        stored: Mapping[int, ContactFace],
        added: Sequence[ContactFace],
        errors: Mapping[int, FacerecError],
        result: Result,
    ) -> None:
        result.added += [face.document() for face in added]
        fresh = {face.given.face_id for face in added}
        for number, one in wanted.items():
            if number not in stored:
                for face in (one.face, *one.again):
                    result.refuse(face, errors[number])
            else:
                others = one.again if number in fresh else (one.face, *one.again)
                result.not_found += [stored[number].document() for _ in others]

    def _faces(self, ready: dict[int, _Wanted], portraits: dict[int, Portrait]) -> list[ContactFace]:
        ids = self._store.new_ids(len(ready))
        faces = []
        for number, (face_id, one) in zip(ids, ready.items(), strict=True):
            portrait = portraits[face_id]
            face = None if portrait.record is None else face_id_of(portrait.record)
            faces.append(ContactFace(one.given, number, portrait.image, face))
        return faces

    def _look(
        self,
        turn: Turn,
        missing: dict[int, _Wanted],
        deadline: float,
        portraits: dict[int, Portrait],
        errors: dict[int, FacerecError],
    ) -> None:
        """Have a portrait or an error for each; faces with one URL share the work."""
        until = deadline - RESERVE * max(0.0, deadline - self._clock())
        urls = dict.fromkeys(one.given.face_url for one in missing.values())
        looks = {url: self._pool.submit(self._portrait, turn, url, until) for url in urls}
        wait(looks.values(), timeout=max(0.0, until - self._clock()))
        for number, one in missing.items():
            outcome = _outcome(looks[one.given.face_url])
            if isinstance(outcome, Portrait):
                portraits[number] = outcome
            else:
                errors[number] = outcome

    def _portrait(self, turn: Turn, url: str, deadline: float) -> Portrait:
        if self._clock() >= deadline:
            raise DeadlineExceeded("the time of the call was over before this face's turn")

        return self._scans.portrait(turn.owner, url, deadline, lambda image: self._store.expect(turn, image, url))

    def _forget_erased(self, turn: Turn, portraits: dict[int, Portrait]) -> None:
        """Somebody erased a picture meanwhile: it is looked at again, if it is still to be had."""
        for number, portrait in list(portraits.items()):
            if portrait.image is not None and portrait.record not in (
                self._store.records(turn.owner, portrait.image) or []
            ):
                del portraits[number]


def _understood(turn: Turn, contact_id: int, faces: Sequence[object], result: Result) -> dict[int, _Wanted]:
    """The faces that can be added, by face_id; what is wrong goes into ``result``, and so does what comes twice."""
    wanted: dict[int, _Wanted] = {}
    for face in faces:
        try:
            given = given_face(face, turn.user_id, contact_id)
        except BadParam as error:
            result.refuse(face, error)
            continue
        if given.face_id in wanted:
            wanted[given.face_id].again.append(face)
        else:
            wanted[given.face_id] = _Wanted(face, given)
    return wanted


def _outcome(look: Future[Portrait]) -> Portrait | FacerecError:
    """What came of it until now. Raises LeaseLost: then nothing of the call may be written."""
    if look.cancel() or not look.done():
        return DeadlineExceeded("the time of the call was over before this face was finished")
    try:
        return look.result()
    except LeaseLost:
        raise
    except FacerecError as error:
        return error
