"""The sets of known faces that a worker follows: the current one, and while a regeneration runs the one aside.

Everybody asks the current set. Uploads go there first; the regeneration brings every image into the set aside. A cut-over
is one entry of the journal, at which every worker exchanges the two, in no time.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol

from facerec.errors import InternalError
from facerec.faces import Model
from facerec.index import FaceIndex
from facerec.parts import WHOLE, Part, Parts
from facerec.ports import Journal, JournalEntry, KnownFaces


@dataclass(frozen=True, slots=True)
class SetsState:
    """What the store says before an index is loaded. ``model`` None: nobody has fixed the model of the current set yet."""

    position: int
    model: Model | None
    aside_open: bool
    aside_model: Model | None


class SetsJournal(Journal, Protocol):
    """The journal with what a worker needs to follow both sets. Every method may raise StoreUnavailable."""

    def state(self) -> SetsState: ...

    def overtake(self, position: int) -> None:
        """Go on behind ``position``, which an index has reached, unless the journal has: no entry may stand where another did."""

    def load_aside(self) -> Iterable[KnownFaces]:
        """As the images of `Journal.load`, of the set aside."""


@dataclass(slots=True)
class Sets:
    """For use by one thread at a time. The current index has the position."""

    current: FaceIndex = field(default_factory=FaceIndex)
    aside: FaceIndex | None = None
    model: Model | None = None
    aside_model: Model | None = None

    @property
    def position(self) -> int:
        return self.current.position

    def takes(self, model: Model) -> bool:
        """Whether faces of this model belong into the current set."""
        return self.model is None or model is self.model

    def index_for(self, model: Model) -> FaceIndex:
        """The index that a probe of this model is searched in: one that was looked at just before a cut-over is compared with
        the old set, never with none."""
        if self.aside is not None and not self.takes(model) and model is self.aside_model:
            return self.aside
        return self.current

    def parts(self, model: Model, position: int) -> Parts:
        """Which parts a search in `index_for` this model covers, asked when the journal stood at ``position``.

        The set aside covers what it was switched away at; while it is being filled it has no position, and never does. A
        model that neither set has finds nobody, which is no answer.
        """
        index = self.index_for(model)
        return (Part(WHOLE, (self.takes(model) or index is self.aside) and index.position >= position),)

    def apply(self, entry: JournalEntry) -> None:
        """Follow the journal by one entry. Raises InternalError when it is not the next one."""
        if entry.position != self.position + 1:
            raise InternalError(f"journal entry {entry.position} after position {self.position}")
        match entry.operation:
            case "add":
                self.current.add(entry.owner, entry.records)
            case "remove":
                self.current.remove(entry.owner, entry.image_ticket)
                if self.aside is not None:
                    self.aside.remove(entry.owner, entry.image_ticket)
            case "aside":
                if self.aside is not None:
                    self.aside.remove(entry.owner, entry.image_ticket)
                    self.aside.add(entry.owner, entry.records)
            case "open":
                self.aside = FaceIndex()
                self.model, self.aside_model = models_of(entry)
            case "switch":
                self.current, self.aside = self.aside or FaceIndex(), self.current
                self.model, self.aside_model = models_of(entry)
            case "close":
                self.aside = self.aside_model = None
        self.current.position = entry.position


def models_of(entry: JournalEntry) -> tuple[Model, Model]:
    """The models of the current set and of the one aside, as open, switch and close tell them in the place of a ticket."""
    return Model(entry.image_ticket // 256), Model(entry.image_ticket % 256)


def is_switch(entries: Iterable[JournalEntry]) -> bool:
    return any(entry.operation == "switch" for entry in entries)
