"""What is copied out and in again is the same, key by key; what is damaged is named and left out."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from facerec.adapters.redis import (
    RedisAdmissions,
    RedisArchive,
    RedisAudit,
    RedisCommits,
    RedisDatabases,
    RedisFaceBook,
    RedisJournal,
    RedisLetterIndex,
    RedisRepairs,
    RedisRestoration,
    RedisWebhooks,
    RedisWhereabouts,
)
from facerec.adapters.redis.connection import Argument
from facerec.adapters.redis.layout import FACES, HASH_TO_NAMES, LINKS, NAME_TO_HASH, OWN
from facerec.cli.integrity import run_export, run_import
from facerec.config import RedisSettings, Settings
from facerec.errors import Conflict, InternalError, StoreUnavailable
from facerec.faces import Analysis, Box, Face, Mark, Model, Point
from facerec.galleries import Change
from facerec.identity import DEFAULT_OWNER, face_id
from facerec.jobs import ScanJob
from facerec.local.servers import RedisServer
from facerec.ports import DeadLetter
from facerec.rule import ScanRule, to_scanned
from facerec.services.archive_lines import DamagedLine
from facerec.services.export import Copied, export_lines, import_lines
from facerec.services.fsck import Fsck
from facerec.services.links import LinkCheck
from tests.conftest import redis_settings_of
from tests.faces import analysis, encoding, scan_job

TOLERANCE = 0.6
NOT_COPIED = {b"crowd:since", b"journal", b"journal:position", b"ticket", b"import", b"tokens", b"workers"}
Store = dict[tuple[int, bytes], Any]


class Shop:
    def __init__(self, databases: RedisDatabases, kept: int = 3) -> None:
        self.databases = databases
        self.admissions = RedisAdmissions(databases)
        self.commits = RedisCommits(databases, links_kept=kept)
        self.rule = ScanRule(self.commits, RedisJournal(databases), TOLERANCE)
        self.rule.load()

    def scan(self, name: str, found: Analysis, owner: str = DEFAULT_OWNER, body: bytes | None = None) -> ScanJob:
        job = scan_job(self.admissions, name, body, owner)
        start = self.commits.begin([job])[0]
        if start.verdict == "go":
            self.rule.catch_up()
            self.rule.finish([to_scanned(job, start.image_ticket, found)])
        return job


def fill(shop: Shop) -> None:
    """One of everything."""
    for number in range(6):
        shop.scan(f"crowd {number}.jpg", analysis(number / 100))
    job = shop.scan("Ünï/\u4e2d\u6587 and spaces.jpg", analysis(0.5, 9.0))
    shop.scan("http://example.org/a?b=c", analysis(), body=job.body)
    shop.scan("crowd 1.jpg", analysis(0.3))
    shop.scan("cnn.jpg", analysis(0.0, model=Model.CNN))
    shop.scan("landscape.jpg", analysis())
    shop.scan("bob.jpg", analysis(0.0), owner="bob")
    shop.scan("bob2.jpg", analysis(0.1), owner="bob")
    marked = Face(Box(-5, 40, 30, -9), (Point(-3, 4), Point(100_000, -7)), -0.25, encoding(1 / 3), Model.HOG)
    wide = Face(
        Box(0, 9, 9, 0), tuple(Point(n * 90_001, n * n * 3_001) for n in range(68)), 1e-7, encoding(7), Model.HOG
    )
    faces = (marked, wide, Face(marked.box, (), 0.5, encoding(0.2), Model.HOG, frozenset({Mark.SMALL, Mark.TURNED})))
    shop.scan("odd.jpg", Analysis(4000, 3000, Model.HOG, faces))
    gone = shop.scan("gone.jpg", analysis(0.2))
    shop.admissions.erase(gone.owner, gone.hash)
    scan_job(shop.admissions, "queued.jpg")
    failed = scan_job(shop.admissions, "failed.jpg")
    shop.commits.begin([failed])
    shop.commits.fail(failed, "UNREADABLE_IMAGE", "no picture")
    shop.commits.begin([scan_job(shop.admissions, "processing.jpg")])


def everything(databases: RedisDatabases) -> Store:
    """Key by key what is stored, but what is not copied."""
    found: Store = {}
    for number in (OWN, NAME_TO_HASH, HASH_TO_NAMES, FACES, LINKS):
        client = databases.client(number)
        for key in client.scan_iter():
            if number != OWN or not (key in NOT_COPIED or b"people:done:" in key):
                found[number, key] = value_of(client, key)
    return found


def value_of(client: Any, key: bytes) -> Any:
    match client.type(key):
        case b"string":
            return client.get(key), client.ttl(key) >= 0
        case b"hash":
            return client.hgetall(key)
        case b"set":
            return client.smembers(key)
        case b"zset":
            return client.zrange(key, 0, -1, withscores=True)
        case b"list":
            return client.lrange(key, 0, -1)
        case b"stream":
            return client.xrange(key)


def exported(databases: RedisDatabases) -> list[bytes]:
    copied = Copied()
    lines = [line.encode() for line in export_lines(RedisArchive(databases), copied)]
    assert copied.damaged == []
    return lines


def images_of(lines: list[bytes]) -> list[dict[str, Any]]:
    return [line for line in map(json.loads, lines) if line["kind"] == "image"]


def faults(databases: RedisDatabases) -> list[str]:
    audit = RedisAudit(databases)
    links = LinkCheck(audit, RedisJournal(databases), TOLERANCE)
    return [fault.detail for fault in Fsck(audit, RedisRepairs(databases), links).run().found]


def test_a_round_trip_gives_the_same_state(databases: RedisDatabases, other: RedisDatabases) -> None:
    fill(Shop(databases))
    lines = exported(databases)
    copied = import_lines(lines, RedisRestoration(other))
    assert (copied.damaged, copied.skipped, copied.images) == ([], 0, 16)
    assert everything(other) == everything(databases)
    assert other.client(OWN).get("ticket") == databases.client(OWN).get("ticket")
    assert faults(other) == []
    assert images_of(exported(other)) == images_of(lines)


def test_work_goes_on_in_the_copy(databases: RedisDatabases, other: RedisDatabases) -> None:
    fill(Shop(databases))
    waiting = Shop(other)
    import_lines(exported(databases), RedisRestoration(other))
    job = waiting.scan("new.jpg", analysis(0.9))
    assert waiting.admissions.matching_names(job.owner, job.hash) == [
        "crowd 1.jpg",
        "http://example.org/a?b=c",
        "odd.jpg",
        "Ünï/\u4e2d\u6587 and spaces.jpg",
    ]
    assert job.ticket > int(databases.client(OWN).get("ticket"))
    assert faults(other) == []


def test_galleries_and_other_keys_are_copied(databases: RedisDatabases, other: RedisDatabases) -> None:
    shop = Shop(databases)
    fill(shop)
    client = databases.client(OWN)
    client.hset("face:4096", mapping={"timestamp": "1.5", "cam_id": "door"})
    client.zadd("others:sorted", {f"{n}": n + 0.5 for n in range(3000)})
    client.rpush("others:list", *range(2500))
    client.sadd("others:set", b"\xff\x00", "text")
    client.set("others:short", "x", ex=600)
    for n in range(1200):
        client.xadd("gallery:staff:log", {"+": n}, id=f"{n + 1}-0")
    import_lines(exported(databases), RedisRestoration(other))
    assert everything(other) == everything(databases)


def test_dead_letters_stay_with_their_broker(databases: RedisDatabases, other: RedisDatabases) -> None:
    fill(Shop(databases))
    for owner in ("default", "ann"):
        RedisLetterIndex(databases).add(DeadLetter("ab" * 32, owner, "a.jpg", 7, "CHILD_DIED", "it died", 3, 100.0, 10))
    import_lines(exported(databases), RedisRestoration(other))
    assert [key for key in other.client(OWN).keys("*") if b"dead" in key.split(b":")] == []
    assert faults(databases) == faults(other) == []


def test_a_gallery_whose_removal_is_unfinished_is_not_there_after_the_import(
    databases: RedisDatabases, other: RedisDatabases
) -> None:
    job = Shop(databases).scan("a.jpg", analysis(0.0))
    face = face_id(job.ticket, 0)
    book = RedisFaceBook(databases)
    for name in ("going", "staff"):
        book.add_gallery(DEFAULT_OWNER, name)
    book.change(DEFAULT_OWNER, face, Change(galleries=("add", ("going", "staff"))))
    databases.call("findface_gallery", "", "remove", "going", "token")

    import_lines(exported(databases), RedisRestoration(other))

    assert other.client(OWN).zrange("galleries", 0, -1) == [b"staff"]
    assert other.client(OWN).hget(f"face:{face}", "galleries") == b"staff"
    assert not other.client(OWN).exists("unfinished")
    assert faults(other) == []


def change(
    lines: list[bytes], pick: Callable[[dict[str, Any]], bool], alter: Callable[[dict[str, Any]], object]
) -> int:
    """Alter the first line that is picked; its number."""
    for number, text in enumerate(lines, 1):
        line = json.loads(text)
        if pick(line):
            alter(line)
            lines[number - 1] = json.dumps(line).encode()
            return number
    raise AssertionError("no such line")


def is_named(name: str) -> Callable[[dict[str, Any]], bool]:
    return lambda line: name in line.get("names", ())


ALTERATIONS: dict[str, Callable[[dict[str, Any]], object]] = {
    "a hash that is none": lambda line: line.update(hash="x"),
    "an owner that is none": lambda line: line.update(owner="NOBODY"),
    "a name that is none": lambda line: line.update(names={"../x": 1}),
    "a lone surrogate": lambda line: line["document"].update(reason="\ud800"),
    "a ticket that is none": lambda line: line["document"].update(ticket="-1"),
    "an unknown state": lambda line: line["document"].update(state="odd"),
    "too few faces": lambda line: line.update(faces=[]),
    "a face of another image": lambda line: line["faces"][0].update(id=5),
    "a short encoding": lambda line: line["faces"][0].update(encoding="AAAA"),
    "an encoding that is no base64": lambda line: line["faces"][0].update(encoding="%%"),
    "an unknown model": lambda line: line["faces"][0].update(model="best"),
    "a box that is too big": lambda line: line["faces"][0]["box"].update(top=2**40),
    "faces though queued": lambda line: line["document"].update(state="queued"),
    "a link to itself": lambda line: line.update(links=[line["hash"]]),
    "a link to no hash": lambda line: line.update(links=["x"]),
    "no faces": lambda line: line.pop("faces"),
    "a ticket in other digits": lambda line: line["document"].update(ticket="\u0663"),
    "a time that is none": lambda line: line["document"].update(queued_at="yesterday"),
    "no time": lambda line: line["document"].pop("queued_at"),
    "a document of an unknown model": lambda line: line["document"].update(model="99"),
    "another kind": lambda line: line.update(kind="picture"),
}


@pytest.mark.parametrize("what", ALTERATIONS)
def test_a_damaged_image_is_named_and_left_out(databases: RedisDatabases, other: RedisDatabases, what: str) -> None:
    shop = Shop(databases)
    near = shop.scan("near.jpg", analysis(0.0))
    damaged = shop.scan("damaged.jpg", analysis(0.1))
    shop.scan("later.jpg", analysis(0.2))
    lines = exported(databases)
    number = change(lines, is_named("damaged.jpg"), ALTERATIONS[what])
    copied = import_lines(lines, RedisRestoration(other))
    assert [damage.split(":")[0] for damage in copied.damaged] == [f"line {number}"]
    assert copied.images == 2
    admissions = RedisAdmissions(other)
    assert admissions.image(damaged.owner, damaged.hash) is None
    assert admissions.matching_names(near.owner, near.hash) == ["later.jpg"]
    assert faults(other) == []


def key_of(key: str, kind: str, value: object, expires_at: object = None) -> dict[str, Any]:
    return {"kind": "key", "key": key, "type": kind, "begins": True, "value": value, "expires_at": expires_at}


ODD_LINES: dict[str, dict[str, Any]] = {
    "a string without a value": key_of("person", "string", []),
    "a string of two values": key_of("person", "string", [["1"], ["2"]]),
    "an item of a string without parts": key_of("person", "string", [[]]),
    "a field without a value": key_of("galleries:x", "hash", [["field"]]),
    "a hash without fields": key_of("galleries:x", "hash", []),
    "a member without a score": key_of("galleries", "zset", [["staff"]]),
    "a score that is no number": key_of("galleries", "zset", [["staff", "x"]]),
    "a score that is none": key_of("galleries", "zset", [["staff", "nan"]]),
    "a member of three parts": key_of("galleries", "zset", [["staff", "1", "2"]]),
    "a set of pairs": key_of("owners:x", "set", [["a", "b"]]),
    "an entry without fields": key_of("gallery:staff:log", "stream", [["1-0"]]),
    "an entry with half a pair": key_of("gallery:staff:log", "stream", [["1-0", "+"]]),
    "an entry whose id is none": key_of("gallery:staff:log", "stream", [["x", "+", "1"]]),
    "entries that go back": key_of("gallery:staff:log", "stream", [["2-0", "+", "1"], ["1-0", "+", "1"]]),
    "a type that there is not": key_of("person", "bag", [["1"]]),
    "a key of another type than a part before": key_of("before", "hash", [["a", "b"]]),
    "an end of life that is no number": key_of("person", "string", [["1"]], expires_at=float("nan")),
    "an end of life that never comes": key_of("person", "string", [["1"]], expires_at=float("inf")),
    "an end of life beyond what Redis knows": key_of("person", "string", [["1"]], expires_at=1e300),
    "a mark of an erasure without a ticket": key_of("erased:" + "ab" * 32, "string", [["?"]]),
    "a crowd without an image": {"kind": "crowd", "owner": DEFAULT_OWNER},
    "a crowd of an image that is none": {"kind": "crowd", "owner": DEFAULT_OWNER, "hash": "x"},
    "a crowd of nobody": {"kind": "crowd", "owner": "NOBODY", "hash": "ab" * 32},
    "an end without counters": {"kind": "end", "ticket": None, "position": 1},
    "an end before the beginning": {"kind": "end", "ticket": -1, "position": -1},
    "an end beyond all numbers": {"kind": "end", "ticket": float("inf"), "position": 1},
}


@pytest.mark.parametrize("what", ODD_LINES)
def test_an_odd_line_is_named_and_left_out(databases: RedisDatabases, other: RedisDatabases, what: str) -> None:
    shop = Shop(databases)
    shop.scan("a.jpg", analysis(0.0))
    erased = scan_job(shop.admissions, "erased.jpg", b"erased")
    assert shop.admissions.erase(erased.owner, erased.hash)
    first, *rest = exported(databases)
    before = json.dumps(key_of("before", "string", [["1"]])).encode()
    odd = json.dumps(ODD_LINES[what]).encode()

    copied = import_lines([first, before, odd, *rest], RedisRestoration(other))

    assert [damage.split(":")[0] for damage in copied.damaged] == ["line 3"]
    assert copied.images == 1
    assert other.client(OWN).exists("import") == 0
    assert other.client(OWN).get("before") == b"1"
    assert not other.client(OWN).exists("galleries", "gallery:staff:log", "galleries:x", "owners:x")
    assert faults(other) == []


def test_an_image_that_redis_refuses_is_named_beside_others(
    databases: RedisDatabases, other: RedisDatabases, other_server: RedisServer
) -> None:
    shop = Shop(databases)
    jobs = [shop.scan(f"{number}.jpg", analysis(number / 10)) for number in range(3)]
    lines = exported(databases)

    class Refusing(RedisDatabases):
        def call_many(self, script: str, calls: Any) -> Any:
            if script == "import_image" and any(call[2] == jobs[1].hash for call in calls):
                raise InternalError("Redis refused a command: WRONGTYPE")
            return super().call_many(script, calls)

    refusing = Refusing(redis_settings_of(other_server))
    copied = import_lines(lines, RedisRestoration(refusing))
    refusing.close()

    number = next(n for n, text in enumerate(lines, 1) if json.loads(text).get("hash") == jobs[1].hash)
    assert [damage.split(":")[0] for damage in copied.damaged] == [f"line {number}"]
    assert (copied.images, copied.skipped) == (2, 0)
    assert other.client(OWN).exists("import") == 0


def test_notices_of_webhooks_go_on_after_an_import(databases: RedisDatabases, other: RedisDatabases) -> None:
    """Also when the list of those who wait was copied before the first of them waited."""
    RedisWebhooks(databases).set(DEFAULT_OWNER, "https://example.org/hook", "secret")
    Shop(databases).scan("a.jpg", analysis(0.0))
    assert len(RedisWebhooks(databases).due(10, 0.0)) == 1
    databases.client(OWN).delete("webhooks:waiting")

    import_lines(exported(databases), RedisRestoration(other))

    assert len(RedisWebhooks(other).due(10, 60.0)) == 1


def test_lines_that_are_no_json_and_a_cut_archive_are_named(databases: RedisDatabases, other: RedisDatabases) -> None:
    shop = Shop(databases)
    shop.scan("a.jpg", analysis(0.0))
    lines = exported(databases)
    copied = import_lines([lines[0], b"{", b"[" * 100_000, b"\xff", lines[1]], RedisRestoration(other))
    assert [damage.split(":")[0] for damage in copied.damaged] == [
        "line 2",
        "line 3",
        "line 4",
        "there is no last line",
    ]
    assert copied.images == 1
    assert other.client(OWN).exists("import") == 0


def test_what_is_no_archive_changes_nothing(other: RedisDatabases) -> None:
    for lines in ([b"{}"], [], [b'{"kind": "export", "version": 99}'], [b"\x1f\x8b"]):
        with pytest.raises(DamagedLine, match="this is no archive"):
            import_lines(lines, RedisRestoration(other))
    assert everything(other) == {}


def test_a_store_with_images_is_refused(databases: RedisDatabases, other: RedisDatabases) -> None:
    Shop(databases).scan("a.jpg", analysis(0.0))
    Shop(other).scan("b.jpg", analysis(0.0))
    before = everything(other)
    with pytest.raises(Conflict):
        import_lines(exported(databases), RedisRestoration(other))
    assert everything(other) == before


def test_an_import_that_was_cut_off_is_done_anew(databases: RedisDatabases, other: RedisDatabases) -> None:
    fill(Shop(databases))
    lines = exported(databases)

    def cut() -> Iterator[bytes]:
        yield from lines[:12]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_lines(cut(), RedisRestoration(other))
    waiting = Shop(other)
    with pytest.raises(StoreUnavailable, match="import"):
        waiting.scan("new.jpg", analysis(0.0))
    copied = import_lines(lines, RedisRestoration(other))
    assert copied.damaged == []
    found = everything(other)
    assert {key: value for key, value in everything(databases).items() if found.get(key) != value}.keys() <= {
        (OWN, b"owners"),
        (OWN, b"images"),
        (OWN, b"state:processing"),
        (OWN, b"unfinished:names"),
    }
    assert waiting.scan("new.jpg", analysis(0.9)).ticket > int(databases.client(OWN).get("ticket"))
    assert faults(other) == []


@pytest.mark.parametrize("dies", ["import_names", "publish", None])
def test_an_image_of_very_many_names_is_copied_whole(
    databases: RedisDatabases, other: RedisDatabases, monkeypatch: pytest.MonkeyPatch, dies: str | None
) -> None:
    """Also by an import that was cut off between two of the steps that it takes."""
    shop = Shop(databases)
    job = scan_job(shop.admissions, "often.jpg")
    names = {f"{number:05}.jpg": job.ticket + number for number in range(6000)}
    databases.client(OWN).hset(f"names:{job.hash}", mapping=names)
    ticket = shop.commits.begin([job])[0].image_ticket
    shop.rule.finish([to_scanned(job, ticket, analysis(0.0))])
    databases.client(OWN).set("ticket", job.ticket + len(names))
    lines = exported(databases)
    if dies:
        call, calls = RedisDatabases.call, itertools.count()

        def cut(self: RedisDatabases, script: str, *arguments: Argument) -> object:
            if script == dies and next(calls) == 2:
                raise StoreUnavailable("away")
            return call(self, script, *arguments)

        with monkeypatch.context() as patch:
            patch.setattr(RedisDatabases, "call", cut)
            with pytest.raises(StoreUnavailable):
                import_lines(lines, RedisRestoration(other))
    assert import_lines(lines, RedisRestoration(other)).damaged == []
    assert everything(other) == everything(databases)
    assert faults(other) == []


def test_an_image_announced_while_it_was_copied_is_not_in_the_copy(
    databases: RedisDatabases, other: RedisDatabases
) -> None:
    shop = Shop(databases)
    for n in range(40):
        shop.scan(f"{n}.jpg", analysis(n / 100))
    copied = Copied()
    lines = []
    for line in export_lines(RedisArchive(databases), copied):
        lines.append(line.encode())
        if len(lines) == 3:
            shop.scan("late.jpg", analysis(0.2))
    import_lines(lines, RedisRestoration(other))
    assert (copied.images, len(images_of(lines))) == (40, 40)
    assert faults(other) == []


def test_an_image_erased_while_it_was_copied_is_not_in_the_copy(
    databases: RedisDatabases, other: RedisDatabases
) -> None:
    shop = Shop(databases)
    jobs = [shop.scan(f"{n}.jpg", analysis(n / 100)) for n in range(40)]
    lines = []
    for line in export_lines(RedisArchive(databases), Copied()):
        lines.append(line.encode())
        if len(lines) == 3:
            shop.admissions.erase(jobs[0].owner, jobs[0].hash)
            shop.admissions.erase(jobs[39].owner, jobs[39].hash)
    import_lines(lines, RedisRestoration(other))
    places = RedisWhereabouts(other)
    found = [places.of_image(job.owner, job.hash) for job in (jobs[0], jobs[1], jobs[39])]
    assert [place is None for place in found] == [True, False, True]
    assert faults(other) == []


Persons = st.lists(st.sampled_from((0.0, 0.25, 0.5, 0.75, 4.0)), max_size=3).map(tuple)
Images = st.tuples(
    st.sampled_from(("a.jpg", "b.jpg", "http://x.org/c")),
    st.sampled_from((b"1", b"2", b"3", b"4", b"5", b"6")),
    Persons,
    st.sampled_from((DEFAULT_OWNER, "bob")),
    st.sampled_from(("scan", "scan", "scan", "queue", "fail", "erase")),
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(images=st.lists(Images, max_size=14))
def test_any_state_survives_a_round_trip(
    databases: RedisDatabases,
    other: RedisDatabases,
    images: list[tuple[str, bytes, tuple[float, ...], str, str]],
) -> None:
    databases.client(OWN).flushall()
    other.client(OWN).flushall()
    shop = Shop(databases, kept=2)
    for name, body, places, owner, what in images:
        if what in {"queue", "fail"}:
            job = scan_job(shop.admissions, name, body, owner)
            if what == "fail":
                shop.commits.begin([job])
                shop.commits.fail(job, "UNREADABLE_IMAGE", "no picture")
        else:
            job = shop.scan(name, analysis(*places), owner, body)
            if what == "erase":
                shop.admissions.erase(job.owner, job.hash)
    copied = import_lines(exported(databases), RedisRestoration(other))
    assert copied.damaged == []
    assert everything(other) == everything(databases)
    assert faults(other) == []


def test_the_commands(
    databases: RedisDatabases,
    other: RedisDatabases,
    redis_settings: RedisSettings,
    other_server: RedisServer,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    fill(Shop(databases))
    archive = tmp_path / "archive.jsonl"
    assert run_export(Settings(redis=redis_settings), archive) == 0
    assert "16 images" in capsys.readouterr().out
    target = Settings(redis=redis_settings_of(other_server))
    assert run_import(target, archive, as_json=True) == 0
    assert json.loads(capsys.readouterr().out)["images"] == 16
    assert everything(other) == everything(databases)
    assert run_export(Settings(redis=redis_settings), None) == 0
    printed = capsys.readouterr()
    assert len(printed.out.splitlines()) == len(archive.read_text(encoding="utf-8").splitlines())
    other.client(OWN).flushall()
    damaged = archive.read_bytes().splitlines(keepends=True)
    archive.write_bytes(b"".join(damaged[:-1]))
    assert run_import(target, archive) == 1
    assert "the archive was cut" in capsys.readouterr().out


def test_a_damaged_record_is_named_when_copied_out(databases: RedisDatabases) -> None:
    job = Shop(databases).scan("a.jpg", analysis(0.0))
    databases.client(FACES).lset(job.hash, 0, b"damaged")
    copied = Copied()
    lines = list(export_lines(RedisArchive(databases), copied, lambda: datetime(2020, 1, 1, tzinfo=UTC)))
    assert json.loads(lines[0])["exported_at"] == "2020-01-01T00:00:00+00:00"
    assert copied.damages == 1
    assert job.hash in copied.damaged[0]


def of_another_type(databases: RedisDatabases, job: ScanJob) -> None:
    databases.client(FACES).delete(job.hash)
    databases.client(FACES).set(job.hash, "?")


def with_a_name_of_no_ticket(databases: RedisDatabases, job: ScanJob) -> None:
    databases.client(OWN).hset(f"names:{job.hash}", "b.jpg", "?")


def with_what_is_no_text(databases: RedisDatabases, job: ScanJob) -> None:
    databases.client(OWN).hset(f"image:{job.hash}", "reason", b"\xff")


def with_names_of_another_type(databases: RedisDatabases, job: ScanJob) -> None:
    databases.client(OWN).delete(f"names:{job.hash}")
    databases.client(OWN).set(f"names:{job.hash}", "?")


@pytest.mark.parametrize(
    "damage", [of_another_type, with_a_name_of_no_ticket, with_what_is_no_text, with_names_of_another_type]
)
def test_the_others_are_copied_out_beside_an_image_that_cannot_be_read(
    databases: RedisDatabases, other: RedisDatabases, damage: Callable[[RedisDatabases, ScanJob], None]
) -> None:
    """There would be no backup of anything while one key is damaged."""
    shop = Shop(databases)
    first, damaged, last = (shop.scan(f"{number}.jpg", analysis(number / 10)) for number in range(3))
    damage(databases, damaged)

    copied = Copied()
    lines = [line.encode() for line in export_lines(RedisArchive(databases), copied)]

    assert (copied.images, copied.damages) == (2, 1)
    assert damaged.hash in copied.damaged[0]
    assert import_lines(lines, RedisRestoration(other)).images == 2
    assert RedisAdmissions(other).matching_names(first.owner, first.hash) == [last.name]
