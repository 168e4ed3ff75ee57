"""One of many processes that change the contacts of one user and write down every call and every answer.

``python -m tests.contact_player PORT PASSWORD SEED CALLS LOG``. A line of the log is JSON: ``{"call", "at", "does", ...}`` before a
call, ``{"call", "at", "answer"}`` or ``{"call", "at", "error"}`` after it; times are of the system's monotonic clock.
"""

from __future__ import annotations

import json
import random
import sys
import time
from pathlib import Path
from typing import Any

from facerec.adapters.redis import RedisDatabases
from facerec.config import RedisSettings
from facerec.errors import FacerecError
from facerec.services.contacts import Contacts
from facerec.values import Secret
from tests.contact_worlds import Pages, face, face_url, open_books

USER, CONTACTS, FACES = 1, 3, 6
LEASE = 1.0
Face = dict[str, Any]


def known_face(contact: int, number: int) -> Face:
    """A face of the game: every contact has two looks, and all scores differ."""
    url = face_url(f"contact {contact} {number % 2}", each={"distance": number / 20}, tag=number)
    return face(USER, contact, number, url, score=(number * 7 % FACES) / FACES)


def probe_url(contact: int, look: int) -> str:
    return face_url(f"contact {contact} {look}", tag="probe")


def a_call(dice: random.Random) -> dict[str, Any]:
    does = dice.choices(
        ["add_faces", "delete_faces", "delete_contact", "recognize_face", "get_faces"], [40, 25, 4, 20, 11]
    )[0]
    contact = dice.randrange(CONTACTS)
    if does == "recognize_face":
        return {"does": does, "contact": contact, "look": dice.randrange(2)}
    if does in {"add_faces", "delete_faces"}:
        return {"does": does, "contact": contact, "numbers": dice.sample(range(FACES), dice.randrange(1, 4))}
    return {"does": does, "contact": contact}


def make(book: Contacts, call: dict[str, Any]) -> Any:
    contact = call["contact"]
    match call["does"]:
        case "recognize_face":
            return book.recognize_face(USER, probe_url(contact, call["look"]), 60)
        case "add_faces" | "delete_faces" as does:
            return getattr(book, does)(USER, contact, [known_face(contact, n) for n in call["numbers"]], 60)
        case "delete_contact":
            return book.delete_contact(USER, contact, 60)
    return book.get_faces(USER)


def play(book: Contacts, dice: random.Random, calls: int, log: Path) -> None:
    with log.open("a", encoding="utf-8") as file:

        def note(**line: Any) -> None:
            file.write(json.dumps({"at": time.monotonic(), **line}) + "\n")
            file.flush()

        for number in range(calls):
            call = a_call(dice)
            name = f"{log.stem} {number}"
            note(call=name, **call)
            try:
                note(call=name, answer=make(book, call))
            except FacerecError as error:
                note(call=name, error=f"{error.code}: {error.reason}")


def main() -> None:
    port, password, seed, calls, log = sys.argv[1:]
    databases = RedisDatabases(RedisSettings(port=int(port), password=Secret(password)))
    books = open_books(databases, Pages(), lease=LEASE, parallel=2)
    play(books.of("default"), random.Random(int(seed)), int(calls), Path(log))
    books.close()


if __name__ == "__main__":
    main()
