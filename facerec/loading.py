"""Reading every known face into a new index, as a worker does when it starts."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facerec.identity import FACES_PER_IMAGE
from facerec.index import FaceIndex
from facerec.ports import Journal, JournalGap, KnownFaces
from facerec.records import are_whole
from facerec.sets import Sets, SetsJournal, is_switch

log = logging.getLogger(__name__)
EVERY = 1.0
"""Seconds between two lines in the log."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How many images are read, of about how many with faces."""

    images: int
    total: int

    def __str__(self) -> str:
        return f"{self.images} of {self.total} images"

    @property
    def percent(self) -> int:
        return min(100, 100 * self.images // max(1, self.total))


Note = Callable[[Progress], None]


def load_index(journal: Journal, note: Note = lambda _: None) -> FaceIndex:
    """An index of everything known; ``note`` hears how far it is. Raises StoreUnavailable."""
    while True:
        total = journal.count()
        position, pages = journal.load()
        sets = Sets(FaceIndex(position))
        seen = _fill(sets.current, pages, total, note)
        if _replay(sets, seen, journal):
            return sets.current


def load_sets(journal: SetsJournal, note: Note = lambda _: None) -> Sets:
    """The current set and the one aside; ``note`` hears how far the current one is. Raises StoreUnavailable."""
    while True:
        total = journal.count()
        state = journal.state()
        sets = Sets(FaceIndex(state.position), model=state.model, aside_model=state.aside_model)
        seen = _fill(sets.current, journal.load()[1], total, note)
        if state.aside_open:
            sets.aside = FaceIndex()
            _fill(sets.aside, journal.load_aside(), total, lambda _: None)
        if _replay(sets, seen, journal):
            return sets


def _fill(index: FaceIndex, pages: Iterable[KnownFaces], total: int, note: Note) -> set[int]:
    """Put all faces into an empty index; the tickets of their images."""
    seen: set[int] = set()
    images, logged = 0, time.monotonic()
    note(Progress(images, total))
    for page in pages:
        _add(index, seen, page)
        images += len(page.counts)
        progress = Progress(images, max(images, total))
        note(progress)
        if time.monotonic() - logged >= EVERY:
            logged = time.monotonic()
            _log_progress(progress)
    return seen


def _log_progress(progress: Progress) -> None:
    log.info(
        "loading %s (%d %%)",
        progress,
        progress.percent,
        extra={
            "action": "loading",
            "images": progress.images,
            "total": progress.total,
            "percent": progress.percent,
        },
    )


def _add(index: FaceIndex, seen: set[int], page: KnownFaces) -> None:
    """Put the images of ``page`` into ``index`` whose tickets were not seen yet."""
    whole = are_whole(page.heads)
    if not whole.all():
        log.error("damaged face records are left out: run facerec fsck --fix", extra={"action": "damaged_records"})
    image = np.repeat(np.arange(len(page.counts)), page.counts)[whole]
    heads = page.heads[whole]
    places, first = np.unique(image, return_index=True)
    is_new = np.zeros(len(page.counts), np.bool_)
    is_new[places] = _unseen((heads["id"][first] // FACES_PER_IMAGE).astype(np.int64), seen)
    index.add_heads(page.owner, heads[is_new[image]])


def _unseen(tickets: NDArray[np.int64], seen: set[int]) -> list[bool]:
    """For each ticket whether it comes for the first time; all are seen from now on."""
    found = []
    for ticket in tickets.tolist():
        found.append(ticket not in seen)
        seen.add(ticket)
    return found


def _replay(sets: Sets, seen: set[int], journal: Journal) -> bool:
    """Follow what happened while the sets were read: an image that came meanwhile may be in them already.

    False when they were switched meanwhile, so that they must be read again. A gap ends it: whoever catches up finds it, too.
    """
    entries = journal.since(sets.position)
    while entries and not isinstance(entries, JournalGap):
        if is_switch(entries):
            return False
        for entry in entries:
            if entry.operation == "add" and entry.image_ticket in seen:
                sets.current.position = entry.position
                continue
            if entry.operation == "remove":
                seen.discard(entry.image_ticket)
            sets.apply(entry)
        entries = journal.since(sets.position)
    return True
