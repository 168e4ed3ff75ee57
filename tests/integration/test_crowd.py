"""Images with more matches than links are kept for: every answer is complete, and nothing else changes."""

from __future__ import annotations

import random
import threading
from collections.abc import Sequence

import pytest

from facerec.adapters.redis import RedisAdmissions, RedisAudit, RedisCommits, RedisDatabases, RedisJournal, RedisRepairs
from facerec.adapters.redis.connection import Argument
from facerec.adapters.redis.layout import LINKS, OWN
from facerec.adapters.redis.overview import RedisOverview
from facerec.config import RedisSettings
from facerec.errors import BadParam, ServiceUnavailable
from facerec.identity import DEFAULT_OWNER, face_id
from facerec.jobs import ScanJob
from facerec.rule import ScanRule, to_scanned
from facerec.services.fsck import Fsck
from facerec.services.links import LinkCheck
from facerec.services.matches import WorkerMatches
from tests.faces import analysis, scan_job
from tests.integration.test_rule_interleavings import Conductor
from tests.known import IndexRequester

TOLERANCE = 0.6
KEPT = 3
Places = tuple[float, ...]


class Shop:
    """A store that keeps few links, a worker, a front door, and a plain memory of what was scanned."""

    def __init__(self, databases: RedisDatabases, kept: int = KEPT) -> None:
        self.databases = databases
        self.kept = kept
        self.rule = self.worker()
        asked = self.worker()
        self.admissions = RedisAdmissions(databases, WorkerMatches(IndexRequester(asked, TOLERANCE), 10.0))
        self.places: dict[str, tuple[ScanJob, Places]] = {}

    def worker(self) -> ScanRule:
        rule = ScanRule(RedisCommits(self.databases, links_kept=self.kept), RedisJournal(self.databases), TOLERANCE)
        rule.load()
        return rule

    def scan(self, images: Sequence[tuple[str, Places]]) -> list[ScanJob]:
        """In one batch."""
        jobs = [scan_job(self.admissions, name) for name, _ in images]
        starts = RedisCommits(self.databases).begin(jobs)
        batch = [
            to_scanned(job, start.image_ticket, analysis(*places))
            for job, start, (_, places) in zip(jobs, starts, images, strict=True)
        ]
        assert len(self.rule.finish(batch).written) == len(jobs)
        self.places |= {job.name: (job, places) for job, (_, places) in zip(jobs, images, strict=True)}
        return jobs

    def erase(self, name: str) -> None:
        job, _ = self.places.pop(name)
        assert self.admissions.erase(job.owner, job.hash)

    def expected(self, name: str) -> dict[str, float]:
        """Name -> distance of every image that matches."""
        _, mine = self.places[name]
        found = {}
        for other, (_, theirs) in self.places.items():
            distances = [abs(one - two) for one in mine for two in theirs]
            if other != name and distances and min(distances) <= TOLERANCE:
                found[other] = min(distances)
        return found

    def crowd(self) -> set[str]:
        hashes = {key.decode() for key in self.databases.client(OWN).zrange("crowd", 0, -1)}
        return {name for name, (job, _) in self.places.items() if job.hash in hashes}

    def assert_sound(self) -> None:
        for name, (job, _) in self.places.items():
            expected = self.expected(name)
            assert self.admissions.matching_names(job.owner, job.hash) == sorted(expected)
            document = self.admissions.image(job.owner, job.hash)
            assert document is not None
            found = {match["names"][0]: match["distance"] for match in document["matches"]}
            assert found == pytest.approx(expected)
            assert document["matches_total"] == len(expected)
            assert list(found.values()) == sorted(found.values())
            assert self.databases.client(LINKS).scard(job.hash) <= self.kept
        assert self.faults() == []

    def faults(self) -> list[str]:
        audit = RedisAudit(self.databases)
        links = LinkCheck(audit, RedisJournal(self.databases), TOLERANCE)
        return [fault.detail for fault in Fsck(audit, RedisRepairs(self.databases), links).run().found]


@pytest.fixture
def shop(databases: RedisDatabases) -> Shop:
    return Shop(databases)


def test_one_person_in_ever_more_pictures(shop: Shop) -> None:
    for number in range(3 * KEPT):
        shop.scan([(f"{number}.jpg", (number / 100,))])
        shop.assert_sound()
    assert shop.crowd() == set(shop.places)
    assert shop.databases.client(LINKS).dbsize() == 0


def test_pictures_of_a_crowd_may_share_a_name(shop: Shop) -> None:
    jobs = shop.scan([("IMG_0001.jpg", (number / 100,)) for number in range(2)])
    for number in range(2 * KEPT):
        shop.scan([(f"{number}.jpg", (0.02,))])
    for job in jobs:
        assert shop.databases.client(OWN).zscore("crowd", job.hash) is not None
        assert "IMG_0001.jpg" in shop.admissions.matching_names(job.owner, job.hash)


def test_a_lone_match_of_a_crowded_image_has_all_its_links(shop: Shop) -> None:
    shop.scan([("hub.jpg", (0.0,))])
    for number in range(2 * KEPT):
        shop.scan([(f"{number}.jpg", (0.25, 100.0 * number))])
    shop.scan([("end.jpg", (-0.5,))])
    assert shop.crowd() >= {"hub.jpg"}
    assert "end.jpg" not in shop.crowd()
    shop.assert_sound()


def test_a_picture_of_many_strangers(shop: Shop) -> None:
    """It matches more images than are kept, and these match nobody else."""
    strangers = [(f"{number}.jpg", (10.0 * number,)) for number in range(3 * KEPT)]
    shop.scan(strangers)
    shop.scan([("all.jpg", tuple(10.0 * number for number in range(3 * KEPT)))])
    assert "all.jpg" in shop.crowd()
    assert len(shop.crowd()) == 1 + 2 * KEPT, "those for which no link is kept had to join"
    shop.assert_sound()
    shop.scan([("late.jpg", (10.0,))])
    shop.assert_sound()


def test_a_batch_of_one_person(shop: Shop) -> None:
    shop.scan([(f"{number}.jpg", (number / 100,)) for number in range(3 * KEPT)])
    shop.assert_sound()


def test_erasing_members(shop: Shop) -> None:
    shop.scan([(f"{number}.jpg", (number / 8,)) for number in range(12)])
    for number in (0, 7, 3, 11):
        shop.erase(f"{number}.jpg")
        shop.assert_sound()
    shop.scan([("new.jpg", (0.5,))])
    shop.assert_sound()


def test_a_member_that_was_damaged_and_comes_again_is_linked(shop: Shop) -> None:
    (damaged, *_) = shop.scan([(f"{number}.jpg", (number / 100,)) for number in range(3 * KEPT)])
    assert shop.crowd() == set(shop.places)
    for number in range(KEPT, 3 * KEPT):
        shop.erase(f"{number}.jpg")
    shop.databases.client(OWN).hset(f"image:{damaged.hash}", "state", "damaged")
    audit = RedisAudit(shop.databases)
    Fsck(audit, RedisRepairs(shop.databases), LinkCheck(audit, RedisJournal(shop.databases), TOLERANCE)).run(fix=True)

    again = scan_job(shop.admissions, damaged.name, damaged.body)
    start = RedisCommits(shop.databases).begin([again])[0]
    assert start.image_ticket == damaged.ticket
    shop.rule.load()
    assert shop.rule.finish([to_scanned(again, start.image_ticket, analysis(0.0))]).written
    assert damaged.name not in shop.crowd()
    shop.scan([("stranger.jpg", (50.0,))])
    shop.scan([("all.jpg", (0.0, 50.0))])
    shop.assert_sound()


@pytest.mark.parametrize("seed", range(12))
def test_any_order_of_images(databases: RedisDatabases, seed: int) -> None:
    """Persons at several places, some pictures of many, in batches of any size, with erasures between."""
    chance = random.Random(seed)
    shop = Shop(databases, kept=chance.randint(1, 4))
    for step in range(8):
        images = [
            (f"{step}-{number}.jpg", tuple(chance.choice((0.0, 0.4, 0.8, 5.0)) for _ in range(chance.randint(0, 3))))
            for number in range(chance.randint(1, 5))
        ]
        shop.scan(images)
        if chance.random() < 0.4:
            shop.erase(chance.choice(sorted(shop.places)))
        shop.assert_sound()


def test_pages_are_complete_and_do_not_overlap(shop: Shop) -> None:
    jobs = shop.scan([(f"{number:02}.jpg", (number / 100,)) for number in range(10)])
    for job in (jobs[0], shop.scan([("alone.jpg", (0.655,))])[0]):
        names, cursor = shop.admissions.matching_page(job.owner, job.hash, 4, "")
        while cursor:
            more, cursor = shop.admissions.matching_page(job.owner, job.hash, 4, cursor)
            names += more
        assert names == sorted(shop.expected(job.name))
        matches, cursor = [], ""
        while True:
            document = shop.admissions.image(job.owner, job.hash, 3, cursor)
            assert document is not None
            matches += document["matches"]
            cursor = document["matches_cursor"]
            if not cursor:
                break
        assert [match["names"][0] for match in matches] == sorted(names, key=shop.expected(job.name).__getitem__)
    with pytest.raises(BadParam):
        shop.admissions.image(job.owner, job.hash, 3, "nan:1")


def test_a_match_tells_the_nearest_pair_of_faces(shop: Shop) -> None:
    jobs = shop.scan([(f"{number}.jpg", (9.0, number / 10)) for number in range(5)])
    document = shop.admissions.image(DEFAULT_OWNER, jobs[0].hash)
    assert document is not None
    assert document["matches"][0] == {
        "hash": jobs[1].hash,
        "names": ["1.jpg"],
        "distance": 0.0,
        "face": face_id(jobs[0].ticket, 0),
        "matched_face": face_id(jobs[1].ticket, 0),
    }


def test_matches_face_by_face(shop: Shop, databases: RedisDatabases) -> None:
    jobs = shop.scan([(f"{number}.jpg", (number / 16, 20.0 + number)) for number in range(8)])
    assert shop.crowd() == set(shop.places)
    overview = RedisOverview(databases, WorkerMatches(IndexRequester(shop.worker(), TOLERANCE), 10.0))
    found = overview.face_matches(DEFAULT_OWNER, jobs[0].hash, 0.2, 2)
    assert found == {
        face_id(jobs[0].ticket, 0): [
            {"hash": job.hash, "names": [job.name], "distance": at / 16, "face": face_id(job.ticket, 0)}
            for at, job in ((1, jobs[1]), (2, jobs[2]))
        ],
        face_id(jobs[0].ticket, 1): [],
    }


def test_without_a_worker_the_answer_is_no_half_one(shop: Shop, databases: RedisDatabases) -> None:
    (job, *_) = shop.scan([(f"{number}.jpg", (number / 100,)) for number in range(6)])
    with pytest.raises(ServiceUnavailable):
        RedisAdmissions(databases).matching_names(job.owner, job.hash)


class SteppedDatabases(RedisDatabases):
    """Waits for its turn before every script."""

    def __init__(self, settings: RedisSettings, conductor: Conductor, player: int) -> None:
        super().__init__(settings)
        self._conductor = conductor
        self._player = player

    def call_many(self, script: str, calls: Sequence[Sequence[Argument]]) -> list[object]:
        self._conductor.step(self._player)
        return super().call_many(script, calls)


def test_two_workers_fill_the_room_at_once(databases: RedisDatabases, redis_settings: RedisSettings) -> None:
    """Images of one person from two workers, their scripts in many orders, where the room for links ends."""
    chance = random.Random(7)
    for _ in range(40):
        databases.client(OWN).flushall()
        shop = Shop(databases)
        shop.scan([(f"old {number}.jpg", (number / 100,)) for number in range(KEPT - 1)])
        schedule = [0] * 10 + [1] * 10
        chance.shuffle(schedule)
        play(shop, redis_settings, Conductor(schedule))
        shop.assert_sound()


def play(shop: Shop, settings: RedisSettings, conductor: Conductor) -> None:
    errors: list[BaseException] = []

    def work(player: int) -> None:
        own = SteppedDatabases(settings, conductor, player)
        try:
            commits = RedisCommits(own, links_kept=KEPT)
            rule = ScanRule(commits, RedisJournal(own), TOLERANCE)
            rule.load()
            for number in range(2):
                job = scan_job(shop.admissions, f"{player}-{number}.jpg")
                shop.places[job.name] = (job, (number / 50,))
                rule.finish([to_scanned(job, commits.begin([job])[0].image_ticket, analysis(number / 50))])
        except BaseException as error:  # noqa: BLE001 - handed to the test
            errors.append(error)
        finally:
            conductor.finish(player)
            own.close()

    threads = [threading.Thread(target=work, args=(player,)) for player in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
