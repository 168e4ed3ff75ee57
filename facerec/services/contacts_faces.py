"""The face structure of the contacts contract: checked when it comes, complete when it goes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isfinite
from typing import Any, Self

from facerec.errors import BadParam, FacerecError
from facerec.identity import MAX_URL, check_url

WIDEST = 1 << 63
Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Given:
    """What the caller says of a face. ``contact_id`` and ``face_id`` identify it within its user."""

    user_id: int
    contact_id: int
    face_id: int
    face_url: str
    external_id: int | None
    score: float


@dataclass(frozen=True, slots=True)
class ContactFace:
    """A stored face. ``image`` and ``face`` lead to the picture and the face of the core, None when there is no face."""

    given: Given
    id: int
    image: str | None = None
    face: int | None = None

    @property
    def is_face(self) -> bool:
        return self.face is not None

    def document(self) -> Document:
        """The complete face structure."""
        given = self.given
        return {
            "user_id": given.user_id,
            "contact_id": given.contact_id,
            "face_id": given.face_id,
            "face_url": given.face_url,
            "external_id": given.external_id,
            "score": given.score,
            "id": self.id,
            "is_face": self.is_face,
        }

    def text(self) -> str:
        """As it is stored. ``face`` is a text: scripts would round it."""
        given = self.given
        own = {"id": self.id, "url": given.face_url, "external_id": given.external_id, "score": given.score}
        return json.dumps(own | {"image": self.image, "face": None if self.face is None else str(self.face)})

    @classmethod
    def of(cls, user_id: int, contact_id: int, face_id: int, text: bytes) -> Self:
        """What `text` stored."""
        own = json.loads(text)
        given = Given(user_id, contact_id, face_id, own["url"], own["external_id"], own["score"])
        return cls(given, own["id"], own["image"], None if own["face"] is None else int(own["face"]))


@dataclass(slots=True)
class Result:
    """What a call did, face by face."""

    added: list[Document] = field(default_factory=list)
    deleted: list[Document] = field(default_factory=list)
    not_found: list[Document] = field(default_factory=list)
    error: list[Document] = field(default_factory=list)

    def refuse(self, face: object, error: FacerecError) -> None:
        """``face`` as it came, and why it did not go."""
        came = dict(face) if isinstance(face, Mapping) else {"face": face}
        self.error.append(came | {"code": error.code, "reason": error.reason})

    def document(self) -> dict[str, list[Document]]:
        return {"added": self.added, "deleted": self.deleted, "not_found": self.not_found, "error": self.error}


def whole_number(name: str, value: object) -> int:
    """Raises BadParam unless ``value`` is an integer of 64 bits."""
    if isinstance(value, bool) or not isinstance(value, int) or not -WIDEST <= value < WIDEST:
        raise BadParam(name, f"{name} must be an integer of at most 64 bits", _shown(value))
    return value


def given_face(face: object, user_id: int, contact_id: int) -> Given:
    """A face to add. Raises BadParam for a key that is missing or wrong, and for ids of another user or contact."""
    known = _checked_ids(face, user_id, contact_id)
    for name in ("face_id", "face_url", "external_id", "score"):
        if name not in known:
            raise BadParam(name, f"{name} is missing")
    external_id = known["external_id"]
    return Given(
        user_id=user_id,
        contact_id=contact_id,
        face_id=whole_number("face_id", known["face_id"]),
        face_url=check_face_url(known["face_url"]),
        external_id=None if external_id is None else whole_number("external_id", external_id),
        score=_score(known["score"]),
    )


def face_named(face: object, user_id: int, contact_id: int) -> tuple[int | None, int | None]:
    """Which face to delete: its ``face_id``, or without one its ``id``. Raises BadParam when neither is there."""
    known = _checked_ids(face, user_id, contact_id)
    if "face_id" in known:
        return whole_number("face_id", known["face_id"]), None
    if "id" in known:
        return None, whole_number("id", known["id"])
    raise BadParam("face_id", "face_id is missing")


def check_face_url(value: object) -> str:
    """Raises BadParam."""
    if not isinstance(value, str):
        raise BadParam("face_url", "face_url must be a text", _shown(value))
    try:
        return check_url(value)
    except BadParam as error:
        reason = f"a face_url has at most {MAX_URL} characters" if len(value) > MAX_URL else error.reason
        raise BadParam("face_url", reason, value[:100]) from error


def _checked_ids(face: object, user_id: int, contact_id: int) -> Mapping[str, Any]:
    if not isinstance(face, Mapping):
        raise BadParam("face", "a face is a structure with names")
    for name, expected in (("user_id", user_id), ("contact_id", contact_id)):
        if name not in face:
            raise BadParam(name, f"{name} is missing")
        if whole_number(name, face[name]) != expected:
            raise BadParam(name, f"{name} of the face is not that of the call", _shown(face[name]))
    return face


def _score(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadParam("score", "score must be a number", _shown(value))
    try:
        score = float(value)
    except OverflowError:
        score = float("inf")
    if not isfinite(score):
        raise BadParam("score", "score must be finite", str(value)[:100])
    return score


def _shown(value: object) -> object:
    return value if isinstance(value, int | float | bool | None) else str(value)[:100]
