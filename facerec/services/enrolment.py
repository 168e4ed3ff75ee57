"""Posting a photo: its faces are written by a worker as those of any image, or said more of when the image is known."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from facerec.confidence import FARTHEST
from facerec.enrolment import MAX_CANDIDATES, Enrolment, Wish
from facerec.errors import BadParam, Conflict, DeadlineExceeded
from facerec.faces import Box
from facerec.galleries import FaceBook, StoredFace
from facerec.identity import image_hash
from facerec.ports import Admissions
from facerec.selection import choose
from facerec.services.lookup import IsGone, Lookup

_PAUSE = 0.05
_TRIES = 20


@dataclass(frozen=True, slots=True)
class Enrolments:
    """The same photo posted again is the same image and has the same faces: what is said of them then is added."""

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
        if admission.state == "done":
            return self._known(owner, digest, wish)
        reply = self.lookup.enroll(owner, photo, name, admission.ticket, wish, is_gone)
        if reply["state"] == "written":
            return tuple(reply["faces"])
        return self._known(owner, digest, wish) if reply["state"] == "done" else None

    def _known(self, owner: str, digest: str, wish: Wish) -> tuple[int, ...] | None:
        for _ in range(_TRIES):
            stored = self.book.faces_of_image(owner, digest)
            if stored is None:
                return None
            chosen = self._chosen(stored, wish)
            enrolment = Enrolment(wish, tuple(face.id for face in chosen))
            if self.book.enrol(owner, digest, enrolment, self._candidates(owner, chosen, wish)):
                return enrolment.faces
        raise Conflict("the faces of this photo change all the time")

    def _chosen(self, stored: list[StoredFace], wish: Wish) -> list[StoredFace]:
        places, missing = choose([face.box for face in stored], wish.selector, [Box(*sides) for sides in wish.boxes])
        if missing:
            box = missing[0]
            shown = [box.left, box.top, box.right, box.bottom]
            raise BadParam("bbox", "this photo is known, and no face of it is there", str(shown))
        return [stored[place] for place in places]

    def _candidates(self, owner: str, chosen: list[StoredFace], wish: Wish) -> dict[int, tuple[int, ...]]:
        if not wish.persons:
            return {}
        limit = min(FARTHEST, wish.persons.limit)
        found = self.lookup.search(owner, [face.face.encoding for face in chosen], None, limit, MAX_CANDIDATES)
        return {face.id: tuple(near.face for near in row) for face, row in zip(chosen, found.probes, strict=True)}
