"""The dead letters of one owner: look at them, send them once more, throw them away."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from facerec.jobs import ScanJob
from facerec.ports import Admissions, DeadLetter, DeadLetterBox, LetterIndex

ON_ITS_WAY = 60.0
"""Seconds that a letter may be noted and not yet be in the box."""


class LetterBox:
    """The box and its index: the index says which letters there are, the box has their jobs.

    Every method may raise BrokerUnavailable, StoreUnavailable.
    """

    def __init__(self, box: DeadLetterBox, index: LetterIndex, clock: Callable[[], float] = time.time) -> None:
        self._box = box
        self._index = index
        self._clock = clock
        self._missed: set[tuple[str, str]] = set()

    def count(self) -> int:
        """How many there are of all owners. While somebody looks through the box it seems to hold fewer."""
        return max(self._box.count(), self._index.count())

    def page(self, owner: str, limit: int, cursor: str) -> tuple[list[DeadLetter], str]:
        """The oldest letters of ``owner`` after ``cursor``, and the next cursor, empty at the end. Raises BadParam."""
        self._look_for_new()
        return self._index.page(owner, limit, cursor)

    def knows(self, owner: str, image_hash: str) -> bool:
        """Whether a letter of this image is noted."""
        return bool(self._index.of(owner, [image_hash]))

    def drop(self, owner: str, hashes: Collection[str] | None) -> Sequence[DeadLetter]:
        """Throw away the letters of these images, or all of ``owner``."""
        wanted = set(map(key_of, self._noted(owner, hashes)))
        dropped = self._box.drop(lambda letter: key_of(letter) in wanted, len(wanted)) if wanted else []
        self._index.forget(dropped)
        return dropped

    def redrive(
        self,
        owner: str,
        hashes: Collection[str] | None,
        predicate: Callable[[DeadLetter], bool],
        prepare: Callable[[DeadLetter], Mapping[str, Any]],
    ) -> Sequence[DeadLetter]:
        """Queue again the jobs of those of these letters that ``predicate`` picks; see `DeadLetterBox.redrive`."""
        wanted = {key_of(letter) for letter in self._noted(owner, hashes) if predicate(letter)}
        if not wanted:
            return []
        redriven = self._box.redrive(lambda letter: key_of(letter) in wanted, prepare, len(wanted))
        self._index.forget(redriven)
        return redriven

    def tidy(self) -> None:
        """Look through the box when the index does not say what is there, or a letter is there whose image was erased."""
        if self._index.count() != self._box.count() or self._index.has_erased():
            self.catch_up()

    def catch_up(self) -> None:
        """Look through the box: note what an earlier release laid there, forget what it took, throw away what is there twice (its
        worker died before it acknowledged the job) or whose image was erased."""
        seen: set[tuple[str, str]] = set()
        began = self._clock()

        def is_to_go(letter: DeadLetter) -> bool:
            is_twice = key_of(letter) in seen
            if is_twice or not self._index.add(letter):
                return True
            seen.add(key_of(letter))
            return False

        dropped = self._box.drop(is_to_go)
        self._index.forget(letter for letter in dropped if key_of(letter) not in seen)
        self._forget_missing({key_of(letter): letter for letter in self._index.besides(seen)}, began)

    def _forget_missing(self, missing: Mapping[tuple[str, str], DeadLetter], began: float) -> None:
        """What was missing twice is gone; once may be because an earlier release looked at it, or it was on its way there."""
        gone = {key for key, letter in missing.items() if key in self._missed and letter.buried_at < began - ON_ITS_WAY}
        self._index.forget(missing[key] for key in gone)
        self._missed = set(missing) - gone

    def _look_for_new(self) -> None:
        if self._box.count() > self._index.count():
            self.catch_up()

    def _noted(self, owner: str, hashes: Collection[str] | None) -> list[DeadLetter]:
        self._look_for_new()
        return self._index.of(owner, hashes)


class DeadLetters:
    """Use cases over the letter box. Every method may raise BrokerUnavailable, StoreUnavailable."""

    def __init__(self, letters: LetterBox, admissions: Admissions, clock: Callable[[], float] = time.time) -> None:
        self._letters = letters
        self._admissions = admissions
        self._clock = clock

    def count(self) -> int:
        """How many there are of all owners."""
        return self._letters.count()

    def page(self, owner: str, limit: int, cursor: str) -> tuple[list[DeadLetter], str]:
        """The oldest letters of ``owner`` after ``cursor``, and the next cursor, empty at the end. Raises BadParam."""
        return self._letters.page(owner, limit, cursor)

    def redrive(self, owner: str, hashes: Collection[str] | None) -> Sequence[DeadLetter]:
        """Put the jobs of these images, or of all, on the scan queue again, as new ones."""
        tickets: dict[tuple[str, str], int] = {}

        def prepare(letter: DeadLetter) -> Mapping[str, Any]:
            # A job keeps its failure with its ticket, so that a redelivery is not begun again: a new try needs a new one.
            ticket = self._admissions.admit(letter.owner, letter.hash, letter.name).ticket
            tickets[key_of(letter)] = ticket
            return {"ticket": ticket}

        redriven = self._letters.redrive(owner, hashes, self._is_known, prepare)
        for letter in redriven:
            ticket = tickets[key_of(letter)]
            self._admissions.queued(ScanJob(letter.owner, letter.hash, letter.name, ticket, self._clock(), b""))
        return redriven

    def _is_known(self, letter: DeadLetter) -> bool:
        """What is no job cannot become one, and an image that was erased must not come back."""
        return bool(letter.hash) and self._admissions.image(letter.owner, letter.hash) is not None

    def drop(self, owner: str, hashes: Collection[str] | None) -> Sequence[DeadLetter]:
        """Throw away the letters of these images, or all; the images stay failed."""
        return self._letters.drop(owner, hashes)


def key_of(letter: DeadLetter) -> tuple[str, str]:
    """What tells a letter from all others."""
    return letter.seen_by, letter.id
