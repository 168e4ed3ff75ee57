"""The two sets of faces on a real Redis: what is written aside, switched, and dropped, and what others see of it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace
from unittest.mock import Mock

import pytest

from facerec.adapters.redis import (
    RedisAdmissions,
    RedisAside,
    RedisAudit,
    RedisCommits,
    RedisDatabases,
    RedisFaceBook,
    RedisJournal,
    RedisOverview,
    RedisRegeneration,
    RedisRepairs,
)
from facerec.adapters.redis.layout import ASIDE_FACES, ASIDE_LINKS, FACES, LINKS, OWN
from facerec.errors import Conflict
from facerec.faces import Analysis, Box, Model
from facerec.identity import DEFAULT_OWNER, face_id
from facerec.jobs import ScanJob
from facerec.loading import load_index, load_sets
from facerec.records import face_id_of, model_of
from facerec.regenerate import Made, Share, Skip, Wanted, redetected
from facerec.regeneration import Batch, Remade
from facerec.rule import Outcome, ScanRule, to_scanned
from facerec.services.fsck import Fsck
from facerec.services.links import LinkCheck
from facerec.services.matches import WorkerMatches
from tests.faces import analysis, face, scan_job
from tests.known import IndexRequester
from worker.conductor import Conductor

Found = Callable[[Wanted], list[float]]
FAR = 7 * 86400.0


class World:
    """A worker without an engine, and the conductor's steps by hand. In the new model the face at ``x`` lies at ``10 + x``."""

    def __init__(self, databases: RedisDatabases) -> None:
        self.databases = databases
        self.admissions = RedisAdmissions(databases)
        self.commits = RedisCommits(databases)
        self.journal = RedisJournal(databases)
        self.steps = RedisRegeneration(databases)
        self.aside = RedisAside(databases)
        self.rule = ScanRule(self.commits, self.journal, 0.6)
        self.rule.load()
        self.places: dict[str, tuple[float, ...]] = {}

    def scan(self, name: str, *places: float, owner: str = DEFAULT_OWNER, model: Model | None = None) -> ScanJob:
        job = scan_job(self.admissions, name, owner=owner)
        self.places[job.hash] = places
        outcome = self.finish(job, *places, model=model)
        assert len(outcome.written) == 1, outcome
        return job

    def finish(self, job: ScanJob, *places: float, model: Model | None = None) -> Outcome:
        start = self.commits.begin([job])[0]
        self.rule.catch_up()
        chosen = model or self.rule.sets.model or Model.HOG
        shift = 10.0 if chosen is Model.CNN else 0.0
        faces = analysis(*(shift + each for each in places), model=chosen)
        # Faces of one picture stand side by side, so that each finds its own box again.
        faces = replace(faces, faces=tuple(replace(f, box=box(n)) for n, f in enumerate(faces.faces)))
        return self.rule.finish([to_scanned(job, start.image_ticket, faces)])

    def start(self, **more: object) -> int:
        arguments = {"model": Model.CNN, "base": Model.HOG, "parts": ("encodings",), "share": Share(), "skip": Skip()}
        return self.steps.start(**(arguments | {"workers": 0, "keep": FAR} | more))[1]  # type: ignore[arg-type]

    def make(self, wanted: Wanted, extra: tuple[float, ...] = ()) -> Made:
        shift = 10.0 if wanted.model is Model.CNN else 0.0
        places = (*self.places[wanted.hash], *extra)
        faces = [replace(face(shift + at, wanted.model), box=box(n)) for n, at in enumerate(places)]
        return redetected(wanted, faces, {})

    def put(self, wanted: Wanted, made: Made) -> bool:
        return self.rule.put_aside(self.aside, [Remade(wanted, made)]) == [True]

    def regenerate(self, run: int, extra: tuple[float, ...] = ()) -> int:
        """Do all that is to be done; how many images were written."""
        while self.steps.walk(run, "owe", 2):
            pass
        written = 0
        published = 0
        while (batch := self.steps.take(run, 3, 60, published)).images:
            published = batch.number
            for owner, image_hash in batch.images:
                wanted = self.aside.begin(run, owner, image_hash)
                assert wanted is not None
                written += self.put(wanted, self.make(wanted, extra))
        return written

    def switch(self, run: int, what: str = "cut over") -> None:
        self.steps.act(what)
        assert self.steps.switch(run) == "switched"
        while self.steps.settle(run, 2):
            pass

    def drop(self, run: int) -> None:
        while self.steps.walk(run, "drop", 2):
            pass
        assert self.steps.end(run, {"run": run})

    def matches(self, job: ScanJob) -> list[str]:
        return self.admissions.matching_names(job.owner, job.hash)

    def models(self, database: int = FACES) -> set[Model]:
        client = self.databases.client(database)
        return {model_of(record) for key in client.scan_iter() for record in client.lrange(key, 0, -1)}

    def assert_sound(self) -> None:
        audit = RedisAudit(self.databases)
        report = Fsck(audit, RedisRepairs(self.databases), LinkCheck(audit, RedisJournal(self.databases), 0.6)).run()
        assert report.clean, report.left
        self.rule.catch_up()
        fresh = load_sets(self.journal)
        for mine, loaded in ((self.rule.sets.current, fresh.current), (self.rule.sets.aside, fresh.aside)):
            assert (mine is None) == (loaded is None)
            for owner, model in {*(mine.partitions() if mine else ()), *(loaded.partitions() if loaded else ())}:
                assert mine is not None
                assert loaded is not None
                assert mine.face_ids(owner, model).tolist() == loaded.face_ids(owner, model).tolist()
        assert (self.rule.sets.model, self.rule.sets.aside_model) == (fresh.model, fresh.aside_model)


def box(number: int) -> Box:
    return Box(0, 100 * number + 90, 90, 100 * number)


@pytest.fixture
def world(databases: RedisDatabases) -> World:
    return World(databases)


def test_everything_moves_in_one_step_and_back(world: World) -> None:
    one, two = world.scan("one.jpg", 0.0, 5.0), world.scan("two.jpg", 0.3)
    foreign = world.scan("foreign.jpg", 0.1, owner="alice")
    none = world.scan("none.jpg")
    run = world.start()
    assert world.regenerate(run) == 4
    assert world.matches(one) == ["two.jpg"]
    assert world.models() == {Model.HOG}
    assert world.models(ASIDE_FACES) == {Model.CNN}
    current = world.steps.current()
    assert current is not None
    assert current.complete
    assert (current.total, current.done, current.moved, current.found) == (4, 4, 4, 0)
    world.assert_sound()

    before = world.rule.index.position
    world.switch(run)
    assert world.models() == {Model.CNN}
    assert world.matches(one) == ["two.jpg"]
    assert world.matches(foreign) == []
    document = world.admissions.image(DEFAULT_OWNER, one.hash)
    assert document is not None
    assert document["model"] == "cnn"
    assert [each["id"] for each in document["faces"]] == [face_id(one.ticket, 0), face_id(one.ticket, 1)]
    assert RedisOverview(world.databases).summaries(DEFAULT_OWNER, [none.hash])[0]["model"] == "cnn"
    world.rule.catch_up()
    assert world.rule.index.position == before + 1
    assert world.rule.sets.model is Model.CNN
    world.assert_sound()

    world.switch(run, "roll back")
    assert world.models() == {Model.HOG}
    assert RedisOverview(world.databases).summaries(DEFAULT_OWNER, [two.hash])[0]["model"] == "hog"
    world.assert_sound()

    world.switch(run)
    world.steps.act("finish")
    world.drop(run)
    assert world.models() == {Model.CNN}
    assert world.steps.current() is None
    assert world.steps.last() == {"run": run}
    for database in (ASIDE_FACES, ASIDE_LINKS):
        assert world.databases.client(database).dbsize() == 0
    left = {key.decode() for key in world.databases.client(OWN).keys("regenerate*")}
    assert left == {"regenerate:runs", "regenerate:last"}
    assert set(world.databases.client(OWN).hkeys(f"image:{one.hash}")).isdisjoint({b"other_model", b"regenerated"})
    world.assert_sound()


def test_uploads_during_the_run_are_in_both_sets(world: World) -> None:
    one = world.scan("one.jpg", 0.0)
    run = world.start()
    world.regenerate(run)
    two = world.scan("two.jpg", 0.2)
    with_both = world.steps.current()
    assert with_both is not None
    assert not with_both.complete
    world.regenerate(run)
    world.switch(run)
    assert world.matches(one) == ["two.jpg"]
    three = world.scan("three.jpg", 0.4)
    assert world.models() == {Model.CNN}
    assert world.matches(three) == ["one.jpg", "two.jpg"]
    world.regenerate(run)
    world.assert_sound()
    world.switch(run, "roll back")
    assert world.models() == {Model.HOG}
    assert world.matches(three) == ["one.jpg", "two.jpg"]
    assert world.matches(two) == ["one.jpg", "three.jpg"]
    world.assert_sound()
    world.steps.act("cancel")
    world.drop(run)
    world.assert_sound()


def test_a_switch_waits_for_the_last_image_and_commits_wait_for_the_switch(world: World) -> None:
    world.scan("one.jpg", 0.0)
    run = world.start()
    with pytest.raises(Conflict, match="looked at"):
        world.steps.act("cut over")
    world.regenerate(run)
    world.scan("two.jpg", 0.2)
    world.steps.act("cut over")
    assert world.steps.switch(run) == "not yet"
    late = scan_job(world.admissions, "late.jpg")
    world.places[late.hash] = (0.4,)
    outcome = world.finish(late, 0.4)
    assert outcome.held == {(late.owner, late.hash)}
    assert not outcome.written
    world.regenerate(run)
    assert world.steps.switch(run) == "switched"
    outcome = world.finish(late, 0.4, model=Model.HOG)
    assert outcome.stale == {(late.owner, late.hash)}
    assert not outcome.written
    assert world.finish(late, 0.4).written
    assert world.matches(late) == ["one.jpg", "two.jpg"]
    world.assert_sound()


def test_a_switch_that_cannot_be_made_is_given_up(world: World) -> None:
    run = world.start()
    world.regenerate(run)
    world.scan("two.jpg", 0.2)
    world.steps.act("cut over")
    world.databases.client(OWN).delete("regenerate:barrier")
    assert world.steps.switch(run) == "given up"
    run_now = world.steps.current()
    assert run_now is not None
    assert run_now.trouble
    assert world.models() == {Model.HOG}
    world.scan("three.jpg", 0.3)


def test_a_worker_that_was_overtaken_follows_the_switch(world: World) -> None:
    one = world.scan("one.jpg", 0.0)
    behind = World(world.databases)
    run = world.start()
    world.regenerate(run)
    world.switch(run)
    job = scan_job(behind.admissions, "two.jpg")
    start = behind.commits.begin([job])[0]
    outcome = behind.rule.finish([to_scanned(job, start.image_ticket, analysis(10.1, model=Model.HOG))])
    assert outcome.stale == {(job.owner, job.hash)}
    assert behind.rule.sets.model is Model.CNN
    behind.places[job.hash] = (0.1,)
    assert behind.finish(job, 0.1).written
    assert behind.matches(job) == ["one.jpg"]
    assert world.matches(one) == ["two.jpg"]
    world.places |= behind.places
    world.regenerate(run)
    world.assert_sound()


@pytest.mark.parametrize("meanwhile", [False, True], ids=["at once", "after it was found anew"])
@pytest.mark.parametrize("switched", [False, True], ids=["before the switch", "after it"])
def test_a_removed_face_comes_back_to_both_sets(world: World, *, meanwhile: bool, switched: bool) -> None:
    one, two = world.scan("one.jpg", 0.0, 5.0), world.scan("two.jpg", 0.3)
    run = world.start()
    world.regenerate(run)
    if switched:
        world.switch(run)
    back, stays = face_id(one.ticket, 0), face_id(one.ticket, 1)
    assert RedisFaceBook(world.databases).drop(DEFAULT_OWNER, back, 0.6)
    assert world.matches(one) == []
    if meanwhile:
        world.regenerate(run)
    world.rule.catch_up()
    model = world.rule.sets.model or Model.HOG
    at = replace(analysis(10.0 if switched else 0.0, model=model).faces[0], box=box(0))
    job = replace(one, ticket=world.admissions.admit(DEFAULT_OWNER, one.hash, "one.jpg").ticket)
    assert world.rule.finish([to_scanned(job, one.ticket, Analysis(100, 100, model, (at,)), restores=(back,))]).written
    world.assert_sound()
    world.regenerate(run)
    world.assert_sound()
    ways = ("roll back", "cut over") if switched else ("cut over", "roll back")
    for way in ways:
        assert world.matches(one) == ["two.jpg"]
        assert world.matches(two) == ["one.jpg"]
        document = world.admissions.image(DEFAULT_OWNER, one.hash)
        assert document
        assert [each["id"] for each in document["faces"]] == [back, stays]
        world.switch(run, way)
        world.rule.catch_up()
        world.assert_sound()


def test_erased_and_changed_images_are_so_in_both_sets(world: World) -> None:
    one, two = world.scan("one.jpg", 0.0), world.scan("two.jpg", 0.3, 5.0)
    three = world.scan("three.jpg", 5.2)
    run = world.start()
    world.regenerate(run)
    world.admissions.erase(DEFAULT_OWNER, one.hash)
    book = RedisFaceBook(world.databases)
    book.drop(DEFAULT_OWNER, face_id(two.ticket, 0), 0.6)
    assert world.databases.client(ASIDE_FACES).keys() == [three.hash.encode()]
    world.assert_sound()
    world.places[two.hash] = (0.3, 5.0)
    run_now = world.steps.current()
    assert run_now is not None
    assert (run_now.total, run_now.done, run_now.waiting) == (2, 1, 1)
    world.regenerate(run)
    world.switch(run)
    assert world.matches(three) == ["two.jpg"]
    world.admissions.erase(DEFAULT_OWNER, three.hash)
    world.switch(run, "roll back")
    assert world.matches(two) == []
    world.assert_sound()


def test_new_faces_come_into_the_galleries_with_the_switch_and_leave_with_it(world: World) -> None:
    one = world.scan("one.jpg", 0.0)
    run = world.start()
    world.regenerate(run, extra=(3.0,))
    book = RedisFaceBook(world.databases)
    new = face_id(one.ticket, 1)
    assert book.faces(DEFAULT_OWNER, [new]) == [None]
    world.switch(run)
    assert book.faces(DEFAULT_OWNER, [new]) != [None]
    notes = list(world.steps.notes())
    assert notes == [(DEFAULT_OWNER, one.hash, {"found": [str(new)]})]
    world.assert_sound()
    world.switch(run, "roll back")
    assert book.faces(DEFAULT_OWNER, [new]) == [None]
    assert book.faces(DEFAULT_OWNER, [face_id(one.ticket, 0)]) != [None]
    world.assert_sound()


def test_shares_of_one_run_make_each_face_once(world: World) -> None:
    jobs = [world.scan(f"{n}.jpg", 0.1 * n, 20 + 0.1 * n, 40 + 0.1 * n) for n in range(4)]
    run = world.start(share=Share(every=2, offset=0))
    assert world.regenerate(run) == 4
    half = world.steps.current()
    assert half is not None
    assert (half.done, half.parked, half.moved) == (0, 4, 8)
    with pytest.raises(Conflict, match="no share"):
        world.steps.act("cut over")
    assert world.start(share=Share(every=2, offset=1)) == run
    assert world.start(share=Share(every=2, offset=1)) == run
    world.regenerate(run)
    whole = world.steps.current()
    assert whole is not None
    assert (whole.done, whole.parked, whole.moved) == (4, 0, 12)
    records = world.databases.client(ASIDE_FACES).lrange(jobs[0].hash, 0, -1)
    assert [face_id_of(record) for record in records] == [face_id(jobs[0].ticket, n) for n in range(3)]
    world.switch(run)
    assert len(world.matches(jobs[0])) == 3
    world.assert_sound()


def test_what_is_asked_at_the_wrong_time_is_refused(world: World) -> None:
    for action in ("pause", "cut over", "roll back", "finish", "cancel"):
        with pytest.raises(Conflict):
            world.steps.act(action)
    world.scan("one.jpg", 0.0)
    run = world.start()
    with pytest.raises(Conflict, match="another"):
        world.start(model=Model.CNN_68)
    for action in ("roll back", "finish"):
        with pytest.raises(Conflict):
            world.steps.act(action)
    world.steps.act("pause")
    assert world.steps.take(run, 5, 60, 0).images == ()
    world.steps.act("resume")
    world.regenerate(run)
    world.switch(run)
    for action in ("cut over", "cancel"):
        with pytest.raises(Conflict):
            world.steps.act(action)
    with pytest.raises(Conflict, match="kept"):
        world.start()


def test_several_images_are_written_at_once_and_one_that_is_obsolete_takes_no_other_with_it(world: World) -> None:
    names = [f"{n}.jpg" for n in range(6)]
    # All but the last show one person.
    jobs = [
        world.scan(name, *places)
        for name, places in zip(names, [(0.1 * n, 5.0 * n) for n in range(5)] + [()], strict=False)
    ]
    run = world.start()
    world.steps.walk(run, "owe", 10)
    images = []
    for job in jobs:
        wanted = world.aside.begin(run, job.owner, job.hash)
        assert wanted is not None
        images.append(Remade(wanted, world.make(wanted)))
    world.admissions.erase(DEFAULT_OWNER, jobs[2].hash)
    other = World(world.databases)
    other.places = world.places
    other.rule.put_aside(other.aside, [images[3]])
    assert world.rule.put_aside(world.aside, [images[0], *images]) == [True, False, True, False, False, True, True]
    world.assert_sound()
    world.switch(run)
    assert world.matches(jobs[0]) == ["1.jpg", "3.jpg", "4.jpg"]
    assert world.matches(jobs[4]) == ["0.jpg", "1.jpg", "3.jpg"]
    assert world.matches(jobs[5]) == []
    world.assert_sound()


def test_ranges_of_ids_are_shares_too_and_both_ends_belong_to_them(world: World) -> None:
    jobs = [world.scan(f"{n}.jpg", 3.0 * n) for n in range(4)]
    ids = [face_id(job.ticket, 0) for job in jobs]
    run = world.start(share=Share(low=ids[1], high=ids[2]))
    world.regenerate(run)
    assert set(world.databases.client(ASIDE_FACES).keys()) == {jobs[1].hash.encode(), jobs[2].hash.encode()}
    with pytest.raises(Conflict, match="no share"):
        world.steps.act("cut over")
    for share in (Share(high=ids[1] - 1), Share(low=ids[2] + 1)):
        assert world.start(share=share) == run
    world.regenerate(run)
    whole = world.steps.current()
    assert whole is not None
    assert (whole.done, whole.parked, whole.moved) == (4, 0, 4)
    world.switch(run)
    world.assert_sound()


def test_the_old_set_is_dropped_when_its_time_is_over_and_not_before(world: World) -> None:
    jobs = [world.scan(f"{n}.jpg", 3.0 * n) for n in range(3)]
    clock = Mock(return_value=time.time())
    world.steps = RedisRegeneration(world.databases, clock)
    conductor = Conductor(
        "me",
        steps=world.steps,
        publisher=Mock(),
        workers=Mock(workers=dict),
        committer=Mock(),
        crashed=Mock(),
        clock=clock,
    )
    run = world.start(keep=1000.0)
    world.regenerate(run)
    world.switch(run)
    clock.return_value += 999.0
    conductor.step()
    kept = world.steps.current()
    assert kept is not None
    assert kept.state == "running"
    clock.return_value += 2.0
    for _ in range(10):
        conductor.step()
    conductor.close()
    assert world.steps.current() is None
    assert world.databases.client(ASIDE_FACES).dbsize() == world.databases.client(ASIDE_LINKS).dbsize() == 0
    assert world.models() == {Model.CNN}
    assert (world.steps.last() or {})["moved"] == len(jobs)
    world.assert_sound()


def test_what_a_dead_conductor_took_and_did_not_publish_is_taken_at_once(world: World) -> None:
    jobs = [world.scan(f"{n}.jpg", 1.0 * n) for n in range(4)]
    run = world.start()
    world.steps.walk(run, "owe", 10)
    first = world.steps.take(run, 1, 60, 0)
    second = world.steps.take(run, 2, 60, first.number)
    assert (len(first.images), len(second.images)) == (1, 1)
    # The next conductor knows of no batch. Of the last one it cannot be known whether its jobs are published: they go again.
    third = world.steps.take(run, 2, 60, 0)
    assert third.images == second.images
    # The same after the answer was lost on its way, or the broker was away.
    fourth = world.steps.take(run, 2, 60, second.number)
    assert fourth.images == third.images
    # What was published is not taken again, whoever asks.
    assert world.steps.take(run, 2, 60, fourth.number) == Batch(fourth.number, ())
    rest = world.steps.take(run, 4, 60, 0)
    assert sorted((*first.images, *fourth.images, *rest.images)) == sorted((job.owner, job.hash) for job in jobs)


def test_what_was_done_or_put_off_since_a_conductor_took_it_is_not_taken_again(world: World) -> None:
    for n in range(3):
        world.scan(f"{n}.jpg", 1.0 * n)
    run = world.start()
    world.steps.walk(run, "owe", 10)
    batch = world.steps.take(run, 3, 60, 0)
    (owner, done), (_, put_off), open_one = batch.images
    wanted = world.aside.begin(run, owner, done)
    assert wanted is not None
    assert world.put(wanted, world.make(wanted))
    world.aside.later(run, owner, put_off, 30, blamed=False)
    assert world.steps.take(run, 3, 60, 0).images == (open_one,)
    world.steps.act("cancel")
    assert not world.databases.client(OWN).exists("regenerate:unsent")


def test_links_gained_and_lost_are_counted(world: World) -> None:
    one, two = world.scan("one.jpg", 0.0), world.scan("two.jpg", 0.3)
    three = world.scan("three.jpg", 2.0)
    run = world.start()
    # The new model tells one and two apart, and takes two and three for one person.
    world.places |= {one.hash: (0.0,), two.hash: (2.0,), three.hash: (2.1,)}
    world.regenerate(run)
    while world.steps.walk(run, "count", 2):
        pass
    told = world.steps.current()
    assert told is not None
    assert (told.gained, told.lost) == (1, 1)
    world.switch(run)
    assert world.matches(two) == ["three.jpg"]
    world.assert_sound()


@pytest.fixture
def small_world(databases: RedisDatabases) -> World:
    """Few links are kept, so that the crowds have members."""
    world = World(databases)
    world.commits = RedisCommits(databases, links_kept=3)
    world.aside = RedisAside(databases, links_kept=3)
    world.rule = ScanRule(world.commits, world.journal, 0.6)
    world.rule.load()
    return world


def test_the_crowd_of_each_set_is_its_own(small_world: World) -> None:
    world, databases = small_world, small_world.databases
    jobs = [world.scan(f"{n}.jpg", 0.01 * n) for n in range(7)]
    lonely = world.scan("lonely.jpg", 4.0)
    run = world.start()
    world.places[jobs[0].hash] = (4.1,)
    world.regenerate(run)
    crowd, aside = (set(databases.client(OWN).zrange(key, 0, -1)) for key in ("crowd", "crowd:aside"))
    assert crowd
    assert aside
    world.switch(run)
    assert set(databases.client(OWN).zrange("crowd", 0, -1)) == aside
    assert set(databases.client(OWN).zrange("crowd:aside", 0, -1)) == crowd
    assert world.matches(lonely) == ["0.jpg"]
    world.assert_sound()


def spread(world: World, jobs: list[ScanJob]) -> tuple[float, ...]:
    """In the new model these images of one person lie far from each other; where."""
    world.places |= {job.hash: (20.0 * n,) for n, job in enumerate(jobs)}
    return tuple(20.0 * n for n in range(len(jobs)))


def assert_matched(world: World, jobs: list[ScanJob], name: str) -> None:
    """By the links that are kept for those outside the crowd, of which there are some."""
    crowd = world.databases.client(OWN).zrange("crowd", 0, -1)
    outside = [job for job in jobs if job.hash.encode() not in crowd]
    assert outside
    assert [world.matches(job) for job in outside] == [[name]] * len(outside)
    world.assert_sound()


def test_who_was_in_the_crowd_of_the_old_set_is_linked_in_the_new_one(small_world: World) -> None:
    jobs = [small_world.scan(f"{n}.jpg", 0.01 * n) for n in range(7)]
    places = spread(small_world, jobs)
    run = small_world.start()
    small_world.regenerate(run)
    small_world.switch(run)
    small_world.scan("all.jpg", *places)
    assert_matched(small_world, jobs, "all.jpg")


def test_who_was_in_the_crowd_of_an_earlier_regeneration_is_linked_in_the_next_one(small_world: World) -> None:
    jobs = [small_world.scan(f"{n}.jpg", 0.01 * n) for n in range(7)]
    run = small_world.start()
    small_world.regenerate(run)
    small_world.steps.act("cancel")
    small_world.drop(run)
    places = spread(small_world, jobs)
    run = small_world.start()
    small_world.regenerate(run)
    small_world.scan("all.jpg", *places)
    small_world.regenerate(run)
    small_world.switch(run)
    assert_matched(small_world, jobs, "all.jpg")


def crowded(world: World, job: ScanJob) -> dict[str, float]:
    """The matches of an image in the crowd, as a worker tells them: name -> distance."""
    assert world.databases.client(OWN).zscore("crowd", job.hash) is not None
    matches = WorkerMatches(IndexRequester(world.rule, 0.6), 10.0)
    admissions = RedisAdmissions(world.databases, matches)
    document = admissions.image(job.owner, job.hash)
    assert document is not None
    found = {match["names"][0]: match["distance"] for match in document["matches"]}
    assert document["matches_total"] == len(document["matches"]) == len(found)
    assert admissions.matching_names(job.owner, job.hash) == sorted(found)
    pages, cursor = dict[str, float](), ""
    while True:
        page = admissions.image(job.owner, job.hash, 2, cursor)
        assert page is not None
        pages |= {match["names"][0]: match["distance"] for match in page["matches"]}
        cursor = page["matches_cursor"]
        if not cursor:
            break
    assert pages == found
    faces = RedisOverview(world.databases, matches).face_matches(job.owner, job.hash, 0.6, 100)
    assert faces is not None
    assert {each["names"][0] for near in faces.values() for each in near} == set(found)
    return found


def leave(world: World, run: int, jobs: list[ScanJob], boxes: int) -> None:
    """Of these only the first ``boxes`` faces are found by the new model; the others keep their old records."""
    for job in jobs:
        wanted = world.aside.begin(run, DEFAULT_OWNER, job.hash)
        assert wanted is not None
        faces = [
            replace(face(10.0 + at, wanted.model), box=box(n))
            for n, at in enumerate(world.places[job.hash])
            if n < boxes
        ]
        assert world.put(wanted, redetected(wanted, faces, {}))


def test_an_image_in_the_crowd_with_faces_of_two_models_is_matched_in_both(small_world: World) -> None:
    """What could not be encoded anew has its old record in the new set."""
    world = small_world
    moved = [world.scan(f"moved {n}.jpg", 0.01 * n) for n in range(6)]
    left = [world.scan(f"left {n}.jpg", 0.02 * n + 50.0) for n in range(6)]
    both = world.scan("both.jpg", 0.0, 50.0)
    run = world.start()
    while world.steps.walk(run, "owe", 2):
        pass
    leave(world, run, left, 0)
    leave(world, run, [both], 1)
    leave(world, run, moved, 1)
    world.switch(run)
    expected = {f"moved {n}.jpg": 0.01 * n for n in range(6)} | {f"left {n}.jpg": 0.02 * n for n in range(6)}
    assert crowded(world, both) == pytest.approx(expected, abs=1e-5)
    world.assert_sound()


def test_an_image_whose_faces_were_left_matches_those_of_the_current_set(small_world: World) -> None:
    """The set that was switched away still has the others in the old model."""
    world = small_world
    moved = [world.scan(f"moved {n}.jpg", 0.01 * n) for n in range(6)]
    left = [world.scan(f"left {n}.jpg", 0.01 * n) for n in range(6)]
    run = world.start()
    while world.steps.walk(run, "owe", 2):
        pass
    leave(world, run, left, 0)
    leave(world, run, moved, 1)
    world.switch(run)
    assert sorted(crowded(world, left[0])) == [f"left {n}.jpg" for n in range(1, 6)]
    assert sorted(crowded(world, moved[0])) == [f"moved {n}.jpg" for n in range(1, 6)]
    world.switch(run, "roll back")
    assert len(crowded(world, left[0])) == 11
    world.assert_sound()


def test_a_damaged_set_of_an_older_job_is_refused(world: World) -> None:
    one = world.scan("one.jpg", 0.0)
    run = world.start()
    world.steps.walk(run, "owe", 10)
    wanted = world.aside.begin(run, DEFAULT_OWNER, one.hash)
    assert wanted is not None
    made = world.make(wanted)
    assert world.put(wanted, made)
    assert not world.put(wanted, made)
    assert world.aside.begin(run, DEFAULT_OWNER, one.hash) is None
    assert world.aside.begin(run + 1, DEFAULT_OWNER, one.hash) is None
    world.assert_sound()


def test_the_document_of_an_image_shows_the_current_set_alone(world: World) -> None:
    one = world.scan("one.jpg", 0.0)
    run = world.start()
    world.regenerate(run)
    world.switch(run)
    fields, *_ = world.databases.call("archive_image", DEFAULT_OWNER, "", one.hash)
    shown = {name.decode() for name in fields[::2]}
    assert not {name for name in shown if name.startswith("other") or name == "regenerated"}
    assert dict(zip(fields[::2], fields[1::2], strict=True))[b"model"] == b"1"
    assert json.loads(json.dumps(len(load_index(world.journal)))) == 1
    assert world.databases.client(LINKS).dbsize() == 0
