"""Every invariant of the store broken by hand: fsck names it, repairs it, and finds nothing then."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from itertools import count
from typing import Any

import numpy as np
import pytest

from facerec.adapters.redis import RedisAdmissions, RedisAudit, RedisCommits, RedisDatabases, RedisJournal, RedisRepairs
from facerec.adapters.redis.layout import FACES, HASH_TO_NAMES, LINKS, NAME_TO_HASH, OWN
from facerec.audit import INVARIANTS, Fault
from facerec.cli.integrity import run_fsck
from facerec.config import RedisSettings, Settings
from facerec.errors import StoreUnavailable
from facerec.jobs import ScanJob
from facerec.local.ports import free_port
from facerec.records import pack_face
from facerec.rule import ScanRule, to_scanned
from facerec.services.fsck import Fsck, Report
from facerec.services.links import LinkCheck
from tests.faces import analysis, face, scan_job

TOLERANCE = 0.6
ABSENT = "f" * 64
BOB = "bob\x1f"


class Shop:
    """A store with a worker, an inspector, and some images: one, two and three of one person, and lone ones."""

    def __init__(self, databases: RedisDatabases) -> None:
        self.databases = databases
        self.admissions = RedisAdmissions(databases)
        self.commits = RedisCommits(databases)
        self.rule = ScanRule(self.commits, RedisJournal(databases), TOLERANCE)
        self.rule.load()
        self.one = self.scan("one.jpg", 0.0)
        self.two = self.scan("two.jpg", 0.1, 5.0)
        self.three = self.scan("one.jpg", 0.2)
        self.far = self.scan("far.jpg", 9.0)
        self.empty = self.scan("landscape.jpg")
        self.queued = scan_job(self.admissions, "queued.jpg")
        self.bobs = [self.scan("one.jpg", at, owner="bob") for at in (0.0, 0.1)]

    def scan(self, name: str, *places: float, owner: str = "default", body: bytes | None = None) -> ScanJob:
        job = scan_job(self.admissions, name, body, owner)
        start = self.commits.begin([job])[0]
        if start.verdict == "go":
            self.rule.catch_up()
            self.rule.finish([to_scanned(job, start.image_ticket, analysis(*places))])
        return job

    def db(self, number: int) -> Any:
        return self.databases.client(number)

    def check(self, fix: bool = False) -> Report:
        audit = RedisAudit(self.databases)
        links = LinkCheck(audit, RedisJournal(self.databases), TOLERANCE)
        return Fsck(audit, RedisRepairs(self.databases), links, wait=lambda _: None).run(fix)

    def state(self, job: ScanJob) -> str:
        found = self.admissions.image(job.owner, job.hash)
        assert found is not None
        return str(found["state"])


@pytest.fixture
def shop(databases: RedisDatabases) -> Shop:
    return Shop(databases)


def unlink_one_direction(shop: Shop) -> None:
    shop.db(LINKS).srem(shop.one.hash, shop.two.hash)


def unlink_both_directions(shop: Shop) -> None:
    shop.db(LINKS).srem(shop.one.hash, shop.two.hash)
    shop.db(LINKS).srem(shop.two.hash, shop.one.hash)


def link_strangers(shop: Shop) -> None:
    shop.db(LINKS).sadd(shop.one.hash, shop.far.hash)
    shop.db(LINKS).sadd(shop.far.hash, shop.one.hash)


def link_to_itself(shop: Shop) -> None:
    shop.db(LINKS).sadd(shop.one.hash, shop.one.hash)


def link_to_nobody(shop: Shop) -> None:
    shop.db(LINKS).sadd(BOB + shop.bobs[0].hash, ABSENT)


def link_to_an_unfinished_image(shop: Shop) -> None:
    shop.db(LINKS).sadd(shop.one.hash, shop.queued.hash)


def lose_all_links(shop: Shop) -> None:
    shop.db(LINKS).flushdb()


def lose_the_name_of_a_hash(shop: Shop) -> None:
    shop.db(HASH_TO_NAMES).srem(shop.two.hash, "two.jpg")


def lose_the_hash_of_a_name(shop: Shop) -> None:
    shop.db(NAME_TO_HASH).delete("two.jpg")


def invent_a_name(shop: Shop) -> None:
    shop.db(NAME_TO_HASH).set("invented.jpg", shop.one.hash)


def invent_a_name_of_nobody(shop: Shop) -> None:
    shop.db(NAME_TO_HASH).set(BOB + "invented.jpg", ABSENT)


def give_a_hash_a_second_name(shop: Shop) -> None:
    shop.db(HASH_TO_NAMES).sadd(shop.one.hash, "second.jpg")


def lead_a_name_to_the_older_image(shop: Shop) -> None:
    shop.db(NAME_TO_HASH).set("one.jpg", shop.one.hash)


def lose_the_holders(shop: Shop) -> None:
    shop.db(OWN).delete("holders:one.jpg")


def add_a_false_holder(shop: Shop) -> None:
    shop.db(OWN).zadd("holders:far.jpg", {shop.far.hash: shop.far.ticket, ABSENT: 1})


def add_more_false_holders_than_one_step_looks_at(shop: Shop) -> None:
    strangers = {f"{number:064x}": 1 for number in range(120)}
    shop.db(OWN).zadd("holders:far.jpg", {shop.far.hash: shop.far.ticket, **strangers})


def leave_a_lone_holder(shop: Shop) -> None:
    shop.db(OWN).zadd("holders:far.jpg", {shop.far.hash: shop.far.ticket})


def lose_a_name_from_the_list(shop: Shop) -> None:
    shop.db(OWN).zrem(BOB + "names", "one.jpg")


def leave_a_name_in_the_list(shop: Shop) -> None:
    shop.db(OWN).zadd("names", {"nowhere.jpg": 0})


def lose_the_faces(shop: Shop) -> None:
    shop.db(FACES).delete(shop.two.hash)


def lose_one_face(shop: Shop) -> None:
    shop.db(FACES).rpop(shop.two.hash)


def cut_a_face(shop: Shop) -> None:
    record = shop.db(FACES).lindex(shop.two.hash, 1)
    shop.db(FACES).lset(shop.two.hash, 1, record[:100])


def leave_next_to_nothing_of_a_face(shop: Shop) -> None:
    shop.db(FACES).lset(shop.two.hash, 1, b"short")


def swap_faces(shop: Shop) -> None:
    first, second = shop.db(FACES).lrange(shop.two.hash, 0, -1)
    shop.db(FACES).lset(shop.two.hash, 0, second)
    shop.db(FACES).lset(shop.two.hash, 1, first)


def put_another_images_face(shop: Shop) -> None:
    shop.db(FACES).lset(shop.far.hash, 0, shop.db(FACES).lindex(shop.one.hash, 0))


def make_an_encoding_no_number(shop: Shop) -> None:
    record = bytearray(shop.db(FACES).lindex(shop.far.hash, 0))
    record[32:36] = np.float32("nan").tobytes()
    shop.db(FACES).lset(shop.far.hash, 0, bytes(record))


def give_faces_to_an_empty_image(shop: Shop) -> None:
    shop.db(FACES).rpush(shop.empty.hash, pack_face(shop.empty.ticket * 4096, face(0.0)))


def give_faces_to_a_queued_image(shop: Shop) -> None:
    shop.db(FACES).rpush(shop.queued.hash, pack_face(shop.queued.ticket * 4096, face(0.0)))


def give_names_to_a_queued_image(shop: Shop) -> None:
    shop.db(HASH_TO_NAMES).sadd(shop.queued.hash, "queued.jpg")
    shop.db(NAME_TO_HASH).set("queued.jpg", shop.queued.hash)


def leave_faces_of_nobody(shop: Shop) -> None:
    shop.db(FACES).rpush(ABSENT, pack_face(999 * 4096, face(0.0)))


def leave_names_of_nobody(shop: Shop) -> None:
    shop.db(HASH_TO_NAMES).sadd(BOB + ABSENT, "x.jpg")
    shop.db(OWN).hset("names:" + ABSENT, "x.jpg", 1)


def leave_links_of_nobody(shop: Shop) -> None:
    shop.db(LINKS).sadd(ABSENT, shop.one.hash)
    shop.db(LINKS).sadd(shop.one.hash, ABSENT)


def lose_a_document(shop: Shop) -> None:
    shop.db(OWN).delete("image:" + shop.two.hash)


def lose_an_image_from_the_list(shop: Shop) -> None:
    shop.db(OWN).zrem("images", shop.two.hash)


def list_an_image_under_another_ticket(shop: Shop) -> None:
    shop.db(OWN).zadd("images", {shop.two.hash: shop.two.ticket + 100})


def share_a_ticket(shop: Shop) -> None:
    shop.db(OWN).hset("image:" + shop.far.hash, "ticket", shop.two.ticket)
    shop.db(OWN).zadd("images", {shop.far.hash: shop.two.ticket})


def lose_an_owner(shop: Shop) -> None:
    shop.db(OWN).srem("owners", "bob")


def invent_a_state(shop: Shop) -> None:
    shop.db(OWN).hset("image:" + shop.two.hash, "state", "odd")


def lose_a_ticket(shop: Shop) -> None:
    shop.db(OWN).hdel("image:" + shop.two.hash, "ticket")


def turn_the_counter_back(shop: Shop) -> None:
    shop.db(OWN).set("ticket", 1)


def list_a_finished_image_as_failed(shop: Shop) -> None:
    shop.db(OWN).zadd("state:failed", {shop.one.hash: shop.one.ticket})


def lose_an_image_from_the_list_of_its_state(shop: Shop) -> None:
    shop.db(OWN).zrem("state:queued", shop.queued.hash)


def list_nobody_as_queued(shop: Shop) -> None:
    shop.db(OWN).zadd("state:queued", {ABSENT: 4})


def lose_a_journal_entry(shop: Shop) -> None:
    shop.db(OWN).xdel("journal", "3-0")


def end_the_journal_early(shop: Shop) -> None:
    shop.db(OWN).xdel("journal", f"{shop.rule.index.position}-0")


def end_the_journal_late(shop: Shop) -> None:
    shop.db(OWN).set("journal:position", shop.rule.index.position - 1)


def damage_a_journal_entry(shop: Shop) -> None:
    position = shop.rule.index.position + 1
    shop.db(OWN).xadd("journal", {"op": "add", "owner": "default", "records": "x"}, id=f"{position}-0")
    shop.db(OWN).set("journal:position", position)


DAMAGES: list[tuple[Callable[[Shop], None], set[str]]] = [
    (unlink_one_direction, {"links"}),
    (unlink_both_directions, {"links"}),
    (link_strangers, {"links"}),
    (link_to_itself, {"links"}),
    (link_to_nobody, {"links"}),
    (link_to_an_unfinished_image, {"links"}),
    (lose_all_links, {"links"}),
    (lose_the_name_of_a_hash, {"names"}),
    (lose_the_hash_of_a_name, {"names"}),
    (invent_a_name, {"names"}),
    (invent_a_name_of_nobody, {"names"}),
    (give_a_hash_a_second_name, {"names"}),
    (lead_a_name_to_the_older_image, {"names"}),
    (lose_the_holders, {"names"}),
    (add_a_false_holder, {"names"}),
    (add_more_false_holders_than_one_step_looks_at, {"names"}),
    (leave_a_lone_holder, {"names"}),
    (lose_a_name_from_the_list, {"names"}),
    (leave_a_name_in_the_list, {"names"}),
    (lose_the_faces, {"faces", "links"}),
    (lose_one_face, {"faces"}),
    (cut_a_face, {"faces"}),
    (leave_next_to_nothing_of_a_face, {"faces"}),
    (swap_faces, {"faces"}),
    (put_another_images_face, {"faces"}),
    (make_an_encoding_no_number, {"faces"}),
    (give_faces_to_an_empty_image, {"faces", "links"}),
    (give_faces_to_a_queued_image, {"unfinished", "links"}),
    (give_names_to_a_queued_image, {"unfinished", "names"}),
    (leave_faces_of_nobody, {"strays", "index", "links"}),
    (leave_names_of_nobody, {"strays"}),
    (leave_links_of_nobody, {"strays", "links"}),
    (lose_a_document, {"documents", "links", "strays", "names"}),
    (lose_an_image_from_the_list, {"documents", "index"}),
    (list_an_image_under_another_ticket, {"documents"}),
    (share_a_ticket, {"documents", "faces"}),
    (lose_an_owner, {"documents"}),
    (invent_a_state, {"documents", "unfinished", "links", "names"}),
    (lose_a_ticket, {"documents", "faces", "links"}),
    (turn_the_counter_back, {"documents"}),
    (list_a_finished_image_as_failed, {"states"}),
    (lose_an_image_from_the_list_of_its_state, {"states"}),
    (list_nobody_as_queued, {"documents"}),
    (lose_a_journal_entry, {"journal"}),
    (end_the_journal_early, {"journal"}),
    (end_the_journal_late, {"journal"}),
    (damage_a_journal_entry, {"journal"}),
]


def test_a_sound_store_is_clean(shop: Shop) -> None:
    report = shop.check()
    assert report.found == []
    assert (report.images, report.faces, report.position) == (8, 7, 6)


@pytest.mark.parametrize(("damage", "named"), DAMAGES, ids=lambda value: getattr(value, "__name__", ""))
def test_each_damage_is_named_and_repaired(shop: Shop, damage: Callable[[Shop], None], named: set[str]) -> None:
    damage(shop)
    report = shop.check(fix=True)
    found = {fault.invariant for fault in report.found}
    # A face that is lost is missed in its gallery, too.
    assert named <= found <= named | {"galleries"}
    assert report.left == []
    assert shop.check().found == []


def test_what_a_repair_cannot_restore_is_to_be_sent_again(shop: Shop) -> None:
    shop.db(OWN).xtrim("journal", maxlen=0)
    lose_one_face(shop)
    assert shop.check(fix=True).clean
    assert shop.state(shop.two) == "failed"
    again = shop.scan("two.jpg", 0.1, 5.0, body=shop.two.body)
    assert shop.state(again) == "done"
    assert shop.check().found == []
    assert shop.admissions.matching_names("default", shop.one.hash) == ["one.jpg", "two.jpg"]


def test_a_workers_index_follows_the_repairs(shop: Shop) -> None:
    for damage in (lose_one_face, leave_faces_of_nobody, share_a_ticket):
        damage(shop)
    assert shop.check(fix=True).clean
    if not shop.rule.catch_up():
        shop.rule.load()
    fresh = ScanRule(shop.commits, RedisJournal(shop.databases), TOLERANCE)
    fresh.load()
    for owner, model in fresh.index.partitions():
        assert shop.rule.index.face_ids(owner, model).tolist() == fresh.index.face_ids(owner, model).tolist()


def test_all_at_once(shop: Shop) -> None:
    damages = (
        unlink_one_direction,
        lead_a_name_to_the_older_image,
        give_faces_to_a_queued_image,
        leave_faces_of_nobody,
        leave_links_of_nobody,
        swap_faces,
        list_an_image_under_another_ticket,
        list_a_finished_image_as_failed,
        lose_a_journal_entry,
    )
    for damage in damages:
        damage(shop)
    report = shop.check(fix=True)
    assert {fault.invariant for fault in report.found} >= set(INVARIANTS) - {"types", "people", "contacts"}
    assert report.left == []


def test_a_key_of_a_wrong_type_is_named_and_left_alone(shop: Shop) -> None:
    shop.db(HASH_TO_NAMES).delete(shop.one.hash)
    shop.db(HASH_TO_NAMES).set(shop.one.hash, "not ours")
    report = shop.check(fix=True)
    assert {fault.invariant for fault in report.left} >= {"types"}
    assert shop.db(HASH_TO_NAMES).get(shop.one.hash) == b"not ours"


def test_wrong_people_are_named_and_repaired(shop: Shop) -> None:
    shop.db(OWN).zadd(BOB + "people:hidden", {"0000000002:0000000000000001": 0})
    assert [(fault.invariant, fault.owner) for fault in shop.check().left] == [("people", "bob")]
    report = shop.check(fix=True)
    assert [(fault.invariant, fault.owner) for fault in report.found] == [("people", "bob")]
    assert report.left == []


def test_what_is_gone_at_a_further_look_is_neither_said_nor_repaired(shop: Shop) -> None:
    """Somebody is just making it: a repair would destroy that."""
    pauses: list[float] = []

    class Seeing(RedisAudit):
        def strays(self) -> Iterator[Fault]:
            yield from super().strays()
            if len(pauses) < 2:
                yield Fault("strays", "stray", "", "", shop.one.hash, "it comes and goes", (str(FACES),))

        def gallery_faults(self) -> Iterator[Fault]:
            yield Fault("galleries", "gallery", "default", "", "1", f"it is another at look {len(pauses)}", ("",))

    class NoRepairs(RedisRepairs):
        def repair(self, fault: Fault) -> bool:
            raise AssertionError(fault)

    report = Fsck(Seeing(shop.databases), NoRepairs(shop.databases), None, (0.1, 0.2, 0.3), pauses.append).run(fix=True)

    assert report.found == []
    assert pauses == [0.1, 0.2], "nothing was left to look at"


@pytest.mark.parametrize(
    "damage", [share_a_ticket, leave_faces_of_nobody, lose_the_faces, unlink_one_direction, damage_a_journal_entry]
)
def test_what_stands_at_every_look_is_said(shop: Shop, damage: Callable[[Shop], None]) -> None:
    damage(shop)
    audit = RedisAudit(shop.databases)

    def found(*pauses: float) -> list[Fault]:
        links = LinkCheck(audit, RedisJournal(shop.databases), TOLERANCE)
        return Fsck(audit, RedisRepairs(shop.databases), links, pauses).run().found

    assert set(found(0.01, 0.01)) == set(found())


def test_nothing_is_reported_while_a_worker_writes(shop: Shop) -> None:
    """Images of a few persons come, get second names, and go, while the store is checked again and again."""
    enough = threading.Event()
    errors: list[BaseException] = []

    def write() -> None:
        try:
            for number in count():
                if enough.is_set():
                    return
                job = shop.scan(f"{number % 7}.jpg", number % 5 * 1.0, number % 3 * 10.0)
                shop.scan(f"again {number % 11}.jpg", body=job.body)
                if number % 2:
                    shop.admissions.erase("default", job.hash)
        except BaseException as error:  # noqa: BLE001 - handed to the test
            errors.append(error)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        reports = [shop.check(fix=number % 2 == 1) for number in range(12)]
    finally:
        enough.set()
        writer.join()
    assert errors == []
    assert [report.found for report in reports] == [[]] * len(reports)
    assert reports[-1].position > reports[0].position


def test_an_image_that_comes_and_goes_while_all_is_looked_at_is_no_fault(shop: Shop) -> None:
    class Late(RedisAudit):
        """`three` came when the list had been read, and goes when its faces are already being wondered at."""

        def images(self, owner: str) -> Iterator[list[tuple[str, int]]]:
            for page in super().images(owner):
                yield [image for image in page if image[0] != shop.three.hash]

        def hashes(self, owner: str, tickets: Sequence[int]) -> dict[int, str]:
            shop.admissions.erase("default", shop.three.hash)
            return super().hashes(owner, tickets)

    audit = Late(shop.databases)
    links = LinkCheck(audit, RedisJournal(shop.databases), TOLERANCE)
    assert Fsck(audit, RedisRepairs(shop.databases), links).run().found == []


def test_the_command(shop: Shop, redis_settings: RedisSettings, capsys: pytest.CaptureFixture[str]) -> None:
    settings = Settings(redis=redis_settings)
    assert run_fsck(settings) == 0
    assert capsys.readouterr().out.endswith("clean\n")
    unlink_one_direction(shop)
    lead_a_name_to_the_older_image(shop)
    assert run_fsck(settings, as_json=True) == 1
    report = json.loads(capsys.readouterr().out)
    assert report["clean"] is False
    assert report["invariants"]["names"] == {"faults": 2, "repaired": 0, "left": 2}
    assert {fault["invariant"] for fault in report["faults"]} == {"names", "links"}
    assert run_fsck(settings, fix=True, as_json=True) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["invariants"]["names"] == {"faults": 2, "repaired": 2, "left": 0}
    assert run_fsck(settings, quick=True) == 0


def test_a_store_that_is_away_cannot_be_checked() -> None:
    with pytest.raises(StoreUnavailable):
        run_fsck(Settings(redis=RedisSettings(port=free_port(), timeout=0.2)))
