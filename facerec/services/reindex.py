"""Having every worker make its index anew from the store, and holding each against the store."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Protocol

from facerec.errors import Conflict
from facerec.index import FaceIndex
from facerec.loading import load_index
from facerec.ports import Journal, JournalGap, Workers
from facerec.sets import is_switch

EVERY = 0.5
OK, DIFFERENT, SILENT = "ok", "its index is not what the store holds", "did not answer in time"


class Reloading(Journal, Protocol):
    def reload(self, position: int) -> int | None:
        """Have every worker load its index anew, if the journal still ends at ``position``: where they do, else None."""


class Reindex:
    """``patience``: seconds that a worker has. ``clock`` and ``sleep`` count seconds."""

    def __init__(
        self,
        journal: Reloading,
        workers: Workers,
        patience: float = 600.0,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._journal = journal
        self._workers = workers
        self._patience = patience
        self._clock = clock
        self._sleep = sleep

    def run(self) -> dict[str, Any]:
        """``{"ok", "position", "faces", "workers": {name: verdict}}``. Raises StoreUnavailable, Conflict."""
        index = self._begin()
        told, silent = self._listen(index.position)
        verdicts = dict.fromkeys(sorted(silent), SILENT)
        # Each worker tells where the journal ended when it had loaded; our own index follows to each of those positions.
        for worker, (position, digest) in sorted(told.items(), key=lambda item: item[1]):
            self._follow(index, position)
            verdicts[worker] = OK if index.digest() == digest else DIFFERENT
        return {
            "ok": bool(verdicts) and set(verdicts.values()) == {OK},
            "position": index.position,
            "faces": len(index),
            "workers": verdicts,
        }

    def _begin(self) -> FaceIndex:
        """All faces as they are where the workers begin to load."""
        index = load_index(self._journal)
        while (position := self._journal.reload(index.position)) is None:
            entries = self._journal.since(index.position)
            if isinstance(entries, JournalGap) or is_switch(entries):
                index = load_index(self._journal)
                continue
            for entry in entries:
                index.apply(entry)
        index.position = position
        return index

    def _listen(self, position: int) -> tuple[dict[str, tuple[int, int]], set[str]]:
        """Position and digest of each worker that has loaded since, and those that have not."""
        until = self._clock() + self._patience
        told: dict[str, tuple[int, int]] = {}
        silent = set(self._workers.workers())
        while silent and self._clock() < until:
            living = self._workers.workers()
            silent &= set(living)
            for worker in list(silent):
                loaded = living[worker].get("loaded")
                if loaded and loaded["position"] >= position:
                    told[worker] = (int(loaded["position"]), int(loaded["digest"]))
                    silent.discard(worker)
            if silent:
                self._sleep(EVERY)
        return told, silent

    def _follow(self, index: FaceIndex, position: int) -> None:
        while index.position < position:
            entries = self._journal.since(index.position)
            if isinstance(entries, JournalGap) or is_switch(entries):
                raise Conflict("the faces were switched or repaired meanwhile: try again")
            for entry in entries:
                if entry.position <= position:
                    index.apply(entry)
