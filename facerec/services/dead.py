"""The dead letters of one owner: look at them, send them once more, throw them away."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from facerec.identity import DEFAULT_OWNER
from facerec.jobs import ScanJob
from facerec.ports import Admissions, DeadLetter, DeadLetterBox

MAX_LISTED = 1000


class DeadLetters:
    """Use cases over the box. Every method may raise BrokerUnavailable, and StoreUnavailable when it redrives."""

    def __init__(self, box: DeadLetterBox, admissions: Admissions, clock: Callable[[], float] = time.time) -> None:
        self._box = box
        self._admissions = admissions
        self._clock = clock

    def count(self) -> int:
        """How many there are of all owners."""
        return self._box.count()

    def list(self, owner: str) -> list[DeadLetter]:
        """Those of ``owner`` among the oldest MAX_LISTED."""
        return [letter for letter in self._box.list(MAX_LISTED) if is_of(letter, owner)]

    def redrive(self, owner: str, hashes: Collection[str] | None) -> Sequence[DeadLetter]:
        """Put the jobs of these images, or of all, on the scan queue again, as new ones."""
        tickets: dict[tuple[str, str], int] = {}

        def prepare(letter: DeadLetter) -> Mapping[str, Any]:
            # A job keeps its failure with its ticket, so that a redelivery is not begun again: a new try needs a new one.
            ticket = self._admissions.admit(letter.owner, letter.hash, letter.name).ticket
            tickets[letter.hash, letter.name] = ticket
            return {"ticket": ticket}

        redriven = self._box.redrive(lambda letter: picks(letter, owner, hashes) and self._is_known(letter), prepare)
        for letter in redriven:
            ticket = tickets[letter.hash, letter.name]
            self._admissions.queued(ScanJob(letter.owner, letter.hash, letter.name, ticket, self._clock(), b""))
        return redriven

    def _is_known(self, letter: DeadLetter) -> bool:
        """What is no job cannot become one, and an image that was erased must not come back."""
        return bool(letter.hash) and self._admissions.image(letter.owner, letter.hash) is not None

    def drop(self, owner: str, hashes: Collection[str] | None) -> Sequence[DeadLetter]:
        """Throw away the letters of these images, or all; the images stay failed."""
        return self._box.drop(lambda letter: picks(letter, owner, hashes))


def is_of(letter: DeadLetter, owner: str) -> bool:
    """A message that was no job has no owner; the default owner sees it."""
    return (letter.owner or DEFAULT_OWNER) == owner


def picks(letter: DeadLetter, owner: str, hashes: Collection[str] | None) -> bool:
    """Whether a letter of ``owner`` is meant; ``hashes`` None means all."""
    return is_of(letter, owner) and (hashes is None or letter.hash in hashes)
