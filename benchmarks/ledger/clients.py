"""Clients that post and write down what they were told."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import requests

from facerec.identity import image_hash
from tests.drawings import drawing, showing

PEOPLE = 400
ACCEPTED = 202
ERASURE = "erasure"


@dataclass(frozen=True, slots=True)
class Posted:
    """One POST or, of the kind ``erasure``, DELETE and its answer. ``answer`` is the status, or 0 when none came; ``person`` is who
    is in the picture."""

    hash: str
    name: str
    kind: str
    person: str
    answer: int


@dataclass
class Book:
    """Everything that was posted."""

    entries: list[Posted] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def write(self, entry: Posted) -> None:
        with self._lock:
            self.entries.append(entry)

    def answered(self, *answers: int) -> list[Posted]:
        return [entry for entry in self.entries if entry.answer in answers and entry.kind != ERASURE]

    def accepted(self) -> list[Posted]:
        """What was promised, and not taken back by an erasure, or by one of which nobody knows whether it was done."""
        standing: dict[str, list[Posted]] = {}
        for entry in self.entries:
            if entry.kind == ERASURE:
                standing.pop(entry.hash, None)
            elif entry.answer == ACCEPTED:
                standing.setdefault(entry.hash, []).append(entry)
        return [entry for entries in standing.values() for entry in entries]


class Client(threading.Thread):
    """Posts about ``rate`` pictures a second until told to stop."""

    def __init__(self, url: str, book: Book, number: int, seed: int, rate: float) -> None:
        super().__init__(name=f"client-{number}", daemon=True)
        self._url = url
        self._book = book
        self._number = number
        self._random = random.Random(seed * 1000 + number)
        self._pause = 1.0 / rate
        self._stop_asked = threading.Event()
        self._sent: list[tuple[bytes, str]] = []
        self._session = requests.Session()
        self._session.trust_env = False

    def stop(self) -> None:
        self._stop_asked.set()

    def run(self) -> None:
        count = 0
        while not self._stop_asked.wait(self._pause * self._random.uniform(0.5, 1.5)):
            kind, body, person = self._picture()
            name = f"client {self._number}/{count}.png"
            self._post(kind, body, person, name)
            if kind == "erased":
                self._erase_and_send_again(body, person, name)
            count += 1
        self._session.close()

    def _picture(self) -> tuple[str, bytes, str]:
        kinds: list[tuple[float, Callable[[], tuple[str, bytes, str]]]] = [
            (0.76, self._person),
            (0.04, self._erased),
            (0.06, lambda: ("nobody", drawing(b'FACES:{"faces": []}'), "")),
            (0.06, self._again),
            (0.02, lambda: ("broken", drawing(b"BROKEN"), "")),
            (0.02, lambda: ("killer", drawing(b"CRASH"), "")),
            (0.01, lambda: ("hanging", drawing(b"HANG"), "")),
            (0.01, lambda: ("text", b"no picture " + drawing(), "")),
            (0.02, lambda: ("truncated", drawing()[:20] + bytes([self._random.randrange(256)]), "")),
        ]
        return self._random.choices([make for _, make in kinds], [weight for weight, _ in kinds])[0]()

    def _person(self) -> tuple[str, bytes, str]:
        person = f"person {self._random.randrange(PEOPLE)}"
        body = showing(person)
        self._sent.append((body, person))
        return "person", body, person

    def _erased(self) -> tuple[str, bytes, str]:
        person = f"person {self._random.randrange(PEOPLE)}"
        return "erased", showing(person), person

    def _again(self) -> tuple[str, bytes, str]:
        if not self._sent:
            return self._person()
        body, person = self._random.choice(self._sent)
        return "again", body, person

    def _post(self, kind: str, body: bytes, person: str, name: str) -> None:
        answer = self._ask("POST", f"/scan/image/{name}", body)
        self._book.write(Posted(image_hash(body), name, kind, person, answer))

    def _erase_and_send_again(self, body: bytes, person: str, name: str) -> None:
        """While its first job is under way. Not again when nobody knows whether the erasure is still to be done."""
        key = image_hash(body)
        answer = self._ask("DELETE", f"/images/{key}")
        self._book.write(Posted(key, name, ERASURE, person, answer))
        if answer in {200, 404}:
            self._post("erased", body, person, name)

    def _ask(self, method: str, path: str, body: bytes | None = None) -> int:
        try:
            return self._session.request(method, self._url + path, data=body, timeout=20).status_code
        except requests.RequestException:
            return 0
