"""What is known of each picture of a job: a fold over the lines of its job file.

=========  =========================  ==================================================================================
event      fields                     means
=========  =========================  ==================================================================================
start      version, url, base,        first line: whose job this is
           sources, recursive
sending    name, hash, size, changed  from here on the picture may have reached the service (a URL has no hash yet)
sent       name, hash                 the service has promised to scan it
refused    name, code, reason         the service (or the disk) refused it
end        hash, state, code, reason  how the scan of the image ended: done, failed, erased, unknown
=========  =========================  ==================================================================================

``sending`` is on disk before the first byte leaves, ``sent`` after the answer came. So after a kill a picture is unknown
(never sent), ``sending`` (the few that were under way: the service is asked), or answered.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

SENDING, SENT, REFUSED = "sending", "sent", "refused"
FAILURES = frozenset({REFUSED, "failed", "erased", "unknown"})


@dataclass(slots=True)
class Entry:
    """``state``: sending, sent, refused, done, failed, erased or unknown. ``size`` in bytes, ``changed`` in nanoseconds."""

    name: str
    state: str
    hash: str | None = None
    size: int | None = None
    changed: int | None = None
    code: str | None = None
    reason: str | None = None

    @property
    def failed(self) -> bool:
        return self.state in FAILURES


class Ledger:
    """The entries by name."""

    def __init__(self, events: Iterable[Mapping[str, Any]] = ()) -> None:
        self.entries: dict[str, Entry] = {}
        self._by_hash: dict[str, list[Entry]] = {}
        for event in events:
            self.heed(event)

    def heed(self, event: Mapping[str, Any]) -> None:
        """Take one line into account. Kinds that are not known are passed over: a newer version may have written them."""
        kind = event.get("event")
        if kind == SENDING:
            self._begin(event)
        elif kind in {SENT, REFUSED}:
            self._answer(event)
        elif kind == "end":
            for entry in self._by_hash.get(event["hash"], []):
                # One that is under way under another name is not there yet.
                if entry.state not in {SENDING, REFUSED}:
                    entry.state, entry.code, entry.reason = event["state"], event.get("code"), event.get("reason")

    def unended(self, image_hash: str) -> list[str]:
        """The names under which these bytes are promised and not ended."""
        return [entry.name for entry in self._by_hash.get(image_hash, []) if entry.state == SENT]

    def waiting(self) -> list[str]:
        """The hashes of the images that are promised and not ended."""
        return list({entry.hash: None for entry in self.entries.values() if entry.state == SENT and entry.hash})

    def _begin(self, event: Mapping[str, Any]) -> None:
        self._forget(event["name"])
        entry = Entry(event["name"], SENDING, event.get("hash"), event.get("size"), event.get("changed"))
        self._remember(entry)

    def _answer(self, event: Mapping[str, Any]) -> None:
        entry = self.entries.get(event["name"]) or Entry(event["name"], SENDING)
        self._forget(entry.name)
        entry.state, entry.code, entry.reason = event["event"], event.get("code"), event.get("reason")
        entry.hash = event.get("hash", entry.hash)
        self._remember(entry)

    def _remember(self, entry: Entry) -> None:
        self.entries[entry.name] = entry
        if entry.hash:
            self._by_hash.setdefault(entry.hash, []).append(entry)

    def _forget(self, name: str) -> None:
        entry = self.entries.pop(name, None)
        if entry is not None and entry.hash:
            self._by_hash[entry.hash].remove(entry)


class Action(Enum):
    """What to do with a picture now."""

    SEND = "send"
    CHECK = "check"
    """Ask whether it arrived, and send it when it did not."""
    SKIP = "skip"


def decide(entry: Entry | None, size: int | None, changed: int | None, *, only_failed: bool) -> Action:
    """What to do with a picture of which the ledger says ``entry`` and the disk ``size`` and ``changed`` (None: a URL)."""
    if only_failed:
        if entry is None or not (entry.failed or entry.state == SENDING):
            return Action.SKIP
        return Action.SEND if entry.failed else Action.CHECK
    if entry is None:
        return Action.SEND
    if (entry.size, entry.changed) != (size, changed):
        return Action.SEND  # other bytes under the same name
    return Action.CHECK if entry.state == SENDING else Action.SKIP
