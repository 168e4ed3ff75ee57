"""The job file: JSON lines that are only ever appended, so that a kill at any moment leaves a true story."""

from __future__ import annotations

import fcntl
import json
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self

from facerec.cli.errors import UsageError

VERSION = 1
_NEEDED: dict[str, dict[str, type]] = {
    "start": {"base": str, "sources": list, "recursive": bool},
    "sending": {"name": str},
    "sent": {"name": str, "hash": str},
    "refused": {"name": str},
    "end": {"hash": str, "state": str},
}
"""What nobody can do without in a line of each kind; `facerec.cli.scanning.ledger` tells all that is in them."""
_SAID = {str: "a text", list: "a list of texts", bool: "true or false"}


class JobFile:
    """An open job file, held by one process and written by many threads.

    `append` hands the line to the system before it returns: from then on it survives a kill of this process. With ``durable``
    it is on the disk, too, and survives a power cut; threads that wait for that at the same time share one flush.
    """

    def __init__(self, path: Path, descriptor: int, sync: Callable[[int], None]) -> None:
        self.path = path
        self._descriptor = descriptor
        self._sync = sync
        self._writing = threading.Lock()
        self._syncing = threading.Lock()
        self._written = 0
        self._synced = 0

    @classmethod
    def create(cls, path: Path, start: dict[str, Any], sync: Callable[[int], None] = os.fsync) -> Self:
        """A new file in the place of any old one. Raises UsageError when it cannot be written or another run holds it."""
        path.parent.mkdir(parents=True, exist_ok=True)
        file = cls(path, _open(path), sync)
        os.ftruncate(file._descriptor, 0)
        file.append({"event": "start", "version": VERSION, **start}, durable=True)
        return file

    @classmethod
    def resume(cls, path: Path, sync: Callable[[int], None] = os.fsync) -> tuple[Self, list[dict[str, Any]]]:
        """The file of an earlier run, and its lines; what a kill left of a last line is cut off.

        Raises UsageError when it is not there, is no job file, or another run holds it.
        """
        _check_there(path)
        descriptor = _open(path)
        try:
            whole, events = read_events(path)
        except BaseException:
            os.close(descriptor)
            raise
        os.ftruncate(descriptor, whole)
        return cls(path, descriptor, sync), events

    def append(self, event: dict[str, Any], *, durable: bool = False) -> None:
        """Write one line. Raises OSError."""
        line = memoryview(json.dumps(event, separators=(",", ":")).encode("ascii") + b"\n")
        with self._writing:
            while line:
                line = line[os.write(self._descriptor, line) :]
            self._written += 1
            number = self._written
        if durable:
            self._flush(number)

    def _flush(self, number: int) -> None:
        """Bring the first ``number`` lines to the disk."""
        with self._syncing:
            if self._synced >= number:
                return
            with self._writing:
                written = self._written
            self._sync(self._descriptor)
            self._synced = written

    def close(self) -> None:
        os.close(self._descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def read_events(path: Path) -> tuple[int, list[dict[str, Any]]]:
    """The length of the whole lines in bytes, and the lines. Raises UsageError when this is no job file."""
    _check_there(path)
    content = path.read_bytes()
    whole = content.rfind(b"\n") + 1
    events = list(_parsed(path, content[:whole].splitlines()))
    if not events or (events[0].get("event"), events[0].get("version")) != ("start", VERSION):
        raise UsageError(f"{path} is no job file of this version of facerec scan")
    return whole, events


def _parsed(path: Path, lines: list[bytes]) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(lines, 1):
        try:
            event = _checked(json.loads(line))
        except (ValueError, RecursionError) as error:
            raise UsageError(f"{path}: line {number} is damaged: {error}") from error
        yield event


def _checked(event: Any) -> dict[str, Any]:
    """Whoever changes the file by hand is told what is wrong. Raises ValueError."""
    if not isinstance(event, dict):
        raise ValueError("no object")
    kind = event.get("event")
    if not isinstance(kind, str) or event.get("version", VERSION) != VERSION:
        return event
    for name, type_ in _NEEDED.get(kind, {}).items():
        if not isinstance(event.get(name), type_):
            raise ValueError(f"{name} must be {_SAID[type_]}")
    if kind == "start":
        for name in ("sources", "exclude"):
            texts = event.get(name, [])
            if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
                raise ValueError(f"{name} must be {_SAID[list]}")
    if not isinstance(event.get("hash", ""), str | None):
        raise ValueError("hash must be a text")
    return event


def _check_there(path: Path) -> None:
    if not path.is_file():
        raise UsageError(f"there is no job file {path}: nothing to resume")


def _open(path: Path) -> int:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(descriptor)
        raise UsageError(f"{path}: another facerec scan works on this job") from error
    return descriptor
