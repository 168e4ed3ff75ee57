"""Posting a photo: its faces are written by a worker as those of any image, or said more of when the image is known."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from facerec.confidence import FARTHEST
from facerec.enrolment import MAX_CANDIDATES, Candidates, Enrolment, PersonRule, Wish
from facerec.errors import BadParam, Conflict, DeadlineExceeded, NoFaces, NotFound
from facerec.faces import Box
from facerec.galleries import FaceBook, StoredFace
from facerec.identity import image_hash
from facerec.index import FaceIndex
from facerec.ports import Admissions, JournalEntry, JournalGap, Moved
from facerec.removed import Removed, removed_of
from facerec.selection import choose
from facerec.services.lookup import IsGone, Lookup
from facerec.sets import is_switch

_PAUSE = 0.05
_TRIES = 20
_Row = list[tuple[float, int]]
Filter = Callable[[StoredFace], bool]
_Enroll = Callable[[Sequence[Removed]], Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Enrolments:
    """The same photo posted again is the same image and has the same faces: what is said of them then is added.

    Those that somebody removed count when it is chosen which are meant, and come back when they are.
    """

    book: FaceBook
    admissions: Admissions
    lookup: Lookup
    clock: Callable[[], float]
    seconds: float

    def post(
        self, owner: str, photo: bytes, name: str, wish: Wish, is_gone: IsGone = lambda: False
    ) -> list[StoredFace]:
        """The faces that are meant, stored. Raises NoFaces, TooManyFaces, BadParam, DeadlineExceeded, StoreUnavailable."""
        digest = image_hash(photo)
        until = self.clock() + self.seconds
        while True:
            faces = self._try(owner, digest, photo, name, wish, is_gone)
            if faces is not None:
                return [face for face in self.book.faces(owner, faces) if face]
            if self.clock() > until:
                raise DeadlineExceeded("another request has had this photo in hand for too long")
            threading.Event().wait(_PAUSE)

    def _try(
        self, owner: str, digest: str, photo: bytes, name: str, wish: Wish, is_gone: IsGone
    ) -> tuple[int, ...] | None:
        admission = self.admissions.admit(owner, digest, name)

        def enroll(restore: Sequence[Removed] = ()) -> Mapping[str, Any]:
            return self.lookup.enroll(owner, photo, name, admission.ticket, wish, is_gone, restore)

        if admission.state == "done":
            return self._known(owner, digest, wish, enroll)
        reply = enroll()
        if reply["state"] == "written":
            return tuple(reply["faces"])
        return self._known(owner, digest, wish, enroll) if reply["state"] == "done" else None

    def _known(self, owner: str, digest: str, wish: Wish, enroll: _Enroll) -> tuple[int, ...] | None:
        for _ in range(_TRIES):
            stored = self.book.faces_of_image(owner, digest)
            if stored is None:
                return None
            places = [(face.id, face.box) for face in stored]
            chosen = _chosen([*stored, *removed_of(self.book.removed_faces(owner, digest), places)], wish)
            gone = [face for face in chosen if isinstance(face, Removed)]
            there = [face for face in chosen if isinstance(face, StoredFace)]
            if gone:
                if enroll(gone)["state"] != "written":  # somebody else brings them back, or a worker does not know how
                    return None
            elif self._say(owner, there, wish):
                return tuple(face.id for face in there)
        raise Conflict("the faces of this photo change all the time")

    def person_of(self, owner: str, face: StoredFace, rule: PersonRule, gallery: str, passes: Filter) -> int:
        """The person of a stored face: that which it has, or that of the nearest face of ``gallery`` that passes, or a new one.

        Raises NotFound.
        """
        for _ in range(_TRIES):
            known = self.book.faces(owner, [face.id])[0]
            if known is None:
                raise NotFound("there is no such face")
            if known.person is not None:
                return known.person
            self._say(owner, [known], Wish(now=self.clock(), persons=rule), gallery, passes)
        raise Conflict("this face changes all the time")

    def _say(
        self,
        owner: str,
        faces: Sequence[StoredFace],
        wish: Wish,
        gallery: str | None = None,
        passes: Filter = lambda _face: True,
    ) -> bool:
        """What a wish says of faces of one image; False when they are gone or much has changed meanwhile.

        Whose a face is was decided by the faces that were near when it was written: what came since they were looked for is
        compared before the next try, as by the rule (`facerec.rule`).
        """
        enrolment = Enrolment(wish, tuple(face.id for face in faces))
        near = self._near(owner, faces, wish, gallery) if wish.persons else _Near({}, None)
        for _ in range(_TRIES):
            kept = {face: self._kept(owner, row, gallery, passes) for face, row in near.rows.items()}
            match self.book.enrol(owner, faces[0].image, enrolment, Candidates(kept, near.position)):
                case Moved(entries) if not is_switch(entries):
                    near = near.after(owner, faces, entries, _limit(wish))
                case Moved() | JournalGap():
                    return False
                case done:
                    return done
        return False

    def _near(self, owner: str, faces: Sequence[StoredFace], wish: Wish, gallery: str | None) -> _Near:
        probes = [face.face.encoding for face in faces]
        model = faces[0].face.model
        found = self.lookup.search(owner, probes, gallery, _limit(wish), MAX_CANDIDATES, model=model)
        rows = zip(faces, found.probes, strict=True)
        return _Near({face.id: [(near.distance, near.face) for near in row] for face, row in rows}, found.position)

    def _kept(self, owner: str, row: _Row, gallery: str | None, passes: Filter) -> list[int]:
        ids = [face for _, face in row]
        if gallery is None:
            return ids
        stored = self.book.faces(owner, ids)
        return [face.id for face in stored if face and gallery in face.galleries and passes(face)]


def _chosen(faces: Sequence[StoredFace | Removed], wish: Wish) -> list[StoredFace | Removed]:
    """Those of a known photo that are meant. Raises NoFaces, TooManyFaces, BadParam."""
    if not faces:
        raise NoFaces("this photo is known, and has no face: erase the image to have it looked at anew")
    faces = sorted(faces, key=lambda face: face.id)
    places, missing = choose([face.box for face in faces], wish.selector, [Box(*sides) for sides in wish.boxes])
    if missing:
        box = missing[0]
        shown = [box.left, box.top, box.right, box.bottom]
        raise BadParam("bbox", "this photo is known, and no face of it is there", str(shown))
    return [faces[place] for place in places]


@dataclass(frozen=True, slots=True)
class _Near:
    """The faces near some faces, nearest first, as they were when the journal stood at ``position``."""

    rows: dict[int, _Row]
    position: int | None

    def after(self, owner: str, faces: Sequence[StoredFace], entries: Sequence[JournalEntry], limit: float) -> _Near:
        """With those that came by ``entries``."""
        news = FaceIndex(entries[0].position - 1)
        for entry in entries:
            news.apply(entry)
        rows = {}
        for face in faces:
            model, probe = face.face.model, face.face.encoding
            came = [(hit.distance, hit.face_id) for hit in news.nearest(owner, model, probe, MAX_CANDIDATES, limit)]
            rows[face.id] = sorted({*self.rows[face.id], *came})[:MAX_CANDIDATES]
        return _Near(rows, entries[-1].position)


def _limit(wish: Wish) -> float:
    return min(FARTHEST, wish.persons.limit) if wish.persons else 0.0
