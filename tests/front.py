"""Fakes of the front end's ports: small, in memory, and told by a test what goes wrong."""

from __future__ import annotations

import hashlib
import io
import queue
import struct
import threading
import zlib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

import numpy as np
from PIL import Image

from facerec.adapters.imagestore import open_image_store
from facerec.adapters.memory.rates import MemoryRates
from facerec.config import RestSettings, Settings
from facerec.engine.headers import probe
from facerec.errors import BadParam, FacerecError
from facerec.faces import Box, Face, Model
from facerec.galleries import FaceBook
from facerec.jobs import Reply, Request, ScanJob
from facerec.ports import MATCHES_SHOWN, Admission, Change, DeadLetter, ImageStore, Notice, Place
from facerec.records import pack_face
from facerec.services.analyser import Attributing
from facerec.services.contacts import ContactBooks
from facerec.services.dead import DeadLetters, LetterBox, key_of
from facerec.services.enrolment import Enrolments
from facerec.services.erasure import Erasure, FaceRemoval
from facerec.services.identify import Identification
from facerec.services.lookup import Lookup
from facerec.services.persons import Persons
from facerec.services.pictures import Pictures
from facerec.services.regeneration import Regeneration
from facerec.services.uploads import Uploads
from facerec.services.write_check import write_checks
from facerec.values import Secret
from rest.hub import EventHub
from rest.services import Services

TOKEN = "t" * 43
OTHER_TOKEN = "o" * 43
API_KEY = "k" * 43
HASH = "ab" * 32
MATCHING = {"hash": "cd" * 32, "names": ["b.jpg"], "distance": 0.3, "face": 4096, "matched_face": 8192}
FACE = {
    "id": 4096,
    "box": {"top": 1, "right": 2, "bottom": 3, "left": 0},
    "landmarks": [{"x": 1, "y": 2}],
    "confidence": 1.0,
    "marks": [],
}
SUMMARY = {
    "hash": HASH,
    "state": "done",
    "reason": None,
    "detail": None,
    "names": ["a.jpg"],
    "width": 10,
    "height": 20,
    "model": "hog",
    "queued_at": "2024-01-01T00:00:00+00:00",
    "done_at": "2024-01-01T00:00:01+00:00",
    "attempts": 1,
}
DOCUMENT = SUMMARY | {"faces": [FACE], "matches": [MATCHING], "matches_total": 1, "matches_cursor": ""}


def picture(width: int = 16, height: int = 12, kind: str = "JPEG") -> bytes:
    """The bytes of a plain picture."""
    file = io.BytesIO()
    Image.new("RGB", (width, height), (90, 120, 150)).save(file, kind)
    return file.getvalue()


def claiming_png(width: int, height: int) -> bytes:
    """A PNG of a few bytes whose header claims a size."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")


class Failing:
    """Raises ``failures[method]`` when that method is called."""

    failures: dict[str, FacerecError]

    def __init__(self) -> None:
        self.failures = {}

    def _maybe_fail(self, method: str) -> None:
        if method in self.failures:
            raise self.failures[method]


class FakeAdmissions(Failing):
    def __init__(self) -> None:
        super().__init__()
        self.states: dict[tuple[str, str], str] = {}
        self.names: list[tuple[str, str, str]] = []
        self.told: list[ScanJob] = []
        self.urls: dict[tuple[str, str], str] = {}
        self.documents: dict[tuple[str, str], dict[str, Any]] = {("default", HASH): DOCUMENT}
        self.asked: list[tuple[Any, ...]] = []
        self.pages: list[tuple[int, str]] = []
        self.next_cursor = ""

    def admit(self, owner: str, image_hash: str, name: str) -> Admission:
        self._maybe_fail("admit")
        self.names.append((owner, image_hash, name))
        return Admission(self.states.get((owner, image_hash), "new"), len(self.names))

    def announce(self, owner: str, image_hash: str, name: str, queued_at: float) -> Admission:
        self._maybe_fail("announce")
        admission = self.admit(owner, image_hash, name)
        if admission.state != "done":
            self.queued(ScanJob(owner, image_hash, name, admission.ticket, queued_at, b""))
        return admission

    def queued(self, job: ScanJob) -> None:
        self._maybe_fail("queued")
        self.told.append(replace(job, body=b""))

    def withdraw(self, job: ScanJob) -> None:
        self._maybe_fail("withdraw")
        self.told.remove(replace(job, body=b""))

    def known_url(self, owner: str, url: str) -> str | None:
        self._maybe_fail("known_url")
        return self.urls.get((owner, url))

    def matching_names(self, owner: str, image_hash: str) -> list[str]:
        self._maybe_fail("matching_names")
        known = self.documents.get((owner, image_hash))
        return sorted(name for match in known["matches"] for name in match["names"]) if known else []

    def matching_page(self, owner: str, image_hash: str, limit: int, cursor: str) -> tuple[list[str], str]:
        names = [name for name in self.matching_names(owner, image_hash) if name > cursor]
        return names[:limit], names[limit - 1] if len(names) > limit else ""

    def image(self, owner: str, image_hash: str, limit: int = MATCHES_SHOWN, cursor: str = "") -> dict[str, Any] | None:
        self._maybe_fail("image")
        self.pages.append((limit, cursor))
        return self.documents.get((owner, image_hash))

    def images(
        self, owner: str, state: str | None, name: str | None, limit: int, cursor: str
    ) -> tuple[list[dict[str, Any]], str]:
        self._maybe_fail("images")
        if cursor == "broken":
            raise BadParam("cursor", "no cursor of ours", cursor)
        self.asked.append((owner, state, name, limit, cursor))
        return [SUMMARY], self.next_cursor

    def erase(self, owner: str, image_hash: str) -> dict[str, Any] | None:
        self._maybe_fail("erase")
        return {"hash": image_hash} if self.documents.pop((owner, image_hash), None) else None

    def ping(self) -> None:
        self._maybe_fail("ping")

    def check_writes(self) -> None:
        self._maybe_fail("check_writes")


class FakePublisher(Failing):
    def __init__(self) -> None:
        super().__init__()
        self.jobs: list[ScanJob] = []
        self.waiting = 0

    def publish(self, job: ScanJob) -> None:
        self._maybe_fail("publish")
        ScanJob.from_message(job.headers, job.body)
        self.jobs.append(job)

    def retry(self, job: ScanJob, delay: float) -> None:
        raise AssertionError("the front end retries nothing")

    def delay(self, headers: Any, body: bytes, delay: float) -> None:
        raise AssertionError("the front end delays nothing")

    def bury(self, headers: Any, body: bytes, code: str, reason: str) -> None:
        raise AssertionError("the front end buries nothing")

    def depth(self) -> int:
        self._maybe_fail("depth")
        return self.waiting

    def ping(self) -> None:
        self._maybe_fail("ping")

    def close(self) -> None:
        pass


class FakeRequester(Failing):
    def __init__(self) -> None:
        super().__init__()
        self.requests: list[Request] = []
        self.answer: Callable[[Request], Reply] = analysis_of_request

    def call(self, request: Request, is_gone: Callable[[], bool] = lambda: False) -> Reply:
        self._maybe_fail("call")
        self.requests.append(Request.from_message(request.headers, request.body, 0.0))
        return self.answer(request)

    def close(self) -> None:
        pass


def analysis_of_request(request: Request) -> Reply:
    """One face where asked for, or two; the encoding is made from image and box, so equal questions get equal answers."""
    boxes = request.parameters["boxes"] or [[10, 60, 55, 12], [5, 95, 40, 66]]
    faces = [
        {
            "box": {"top": top, "right": right, "bottom": bottom, "left": left},
            "landmarks": [{"x": left + n, "y": top + n} for n in range(5)],
            "confidence": 0.75,
            "marks": [],
            "encoding": made_up_encoding(request.body, (top, right, bottom, left)),
        }
        for top, right, bottom, left in boxes
    ]
    return Reply(True, {"width": 100, "height": 100, "model": 3, "faces": faces})


def made_up_encoding(image: bytes, box: tuple[int, int, int, int]) -> list[float]:
    seed = hashlib.sha512(image + repr(box).encode()).digest()
    return [byte / 512 for byte in seed + seed]


class FakeTokens(Failing):
    def __init__(self, tokens: dict[str, str]) -> None:
        super().__init__()
        self.tokens = tokens

    def owner_of(self, token: str) -> str | None:
        self._maybe_fail("owner_of")
        return self.tokens.get(token)

    def any(self) -> bool:
        self._maybe_fail("any")
        return bool(self.tokens)


class FakeWorkers(Failing):
    def __init__(self) -> None:
        super().__init__()
        self.states: dict[str, dict[str, Any]] = {"w-1": {"device": "cpu", "model": "hog"}}

    def alive(self, worker: str, state: Any, seconds: float) -> None:
        self.states[worker] = dict(state)

    def gone(self, worker: str) -> None:
        self.states.pop(worker, None)

    def workers(self) -> dict[str, dict[str, Any]]:
        self._maybe_fail("workers")
        return self.states


class FakeJournal:
    def position(self) -> int:
        return 7


class FakeFetcher(Failing):
    def __init__(self) -> None:
        super().__init__()
        self.pages: dict[str, bytes] = {}
        self.fetched: list[str] = []
        self.posted: list[tuple[str, bytes, dict[str, str]]] = []
        self.status = 204

    def fetch(self, url: str) -> bytes:
        self._maybe_fail("fetch")
        self.fetched.append(url)
        return self.pages[url]

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> int:
        self._maybe_fail("post")
        self.posted.append((url, body, dict(headers)))
        return self.status


class FakeOverview(Failing):
    """Of the documents that the admissions have."""

    def __init__(self, admissions: FakeAdmissions) -> None:
        super().__init__()
        self._admissions = admissions

    def counts(self, owner: str) -> dict[str, int]:
        self._maybe_fail("counts")
        states = [document["state"] for (of, _), document in self._admissions.documents.items() if of == owner]
        return {state: states.count(state) for state in ("queued", "processing", "failed", "done")}

    def summaries(self, owner: str, hashes: Sequence[str]) -> list[dict[str, Any]]:
        self._maybe_fail("summaries")
        found = (self._admissions.documents.get((owner, image_hash)) for image_hash in hashes)
        return [{name: document[name] for name in SUMMARY} for document in found if document]

    def face_matches(
        self, owner: str, image_hash: str, tolerance: float, limit: int
    ) -> dict[int, list[dict[str, Any]]] | None:
        document = self._admissions.documents.get((owner, image_hash))
        if document is None:
            return None
        matches = [
            {
                "hash": match["hash"],
                "names": match["names"],
                "distance": match["distance"],
                "face": match["matched_face"],
            }
            for match in document["matches"]
            if match["distance"] <= tolerance
        ]
        return {face["id"]: matches[:limit] for face in document["faces"]}


class FakeWhereabouts(Failing):
    """Every image has ticket 1, so its faces are 4096 and so on."""

    def __init__(self, admissions: FakeAdmissions) -> None:
        super().__init__()
        self._admissions = admissions

    def of_image(self, owner: str, image_hash: str) -> Place | None:
        self._maybe_fail("of_image")
        return Place(owner, image_hash, 1) if (owner, image_hash) in self._admissions.documents else None

    def of_face(self, owner: str, face_id: int) -> Place | None:
        hashes = [image_hash for of, image_hash in self._admissions.documents if of == owner]
        return Place(owner, hashes[0], 1) if hashes and face_id // 4096 == 1 else None


class FakeWebhooks:
    """Notices are due as long as nobody settles them."""

    def __init__(self) -> None:
        self.hooks: dict[str, dict[str, str]] = {}
        self.ends: list[tuple[Any, ...]] = []

    def set(self, owner: str, url: str, secret: str) -> None:
        self.hooks[owner] = {"url": url, "secret": secret}

    def get(self, owner: str) -> dict[str, str] | None:
        return self.hooks.get(owner)

    def remove(self, owner: str) -> bool:
        return self.hooks.pop(owner, None) is not None

    def due(
        self, limit: int, lease: float, each: int | None = None, calling: Mapping[str, int] | None = None
    ) -> Sequence[Notice]:
        raise AssertionError("calls are for workers")

    def settle(self, notice: Notice, status: int | None, error: str) -> None:
        self.ends.append(("settled", notice.hash, status, error))

    def skip(self, notice: Notice) -> None:
        self.ends.append(("skipped", notice.hash))

    def postpone(self, notice: Notice, seconds: float, status: int | None, error: str) -> None:
        self.ends.append(("postponed", notice.hash, status, error, seconds))


class FakeErrands:
    def __init__(self) -> None:
        self.settled: list[Place] = []

    def turn(self, errand: str, seconds: float) -> bool:
        raise AssertionError("errands are for workers")

    def finish(self, limit: int, after: float) -> None:
        raise AssertionError("errands are for workers")

    def erasure(self, owner: str, image_hash: str) -> Place | None:
        return Place(owner, image_hash, 9)

    def erasures(self, limit: int) -> Sequence[Place]:
        raise AssertionError("errands are for workers")

    def settle(self, erased: Place) -> None:
        self.settled.append(erased)


class FakeSessions(Failing):
    def __init__(self, tokens: FakeTokens) -> None:
        super().__init__()
        self._tokens = tokens
        self._open: dict[str, str] = {}

    def open(self, token: str, seconds: float) -> str | None:
        self._maybe_fail("open")
        if self._tokens.owner_of(token) is None:
            return None
        secret = f"secret-{len(self._open)}"
        self._open[secret] = token
        return secret

    def owner_of(self, secret: str) -> str | None:
        self._maybe_fail("owner_of")
        return self._tokens.owner_of(self._open[secret]) if secret in self._open else None

    def close(self, secret: str) -> None:
        self._open.pop(secret, None)


class FakeLetters(Failing):
    """Dead letters that really are picked, redriven and dropped."""

    def __init__(self) -> None:
        super().__init__()
        self.letters: list[DeadLetter] = []
        self.redriven: list[tuple[DeadLetter, dict[str, Any]]] = []

    def count(self) -> int:
        self._maybe_fail("count")
        return len(self.letters)

    def list(self, limit: int) -> list[DeadLetter]:
        self._maybe_fail("list")
        return self.letters[:limit]

    def redrive(
        self,
        predicate: Callable[[DeadLetter], bool],
        prepare: Callable[[DeadLetter], Mapping[str, Any]] = lambda _letter: {},
        expected: int | None = None,
    ) -> Sequence[DeadLetter]:
        self._maybe_fail("redrive")
        picked = self.drop(predicate)
        self.redriven += [(letter, dict(prepare(letter))) for letter in picked]
        return picked

    def drop(self, predicate: Callable[[DeadLetter], bool], expected: int | None = None) -> Sequence[DeadLetter]:
        self._maybe_fail("drop")
        picked = [letter for letter in self.letters if predicate(letter)]
        self.letters = [letter for letter in self.letters if letter not in picked]
        return picked


class FakeIndex:
    """`facerec.ports.LetterIndex` of images that nobody erased."""

    def __init__(self) -> None:
        self.noted: dict[tuple[str, str], DeadLetter] = {}

    def add(self, letter: DeadLetter) -> bool:
        self.noted.setdefault(key_of(letter), letter)
        return True

    def forget(self, letters: Iterable[DeadLetter]) -> None:
        for letter in letters:
            self.noted.pop(key_of(letter), None)

    def count(self) -> int:
        return len(self.noted)

    def of(self, owner: str, hashes: Collection[str] | None) -> list[DeadLetter]:
        own = [letter for letter in self.noted.values() if letter.seen_by == owner]
        return [letter for letter in own if hashes is None or letter.hash in hashes]

    def page(self, owner: str, limit: int, cursor: str) -> tuple[list[DeadLetter], str]:
        begin = int(cursor or 0)
        own = self.of(owner, None)
        return own[begin : begin + limit], str(begin + limit) if len(own) > begin + limit else ""

    def besides(self, seen: Collection[tuple[str, str]]) -> list[DeadLetter]:
        return [letter for key, letter in self.noted.items() if key not in seen]

    def has_erased(self) -> bool:
        return False


class FakeChanges(Failing):
    """``put`` a change, or an error that the subscription is to raise."""

    def __init__(self) -> None:
        super().__init__()
        self.subscriptions: list[FakeSubscription] = []

    def subscribe(self) -> FakeSubscription:
        self._maybe_fail("subscribe")
        self.subscriptions.append(FakeSubscription())
        return self.subscriptions[-1]

    def put(self, told: Change | Exception) -> None:
        self.subscriptions[-1].waiting.put(told)


class FakeSubscription:
    def __init__(self) -> None:
        self.waiting: queue.Queue[Change | Exception] = queue.Queue()
        self.closed = threading.Event()

    def next(self, seconds: float) -> Change | None:
        try:
            told = self.waiting.get(timeout=seconds)
        except queue.Empty:
            return None
        if isinstance(told, Exception):
            raise told
        return told

    def close(self) -> None:
        self.closed.set()


def clock() -> float:
    return 1_700_000_000.0


class NoPeople:
    """Nobody is asked for people here: what is real of them has its tests over Redis."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"people were asked: {name}")


class FakeRegenerations:
    """`facerec.regeneration.Regenerations` of one face in model HOG, with no regeneration under way."""

    def __init__(self) -> None:
        self.actions: list[str] = []

    def current(self) -> None:
        return None

    def last(self) -> None:
        return None

    def model(self) -> Model:
        return Model.HOG

    def start(self, *_: object) -> None:
        raise AssertionError("nobody should have started it")

    def records(self) -> list[list[bytes]]:
        return [[pack_face(4096, Face(Box(0, 1, 1, 0), (), 1.0, np.zeros(128, np.float32), Model.HOG))]]

    def act(self, action: str) -> None:
        self.actions.append(action)


@dataclass
class Front:
    """The fakes behind one app. With ``tokens``, TOKEN is the default owner's and OTHER_TOKEN belongs to ``other``."""

    with_tokens: bool = False
    settings: Settings = field(
        default_factory=lambda: Settings(
            rest=RestSettings(max_upload_bytes=50_000, queue_limit=10, maximum_area=10_000, api_key=Secret(API_KEY)),
            max_pixels=1_000_000,
        )
    )
    admissions: FakeAdmissions = field(default_factory=FakeAdmissions)
    publisher: FakePublisher = field(default_factory=FakePublisher)
    requester: FakeRequester = field(default_factory=FakeRequester)
    workers: FakeWorkers = field(default_factory=FakeWorkers)
    fetcher: FakeFetcher = field(default_factory=FakeFetcher)
    images: ImageStore = field(default_factory=lambda: open_image_store("none"))
    letters: FakeLetters = field(default_factory=FakeLetters)
    changes: FakeChanges = field(default_factory=FakeChanges)
    errands: FakeErrands = field(default_factory=FakeErrands)
    people: Any = field(default_factory=NoPeople)
    regenerations: FakeRegenerations = field(default_factory=FakeRegenerations)
    contacts: ContactBooks = field(default_factory=lambda: ContactBooks(cast(Any, None), cast(Any, None)))
    webhooks: FakeWebhooks = field(default_factory=FakeWebhooks)
    rates: MemoryRates = field(default_factory=MemoryRates)

    findface: FaceBook = field(default_factory=lambda: cast(FaceBook, Failing()))
    """The FindFace interface is tested over real servers; here only its doors are."""

    def __post_init__(self) -> None:
        self.tokens = FakeTokens({TOKEN: "default", OTHER_TOKEN: "other"} if self.with_tokens else {})
        self.sessions = FakeSessions(self.tokens)
        self.overview = FakeOverview(self.admissions)
        self.whereabouts = FakeWhereabouts(self.admissions)
        self.letter_box = LetterBox(self.letters, FakeIndex(), clock)
        self.hub = EventHub(self.changes, self.settings.rest.event_streams)

    @property
    def services(self) -> Services:
        lookup = Lookup(self.requester, 30.0, clock)
        enrolments = Enrolments(self.findface, self.admissions, lookup, clock, 30.0)
        erasure = Erasure(
            admissions=self.admissions,
            overview=self.overview,
            errands=self.errands,
            images=self.images,
            letters=self.letter_box,
        )
        identification = Identification(self.findface, lookup, FakeJournal())
        return Services(
            settings=self.settings,
            admissions=self.admissions,
            publisher=self.publisher,
            requester=self.requester,
            tokens=self.tokens,
            workers=self.workers,
            fetcher=self.fetcher,
            probe=probe,
            overview=self.overview,
            whereabouts=self.whereabouts,
            sessions=self.sessions,
            rates=self.rates,
            guesses=MemoryRates(),
            pictures=Pictures(self.images, self.whereabouts),
            writes=write_checks(self.admissions.check_writes, self.images),
            people=self.people,
            erasure=erasure,
            removal=FaceRemoval(self.findface, erasure, self.settings.tolerance),
            uploads=Uploads(self.images, lambda _: None, self.settings.rest.max_upload_bytes, clock),
            dead=DeadLetters(self.letter_box, self.admissions),
            hub=self.hub,
            webhooks=self.webhooks,
            findface=self.findface,
            lookup=lookup,
            enrolments=enrolments,
            identification=identification,
            persons=Persons(self.people, self.findface, enrolments, identification, self.settings.findface, clock),
            attributing=Attributing(None),
            contacts=self.contacts,
            regeneration=Regeneration(cast(Any, self.regenerations), self.workers),
            clock=clock,
        )
