"""Values that a foreign hand has stored: the bad one is set aside with a reason, and everything else goes on."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from facerec.adapters.redis import (
    RedisAdmissions,
    RedisAudit,
    RedisChanges,
    RedisCommits,
    RedisDatabases,
    RedisJournal,
    RedisRepairs,
    RedisWorkers,
)
from facerec.adapters.redis.tokens import token_hash
from facerec.config import RabbitSettings, RedisSettings, RestSettings, Settings
from facerec.errors import StoreUnavailable
from facerec.jobs import ScanJob
from facerec.loading import load_index
from facerec.ports import Change
from facerec.rule import ScanRule, to_scanned
from facerec.services.fsck import Fsck, Report
from facerec.services.links import LinkCheck
from rest.wsgi import build_services
from tests.faces import analysis, scan_job
from tests.services_client import ServicesClient

NOBODY = 9
NESTED = "[" * 200_000
Damage = Callable[[Any, ScanJob], object]


class Shop:
    """Two finished images of one person, one that waits, and a worker that lives."""

    def __init__(self, databases: RedisDatabases) -> None:
        self.databases = databases
        self.admissions, commits = RedisAdmissions(databases), RedisCommits(databases)
        rule = ScanRule(commits, RedisJournal(databases), 0.6)
        rule.load()
        self.jobs = [scan_job(self.admissions, name) for name in ("one.jpg", "two.jpg")]
        for job, start in zip(self.jobs, commits.begin(self.jobs), strict=True):
            rule.catch_up()
            rule.finish([to_scanned(job, start.image_ticket, analysis(0.0))])
        self.waiting = scan_job(self.admissions, "waiting.jpg")
        RedisWorkers(databases).alive("sound", {"processes": 2}, 60.0)

    @property
    def db(self) -> Any:
        return self.databases.client()

    def fsck(self, fix: bool = False) -> Report:
        audit = RedisAudit(self.databases)
        return Fsck(audit, RedisRepairs(self.databases), LinkCheck(audit, RedisJournal(self.databases), 0.6), ()).run(
            fix
        )


@pytest.fixture
def shop(databases: RedisDatabases) -> Shop:
    return Shop(databases)


@pytest.fixture
def client(shop: Shop, redis_settings: RedisSettings) -> Iterator[ServicesClient]:
    settings = Settings(
        redis=redis_settings,
        rabbitmq=RabbitSettings(port=NOBODY, timeout=0.2),
        rest=RestSettings(interactive_timeout=0.3),
    )
    services = build_services(settings, shop.databases)
    yield ServicesClient(services)
    services.close()


def put(client: Any, key: str, value: object) -> None:
    client.delete(key)
    client.set(key, value)


WORKERS = {
    "no JSON": b"{",
    "a list": b"[1]",
    "a text": b'"x"',
    "no text": b"\xff\xfe",
    "nested": NESTED.encode(),
    "NaN": b'{"faces": NaN}',
    "a dict for a text": b'{"model": {}}',
    "a text for a number": b'{"processes": "x"}',
    "a negative number": b'{"processes": -1}',
    "an endless number": b'{"faces": 1e400}',
}
DAMAGES: dict[str, Damage] = {
    **{f"worker: {name}": lambda db, _, text=text: db.set("worker:bad", text) for name, text in WORKERS.items()},  # type: ignore[misc]
    "a worker's name": lambda db, _: (db.sadd("workers", b"\xff"), db.set(b"worker:\xff", "{}")),
    "workers of another type": lambda db, _: put(db, "workers", "x"),
    **{
        f"journal:position {text!r}": lambda db, _, text=text: db.set("journal:position", text)  # type: ignore[misc]
        for text in (b"x", b"nan", b"inf", b"1e400", b"-5", b"", b"9" * 400, b"\xff")
    },
    **{
        f"{field} {text!r}": lambda db, job, field=field, text=text: db.hset(f"image:{job.hash}", field, text)  # type: ignore[misc]
        for field in ("queued_at", "done_at", "attempts", "width", "model", "state", "code", "ticket")
        for text in (b"nan", b"inf", b"1e400", b"x", b"\xff")
    },
    "a document of another type": lambda db, job: put(db, f"image:{job.hash}", "x"),
    "a document without a state": lambda db, job: db.hdel(f"image:{job.hash}", "state"),
    "names of another type": lambda db, job: put(db, f"names:{job.hash}", "x"),
    "a name that is no text": lambda db, job: db.hset(f"names:{job.hash}", b"\xff", 1),
    "an image that is none": lambda db, _: db.zadd("images", {b"\xff": 77, "x": 78, "y": "inf"}),
    "a name in the list that is none": lambda db, _: db.zadd("names", {b"a\xff": 0}),
    "an owner that is none": lambda db, _: db.sadd("owners", b"\xff", "A B", ""),
    "a regeneration that is none": lambda db, _: db.hset("regenerate", "run", "x"),
    "the last regeneration": lambda db, _: db.set("regenerate:last", NESTED),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_what_people_and_monitors_look_at_goes_on(shop: Shop, client: ServicesClient, name: str) -> None:
    if name.startswith("worker: "):
        shop.db.sadd("workers", "bad")
    DAMAGES[name](shop.db, shop.jobs[0])

    answers = {path: client.get(path) for path in ("/", "/status", "/images", "/images?name=t", "/images?state=done")}
    assert {path: answer.status_code for path, answer in answers.items()} == dict.fromkeys(answers, 200)
    assert client.get("/readyz").status_code == 503, "there is no broker"
    shown = [image["hash"] for image in answers["/images"].get_json()["results"]]
    assert {shop.jobs[1].hash, shop.waiting.hash} <= set(shown)
    shop.fsck()
    shop.fsck(fix=True)


@pytest.mark.parametrize("name", WORKERS)
def test_a_worker_that_says_what_cannot_be_is_set_aside(
    shop: Shop, client: ServicesClient, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    shop.db.sadd("workers", "bad")
    shop.db.set("worker:bad", WORKERS[name])
    told = {worker["name"]: worker for worker in client.get("/status").get_json()["workers"]}
    assert told["sound"]["processes"] == 2
    assert told["bad"] == {"name": "bad", "problem": "what it says of itself cannot be read"}
    assert "worker:bad" in caplog.text


@pytest.mark.parametrize("text", [b"x", b"nan", b"", b"-5", b"\xff"])
def test_a_journal_whose_end_is_no_number_is_waited_for_and_repaired(shop: Shop, text: bytes) -> None:
    shop.db.set("journal:position", text)
    with pytest.raises(StoreUnavailable, match="facerec fsck"):
        load_index(RedisJournal(shop.databases))
    assert [fault.invariant for fault in shop.fsck().found] == ["journal"]

    assert shop.fsck(fix=True).clean

    assert len(load_index(RedisJournal(shop.databases))) == 2


def test_a_journal_without_entries_whose_end_is_no_number_is_repaired(databases: RedisDatabases) -> None:
    databases.client().set("journal:position", "x")
    audit = RedisAudit(databases)
    assert Fsck(audit, RedisRepairs(databases), None).run(fix=True).clean
    assert RedisJournal(databases).position() == 0


@pytest.mark.parametrize(
    "text",
    [
        b"x",
        b"\xff",
        NESTED.encode(),
        b"[1]",
        b"7",
        json.dumps({"owner": "default", "hash": "ab" * 32}).encode(),
        json.dumps({"owner": "A B", "hash": "ab" * 32, "state": "done"}).encode(),
        json.dumps({"owner": "default", "hash": {"a": "dict"}, "state": "done"}).encode(),
        json.dumps({"owner": "default", "hash": "ab" * 32, "state": ["x"]}).encode(),
        b'{"owner": "default", "hash": "' + b"ab" * 32 + b'", "state": "\\ud800"}',
    ],
)
def test_a_message_that_is_no_change_ends_no_subscription(databases: RedisDatabases, text: bytes) -> None:
    subscription = RedisChanges(databases).subscribe()
    databases.client().publish("events", text)
    databases.client().publish("events", json.dumps({"owner": "default", "hash": "ab" * 32, "state": "done"}))
    assert subscription.next(5.0) is None
    assert subscription.next(5.0) == Change("default", "ab" * 32, "done")
    subscription.close()


@pytest.mark.parametrize(
    "entry", [b"x", b"[1]", b"\xff", NESTED.encode(), b'{"owner": "A B"}', b"{}", b'{"owner": ["x"]}']
)
def test_a_token_whose_entry_is_damaged_is_nobody_s(shop: Shop, client: ServicesClient, entry: bytes) -> None:
    shop.db.hset("tokens", token_hash("t" * 40), entry)
    good = client.services.tokens.create("default")  # type: ignore[attr-defined]
    assert client.get("/images", headers={"x-api-key": "t" * 40}).status_code == 401
    assert client.get("/images", headers={"x-api-key": good}).status_code == 200
    assert len(client.services.tokens.list()) == 2  # type: ignore[attr-defined]
