"""What the front end stands on: ports only; `rest.wsgi` chooses the adapters, tests choose fakes."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from facerec.config import Settings
from facerec.galleries import FaceBook
from facerec.plugins.hooks import Hooks
from facerec.ports import (
    Admissions,
    JobPublisher,
    Overview,
    Rates,
    Requester,
    Sessions,
    Tokens,
    Webhooks,
    Whereabouts,
    Workers,
)
from facerec.services.analyser import Attributing
from facerec.services.contacts import ContactBooks
from facerec.services.dead import DeadLetters
from facerec.services.enrolment import Enrolments
from facerec.services.erasure import Erasure, FaceRemoval
from facerec.services.identify import Identification
from facerec.services.lookup import Lookup
from facerec.services.people import People
from facerec.services.persons import Persons
from facerec.services.pictures import Pictures
from facerec.services.regeneration import Regeneration
from facerec.services.uploads import Uploads
from facerec.services.webhooks import Poster
from facerec.services.write_check import WriteChecks
from rest.hub import EventHub


class PictureHeader(Protocol):
    """What the header of a picture tells without decoding it; sizes in pixels."""

    @property
    def width(self) -> int: ...

    @property
    def height(self) -> int: ...

    @property
    def format(self) -> str:
        """``JPEG``, ``PNG`` and so on."""


class Probe(Protocol):
    def __call__(self, image: bytes, max_pixels: int) -> PictureHeader:
        """The header of a picture. Raises UnsupportedImage, UnreadableImage, TooLarge."""


class Fetcher(Poster, Protocol):
    def fetch(self, url: str) -> bytes:
        """What a GET of ``url`` gives. Raises BadParam, ForbiddenUrl, TooLarge, FetchFailed, FetchTimeout."""


@dataclass(frozen=True)
class Services:
    """The ports of one front end process. ``rates`` counts requests, ``guesses`` wrong keys by address; ``clock`` gives seconds
    since the epoch."""

    settings: Settings
    admissions: Admissions
    publisher: JobPublisher
    requester: Requester
    tokens: Tokens
    workers: Workers
    fetcher: Fetcher
    probe: Probe
    overview: Overview
    whereabouts: Whereabouts
    sessions: Sessions
    rates: Rates
    guesses: Rates
    pictures: Pictures
    writes: WriteChecks
    people: People
    erasure: Erasure
    dead: DeadLetters
    hub: EventHub
    webhooks: Webhooks
    findface: FaceBook
    lookup: Lookup
    enrolments: Enrolments
    identification: Identification
    attributing: Attributing
    persons: Persons
    removal: FaceRemoval
    uploads: Uploads
    contacts: ContactBooks
    regeneration: Regeneration
    hooks: Hooks = field(default_factory=Hooks)
    clock: Callable[[], float] = time.time

    def close(self) -> None:
        """Give the connections back."""
        self.hub.close()
        self.contacts.close()
        self.publisher.close()
        self.requester.close()
