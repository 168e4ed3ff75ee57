"""Erasing an image everywhere, with a receipt that says what was removed from where."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from facerec.errors import ServiceUnavailable
from facerec.galleries import FaceBook
from facerec.ports import Admissions, Errands, ImageStore, Overview
from facerec.services.dead import LetterBox


class Erasure:
    """First the dead letters, then the databases, of which one step makes the image unknown, then the pictures.

    In this order nothing is forgotten: before the databases are touched an error says that nothing was done, and of the
    pictures that are still there the store keeps a list, which a worker works off (`worker.keeper`).
    """

    def __init__(
        self,
        *,
        admissions: Admissions,
        overview: Overview,
        errands: Errands,
        images: ImageStore,
        letters: LetterBox,
    ) -> None:
        self._admissions = admissions
        self._overview = overview
        self._errands = errands
        self._images = images
        self._letters = letters

    def erase(self, owner: str, image_hash: str) -> dict[str, Any] | None:
        """The receipt, None when there is no such image. Raises StoreUnavailable, BrokerUnavailable."""
        dropped = self._drop_letters(owner, image_hash)
        receipt = self._admissions.erase(owner, image_hash)
        if receipt is None:
            return None
        return receipt | {"pictures": self._erase_pictures(owner, image_hash), "dead_letters": dropped}

    def _drop_letters(self, owner: str, image_hash: str) -> int:
        """The bytes of jobs that were given up lie in the broker, which is not asked when there are none.

        One that is on its way there is found later (`facerec.services.dead.LetterBox.tidy`).
        """
        failed = any(summary["state"] == "failed" for summary in self._overview.summaries(owner, [image_hash]))
        if not failed and not self._letters.knows(owner, image_hash):
            return 0
        return len(self._letters.drop(owner, [image_hash]))

    def _erase_pictures(self, owner: str, image_hash: str) -> dict[str, Any]:
        try:
            erased = self._errands.erasure(owner, image_hash)
            removed = 0 if erased is None else self._images.erase(owner, image_hash, erased.ticket)
            if erased is not None:
                self._errands.settle(erased)
        except ServiceUnavailable as error:
            return {"store": self._images.kind, "removed": None, "pending": error.reason}
        return {"store": self._images.kind, "removed": removed, "pending": None}


@dataclass(frozen=True)
class FaceRemoval:
    """Removes single faces; ``tolerance`` is that of a match."""

    book: FaceBook
    erasure: Erasure
    tolerance: float

    def remove(self, owner: str, face: int) -> bool:
        """Remove a face; a posted photo goes with its last. False when there is none."""
        dropped = self.book.drop(owner, face, self.tolerance)
        if dropped is None:
            return False
        if dropped.last:
            self.erasure.erase(owner, dropped.image)
        return True
