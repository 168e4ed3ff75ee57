"""Contacts as a Python module: which contact of a user does a face belong to?

The functions of the contacts contract, for the default owner and with the settings of the environment (README, "Settings")::

    from facerec import contacts

    contacts.add_faces(7, 42, [{"user_id": 7, "contact_id": 42, "face_id": 1, "face_url": "http://...", "external_id": None,
                                "score": 0.9}])
    for candidate in contacts.recognize_face(7, "http://...") or []:
        ...

Another owner or other settings: ``book = connect(owner, settings)``, which has the same functions; ``use(book)`` makes it the one
that the functions of this module use. Nothing connects before the first call. docs/contacts.md tells the whole story.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any

from facerec.config import Settings
from facerec.identity import DEFAULT_OWNER, check_owner
from facerec.services.contacts import Contacts, Recognition, ResultDocument
from facerec.services.contacts_faces import Document

__all__ = [
    "Contacts",
    "Recognition",
    "add_faces",
    "connect",
    "delete_contact",
    "delete_faces",
    "delete_user",
    "get_faces",
    "recognition_feedback",
    "recognition_stat_details",
    "recognition_stats",
    "recognize_face",
    "use",
]

_lock = threading.Lock()
_used: list[Contacts] = []


def connect(owner: str = DEFAULT_OWNER, settings: Settings | None = None) -> Contacts:
    """The contacts of ``owner``; ``settings`` default to those of the environment. Raises ConfigError, BadParam."""
    from facerec.contacts.wiring import build  # noqa: PLC0415 - loads the client libraries

    return build(settings).of(check_owner(owner))


def use(book: Contacts | None) -> None:
    """Have the functions of this module work on ``book``; None: on a new connection at the next call."""
    with _lock:
        _used[:] = [] if book is None else [book]


def _book() -> Contacts:
    with _lock:
        if not _used:
            _used.append(connect())
        return _used[0]


def add_faces(
    user_id: int, contact_id: int, faces: Sequence[Mapping[str, Any]], timeout: float | None = None
) -> ResultDocument:
    """`Contacts.add_faces`."""
    return _book().add_faces(user_id, contact_id, faces, timeout)


def delete_faces(
    user_id: int, contact_id: int, faces: Sequence[Mapping[str, Any]], timeout: float | None = None
) -> ResultDocument:
    """`Contacts.delete_faces`."""
    return _book().delete_faces(user_id, contact_id, faces, timeout)


def delete_contact(user_id: int, contact_id: int, timeout: float | None = None) -> ResultDocument:
    """`Contacts.delete_contact`."""
    return _book().delete_contact(user_id, contact_id, timeout)


def delete_user(user_id: int, timeout: float | None = None) -> ResultDocument:
    """`Contacts.delete_user`."""
    return _book().delete_user(user_id, timeout)


def get_faces(user_id: int, contact_id: int | None = None) -> list[Document]:
    """`Contacts.get_faces`."""
    return _book().get_faces(user_id, contact_id)


def recognize_face(user_id: int, face_url: str, timeout: float | None = None) -> Recognition | None:
    """`Contacts.recognize_face`."""
    return _book().recognize_face(user_id, face_url, timeout)


def recognition_feedback(recognize_id: int, result: int | None) -> None:
    """`Contacts.recognition_feedback`."""
    _book().recognition_feedback(recognize_id, result)


def recognition_stats(user_id: int | None = None) -> dict[str, int]:
    """`Contacts.recognition_stats`."""
    return _book().recognition_stats(user_id)


def recognition_stat_details(user_id: int | None = None, limit: int = 1000) -> list[dict[str, Any]]:
    """`Contacts.recognition_stat_details`."""
    return _book().recognition_stat_details(user_id, limit)
