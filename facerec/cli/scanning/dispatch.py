"""One picture on its way to the service: written down, sent, the answer written down."""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

from facerec.cli.scanning.job_file import JobFile
from facerec.cli.scanning.ledger import REFUSED, SENDING, SENT, Action, Entry, Ledger, decide
from facerec.cli.scanning.sources import Item
from facerec.client.errors import AccessDenied, Missing, Refused, ServerFault
from facerec.client.watch import End
from facerec.identity import image_hash

URL_ENTRIES = 500
"""Images whose names begin with a URL that are looked at to see whether the URL itself is among them."""


class Scanner(Protocol):
    """The part of `facerec.client.Client` that is used here."""

    def scan_file(self, picture: bytes, name: str) -> str: ...

    def scan_url(self, url: str) -> str: ...

    def image(self, image_hash: str) -> dict[str, Any]: ...

    def images(self, state: str | None, name: str | None, page: int) -> Iterator[dict[str, Any]]: ...


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a picture: ``state`` is sent, refused or skipped; ``asked`` when it had arrived before."""

    name: str
    state: str
    hash: str | None = None
    code: str | None = None
    reason: str | None = None
    asked: bool = False


class FileRefused(Exception):
    """The picture cannot even be sent."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class Dispatch:
    """Sends the pictures of one job. Safe for many threads, each with a picture of its own.

    ``largest``: bytes of the largest file that is read at all.
    """

    def __init__(self, client: Scanner, job: JobFile, ledger: Ledger, *, only_failed: bool, largest: int) -> None:
        self._client = client
        self._job = job
        self._ledger = ledger
        self._only_failed = only_failed
        self._largest = largest
        self._lock = threading.Lock()

    def send(self, item: Item) -> Outcome:
        """Bring one picture to the service unless it is there.

        Raises ServiceAway, AccessDenied and BadAnswer, which concern all pictures; this one then counts as under way, or as
        never sent. Raises OSError when the job file cannot be written.
        """
        try:
            size, changed = stat_of(item)
            with self._lock:
                entry = self._ledger.entries.get(item.name)
            action = decide(entry, size, changed, only_failed=self._only_failed)
            if action is Action.SKIP:
                return Outcome(item.name, "skipped")
            known = self._arrived(entry) if action is Action.CHECK and entry is not None else None
            if known is not None:
                return self._note_sent(item.name, known, asked=True)
            return self._send(item, size, changed)
        except FileRefused as error:
            return self._note_refused(item.name, error.code, error.reason)

    def note_end(self, end: End) -> list[str]:
        """Write down how the scan of an image ended; the names for which that is news."""
        with self._lock:
            names = self._ledger.unended(end.hash)
        if names:
            self._note({"event": "end", "hash": end.hash, "state": end.state, "code": end.code, "reason": end.reason})
        return names

    def _arrived(self, entry: Entry) -> str | None:
        """The picture's hash when the service knows it under this name. A URL's hash is unknown until it answers."""
        if entry.hash is None:
            found = islice(self._client.images(None, entry.name, URL_ENTRIES), URL_ENTRIES)
            return next((image["hash"] for image in found if entry.name in image["names"]), None)
        try:
            return entry.hash if entry.name in self._client.image(entry.hash)["names"] else None
        except Missing:
            return None

    def _send(self, item: Item, size: int | None, changed: int | None) -> Outcome:
        try:
            if item.path is None:
                self._note({"event": SENDING, "name": item.name}, durable=True)
                return self._note_sent(item.name, self._client.scan_url(item.name))
            picture = read_picture(item.path, self._largest)
            intent = {"hash": image_hash(picture), "size": size, "changed": changed}
            self._note({"event": SENDING, "name": item.name, **intent}, durable=True)
            return self._note_sent(item.name, self._client.scan_file(picture, item.name))
        except AccessDenied:
            raise
        except (Refused, ServerFault) as error:
            return self._note_refused(item.name, error.code, error.reason)
        except ValueError as error:
            return self._note_refused(item.name, "BAD_PARAM", str(error))

    def _note_sent(self, name: str, hash_: str, *, asked: bool = False) -> Outcome:
        self._note({"event": SENT, "name": name, "hash": hash_})
        return Outcome(name, SENT, hash_, asked=asked)

    def _note_refused(self, name: str, code: str, reason: str) -> Outcome:
        self._note({"event": REFUSED, "name": name, "code": code, "reason": reason})
        return Outcome(name, REFUSED, None, code, reason)

    def _note(self, event: dict[str, Any], *, durable: bool = False) -> None:
        self._job.append(event, durable=durable)
        with self._lock:
            self._ledger.heed(event)


def stat_of(item: Item) -> tuple[int | None, int | None]:
    """Size and time of change of the file, None of a URL. Raises FileRefused, also for what is no file but a pipe or a device: who
    reads it waits for ever."""
    if item.path is None:
        return None, None
    try:
        found = item.path.stat()
    except OSError as error:
        raise FileRefused("UNREADABLE_FILE", f"{error.strerror}") from error
    _check_regular(found.st_mode)
    return found.st_size, found.st_mtime_ns


def read_picture(path: Path, largest: int) -> bytes:
    """The bytes of a file, no more than ``largest``. Raises FileRefused."""
    try:
        # A pipe that came in the place of the file must not hold the reader up either.
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            _check_regular(os.fstat(file.fileno()).st_mode)
            picture = file.read(largest + 1)
    except OSError as error:
        raise FileRefused("UNREADABLE_FILE", f"{error.strerror}") from error
    if len(picture) > largest:
        raise FileRefused("TOO_LARGE", f"more than {largest} bytes; see --max-bytes")
    return picture


def _check_regular(mode: int) -> None:
    if not stat.S_ISREG(mode):
        raise FileRefused("UNREADABLE_FILE", "it is no file but a pipe, a socket or a device")
