"""What the store promises of faces in galleries, on a real Redis."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, cast
from unittest.mock import ANY

import pytest

from facerec.adapters.redis import (
    RedisAdmissions,
    RedisCommits,
    RedisDatabases,
    RedisFaceBook,
    RedisJournal,
    RedisPeople,
)
from facerec.adapters.redis.connection import Argument
from facerec.adapters.redis.findface_sets import RedisGallerySets
from facerec.adapters.redis.layout import LINKS, OWN
from facerec.adapters.redis.people_check import check_people
from facerec.config import RedisSettings
from facerec.enrolment import Candidates, Enrolment, PersonRule, Wish
from facerec.errors import BadParam, Conflict, NotFound
from facerec.faces import Model
from facerec.galleries import Bounds, Change, Dropped
from facerec.identity import DEFAULT_OWNER, face_id
from facerec.jobs import ScanJob
from facerec.loading import load_index
from facerec.rule import ScanRule, to_scanned
from facerec.services.enrolment import Enrolments
from facerec.services.lookup import Found, Lookup, Near
from tests.faces import analysis, scan_job

OWNER = DEFAULT_OWNER
Scan = Callable[..., tuple[ScanJob, list[int]]]


@pytest.fixture
def book(databases: RedisDatabases) -> RedisFaceBook:
    return RedisFaceBook(databases)


@pytest.fixture
def scan(databases: RedisDatabases) -> Scan:
    """Scan an image whose faces lie at the places given; with ``wish`` as one that was posted for its first face."""
    admissions, commits = RedisAdmissions(databases), RedisCommits(databases)

    def run(*places: float, owner: str = OWNER, wish: Wish | None = None) -> tuple[ScanJob, list[int]]:
        rule = ScanRule(commits, RedisJournal(databases), 0.6)
        rule.load()
        job = scan_job(admissions, "a.jpg", owner=owner)
        ticket = commits.begin([job])[0].image_ticket
        scanned = to_scanned(job, ticket, analysis(*places), Enrolment(wish, (face_id(ticket, 0),)) if wish else None)
        assert rule.finish([scanned]).written
        return job, [face_id(ticket, number) for number in range(len(places))]

    return run


def named(meta: str, *galleries: str, **more: object) -> Wish:
    return Wish(meta=meta, galleries=galleries, **more)  # type: ignore[arg-type]


def test_faces_of_the_core_are_in_the_default_gallery(book: RedisFaceBook, scan: Scan) -> None:
    job, faces = scan(0.0, 5.0)

    assert book.page(OWNER, "default", Bounds(), 10).ids == (faces[1], faces[0])
    found = book.faces(OWNER, [*faces, 77])
    assert found[2] is None
    assert found[0]
    assert (found[0].image, found[0].meta, found[0].galleries, found[0].person) == (
        job.hash,
        "",
        ("default",),
        None,
    )


def test_a_posted_face_is_written_with_all_that_was_said(book: RedisFaceBook, scan: Scan) -> None:
    book.add_gallery(OWNER, "staff")
    wish = named("Ann", "staff", "no such", fields={"cam_id": "c", "timestamp": "5.5"})
    _, faces = scan(0.0, 5.0, wish=wish)

    posted, bystander = book.faces(OWNER, faces)
    assert posted
    assert bystander is None
    assert (posted.meta, posted.galleries, posted.timestamp) == ("Ann", ("default", "staff"), 5.5)
    assert posted.attributes["cam_id"] == "c"
    hidden = book.faces(OWNER, faces, hidden=True)[1]
    assert hidden
    assert hidden.id == faces[1]
    assert [(each.meta, each.count, each.newest) for each in book.metas(OWNER, "staff", None, 9)[0]] == [
        ("Ann", 1, faces[0])
    ]


def test_erasing_leaves_no_key_of_a_face(book: RedisFaceBook, scan: Scan, databases: RedisDatabases) -> None:
    book.add_gallery(OWNER, "staff")
    rule = PersonRule(0.5, everywhere=True, friend_since=0.0, friend_days=1)
    job, faces = scan(0.0, 5.0, wish=named("Ann", "staff", fields={"cam_id": "c", "timestamp": "5"}, persons=rule))
    RedisAdmissions(databases).erase(OWNER, job.hash)

    left = {key.decode() for key in databases.client(OWN).keys("*")}
    assert [key for key in left if any(str(face) in key for face in faces)] == []
    for key in left:
        if databases.client(OWN).type(key) == b"zset":
            assert [face for face in faces if databases.client(OWN).zscore(key, face) is not None] == [], key
    assert databases.client(OWN).hgetall("gallery:staff:metas") == {}


def test_very_many_metas_are_read_some_at_a_time(book: RedisFaceBook, scan: Scan, databases: RedisDatabases) -> None:
    """Each face may have a meta of its own: one command that reads them all would keep everybody else waiting."""
    faces = [scan(float(n), wish=named(f"name {n}"))[1][0] for n in range(3)]
    client, others = databases.client(OWN), 20_000
    client.hset("gallery:default:metas", mapping={f"other {n:05}": 1 for n in range(others)})
    client.config_resetstat()

    found, is_more = book.metas(OWNER, "default", None, 2 * others)

    told = client.info("commandstats")
    assert "cmdstat_hgetall" not in told
    assert told["cmdstat_hscan"]["calls"] > 10
    assert [(each.meta, each.newest) for each in found] == [(f"name {n}", face) for n, face in enumerate(faces)]
    assert not is_more


def test_galleries_metas_and_versions_follow_a_change(
    book: RedisFaceBook, scan: Scan, databases: RedisDatabases
) -> None:
    for name in ("one", "two"):
        book.add_gallery(OWNER, name)
    _, (face,) = scan(0.0)
    sets = RedisGallerySets(databases)
    assert sets.members(OWNER, "one")[0] == 0

    book.change(OWNER, face, Change(meta="Bob", galleries=("add", ("one", "default"))))
    book.change(OWNER, face, Change(galleries=("set", ("two",))))
    book.change(OWNER, face, Change(galleries=("del", ("default", "nowhere"))))

    found = book.faces(OWNER, [face])[0]
    assert found
    assert found.galleries == ("default", "two")
    assert sets.changes(OWNER, "one", 0) == [(1, True, face), (2, False, face)]
    assert sets.members(OWNER, "two")[1].tolist() == [face]
    assert book.metas(OWNER, "one", None, 5) == ([], False)
    assert book.page(OWNER, "two", Bounds(), 5, meta="Bob").ids == (face,)
    assert book.page(OWNER, "one", Bounds(), 5, meta="Bob").ids == ()
    with pytest.raises(BadParam):
        book.change(OWNER, face, Change(galleries=("add", ("nowhere",))))
    with pytest.raises(NotFound):
        book.change(OWNER, face + 1, Change(meta=""))


def test_a_gallery_made_anew_is_not_the_old_one(book: RedisFaceBook, scan: Scan, databases: RedisDatabases) -> None:
    book.add_gallery(OWNER, "one")
    with pytest.raises(Conflict):
        book.add_gallery(OWNER, "one")
    _, (face,) = scan(0.0, wish=named("", "one"))
    sets = RedisGallerySets(databases)
    version, _ = sets.members(OWNER, "one")

    book.remove_gallery(OWNER, "one")
    book.add_gallery(OWNER, "one")

    assert sets.changes(OWNER, "one", version) is None
    assert sets.members(OWNER, "one")[1].tolist() == []
    found = book.faces(OWNER, [face])[0]
    assert found
    assert found.galleries == ("default",)
    with pytest.raises(NotFound):
        book.remove_gallery(OWNER, "other")


def test_a_dropped_face_takes_its_links_with_it(book: RedisFaceBook, scan: Scan, databases: RedisDatabases) -> None:
    first, faces = scan(0.0, 5.0)
    near_first, _ = scan(0.1)
    near_second, _ = scan(5.1)
    follower = ScanRule(RedisCommits(databases), RedisJournal(databases), 0.6)
    follower.load()

    assert book.drop(OWNER, faces[0], 0.6)
    assert book.drop(OWNER, faces[0], 0.6) is None

    links = databases.client(LINKS)
    assert links.smembers(first.hash) == {near_second.hash.encode()}
    assert links.smembers(near_first.hash) == set()
    assert follower.catch_up()
    journal = RedisJournal(databases)
    for index in (follower.index, load_index(journal)):
        owner, model = index.partitions()[0]
        assert faces[0] not in index.face_ids(owner, model)
        assert faces[1] in index.face_ids(owner, model)
    assert book.page(OWNER, "default", Bounds(), 9).ids[-1] == faces[1]


def test_the_last_face_of_a_posted_photo_goes_with_the_photo_or_not_at_all(book: RedisFaceBook, scan: Scan) -> None:
    _, (scanned,) = scan(0.0)
    job, (face,) = scan(5.0, wish=named("Ann"))

    assert book.drop(OWNER, scanned, 0.6) == Dropped(ANY, last=False)
    for _ in range(2):  # whoever was to erase it did not come to it: the next finds everything as it was
        assert book.drop(OWNER, face, 0.6) == Dropped(job.hash, last=True)
        assert book.page(OWNER, "default", Bounds(), 9, meta="Ann").ids == (face,)


class Stuttering(RedisDatabases):
    """Every connection is cut before the answer to a script comes, so each is run twice, and the second answer is what is heard."""

    def _send(self, script: str, calls: Sequence[Sequence[Argument]]) -> list[Any]:
        super()._send(script, calls)
        return super()._send(script, calls)


@pytest.fixture
def stuttering(redis_settings: RedisSettings) -> Iterator[Stuttering]:
    found = Stuttering(redis_settings)
    yield found
    found.close()


def test_what_is_sent_twice_is_done_once_and_answered_as_done(scan: Scan, stuttering: Stuttering) -> None:
    book, admissions = RedisFaceBook(stuttering), RedisAdmissions(stuttering)
    book.add_gallery(OWNER, "staff")
    with pytest.raises(Conflict):
        book.add_gallery(OWNER, "staff")
    job, (face,) = scan(0.0, wish=named("Ann", "staff"))
    assert book.faces(OWNER, [face])[0]
    book.remove_gallery(OWNER, "staff")
    with pytest.raises(NotFound):
        book.remove_gallery(OWNER, "staff")

    first, second = (book.add_person(OWNER, "Bob") for _ in range(2))
    found = RedisPeople(stuttering).people(OWNER, named=True, hidden=False, name=None, limit=9, cursor="")[0]
    assert sorted(person["id"] for person in found) == sorted([first, second])

    book.put_camera(OWNER, "c", {"id": "c"}, new=True)
    assert book.cameras(OWNER) == [{"id": "c"}]
    assert book.remove_camera(OWNER, "c")
    assert not book.remove_camera(OWNER, "c")

    _, faces = scan(1.0, 2.0)
    assert book.drop(OWNER, faces[0], 0.6)
    assert book.drop(OWNER, faces[0], 0.6) is None

    receipt = admissions.erase(OWNER, job.hash)
    assert receipt
    assert (receipt["names"], receipt["removed"]["database 3"]) == (["a.jpg"], 1)
    assert admissions.erase(OWNER, job.hash) is None


def test_owners_never_meet(book: RedisFaceBook, scan: Scan) -> None:
    book.add_gallery(OWNER, "one")
    book.add_gallery("other", "one")
    _, (mine,) = scan(0.0, wish=named("Ann", "one"))
    _, (theirs,) = scan(0.0, owner="other", wish=named("Ann", "one"))

    assert book.page("other", "one", Bounds(), 9, meta="Ann").ids == (theirs,)
    assert book.faces("other", [mine]) == [None]
    book.remove_gallery("other", "one")
    assert book.page(OWNER, "one", Bounds(), 9).ids == (mine,)


def test_persons_by_distance_camera_and_days(book: RedisFaceBook, scan: Scan, databases: RedisDatabases) -> None:
    def seen(place: float, camera: str, day: str, *, everywhere: bool = False) -> tuple[int | None, str]:
        fields = {"cam_id": camera, "timestamp": f"{int(day)}", "day": day}
        rule = PersonRule(0.5, everywhere=everywhere, friend_since=2.0, friend_days=2)
        _, (face,) = scan(place, wish=Wish(fields=fields, persons=rule, now=9.0))
        found = book.faces(OWNER, [face])[0]
        assert found
        return found.person, found.attributes["friend"]

    first, friend = seen(0.0, "a", "1")
    assert friend == "0"
    assert seen(0.4, "a", "2") == (first, "0")
    assert seen(0.4, "a", "2") == (first, "0")
    assert seen(0.4, "a", "3") == (first, "1")
    other, _ = seen(0.0, "b", "3")
    assert other != first
    assert seen(0.0, "c", "3", everywhere=True)[0] in {first, other}
    assert seen(3.0, "a", "3")[0] not in {first, other}
    assert len(RedisPeople(databases).people(OWNER, named=None, hidden=False, name=None, limit=9, cursor="")[0]) == 3
    assert first is not None
    assert len(book.person_faces(OWNER, first)) >= 4
    assert [book.seen_days(OWNER, first, "a", since) for since in (0, 2, 4)] == [3, 2, 0]


@pytest.mark.parametrize("posted_with_persons", [True, False])
def test_a_photo_that_is_posted_again_was_seen_by_the_camera_of_that_post_alone(
    book: RedisFaceBook, scan: Scan, databases: RedisDatabases, *, posted_with_persons: bool
) -> None:
    rule = PersonRule(0.5, everywhere=True, friend_since=0.0, friend_days=1)
    first = Wish(fields={"cam_id": "a", "timestamp": "1", "day": "1970-01-01"}, persons=rule, now=1.0)
    job, (face,) = scan(0.0, wish=first)
    fields = {"cam_id": "b", "timestamp": "2", "day": "1970-01-02"}
    again = Wish(fields=fields, persons=rule if posted_with_persons else None, now=2.0)

    assert book.enrol(OWNER, job.hash, Enrolment(again, (face,)), Candidates()) is True

    found = book.faces(OWNER, [face])[0]
    assert found
    assert found.person is not None
    assert found.attributes["cam_id"] == "b"
    assert [book.seen_days(OWNER, found.person, camera, 0.0) for camera in "ab"] == [0, 1]
    RedisAdmissions(databases).erase(OWNER, job.hash)
    assert list(databases.client(OWN).scan_iter("*:seen:*")) == []


def test_a_post_that_was_overtaken_looks_at_what_came(
    book: RedisFaceBook, scan: Scan, databases: RedisDatabases
) -> None:
    """A known image is posted again, and after its neighbours were looked for a new image of the same person is posted."""
    rule = PersonRule(0.5, everywhere=True, friend_since=0.0, friend_days=1)
    job, (known,) = scan(0.0)
    came: list[int] = []

    class Overtaken(Lookup):
        def search(self, owner: str, probes: Any, *_: Any, **__: Any) -> Found:
            index = load_index(RedisJournal(databases))
            if not came:
                came.extend(scan(0.1, wish=Wish(persons=rule, now=9.0))[1])
            hits = [index.nearest(owner, Model.HOG, probe, 9, 0.5) for probe in probes]
            rows = tuple(tuple(Near(hit.face_id, hit.distance) for hit in row) for row in hits)
            return Found(rows, index.position)

    lookup = Overtaken(cast(Any, None), 9.0, time.time)
    enrolments = Enrolments(book, RedisAdmissions(databases), lookup, time.time, 9.0)
    posted = enrolments.post(OWNER, job.body, "a.jpg", Wish(persons=rule, now=9.0))

    other = book.faces(OWNER, came)[0]
    assert [face.id for face in posted] == [known]
    assert other
    assert posted[0].person is not None
    assert posted[0].person == other.person


def test_a_person_without_faces_has_a_name(book: RedisFaceBook, databases: RedisDatabases) -> None:
    person = book.add_person(OWNER, "Ann")
    assert RedisPeople(databases).person(OWNER, person)["name"] == "Ann"
    with pytest.raises(BadParam):
        book.add_person(OWNER, "")
    assert list(check_people(databases)) == []


def test_pages_in_both_directions(book: RedisFaceBook, scan: Scan) -> None:
    ids = [scan(float(number) * 3)[1][0] for number in range(5)][::-1]

    first = book.page(OWNER, "default", Bounds(), 2)
    assert (first.ids, first.newer, first.older) == (tuple(ids[:2]), False, True)
    second = book.page(OWNER, "default", Bounds(below=ids[1]), 2)
    assert (second.ids, second.newer, second.older) == (tuple(ids[2:4]), True, True)
    last = book.page(OWNER, "default", Bounds(below=ids[3]), 2)
    assert (last.ids, last.newer, last.older) == ((ids[4],), True, False)
    back = book.page(OWNER, "default", Bounds(above=ids[4]), 2)
    assert (back.ids, back.newer, back.older) == (tuple(ids[2:4]), True, True)


def test_the_enrolment_survives_json() -> None:
    wish = Wish(boxes=((1, 2, 3, 4),), persons=PersonRule(0.5, everywhere=True, friend_since=1.0, friend_days=2))
    assert Wish.of(json.loads(json.dumps(wish.document()))) == wish
