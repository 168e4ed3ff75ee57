"""Grouping over a real Redis: in the order of the journal, whoever has the turn, whatever people do meanwhile."""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence

import pytest

from facerec.adapters.redis import RedisDatabases
from facerec.adapters.redis.layout import OWN
from facerec.adapters.redis.people_grouping import RedisGrouping
from facerec.faces import Analysis, Mark
from facerec.identity import DEFAULT_OWNER
from facerec.services.grouping_follower import IMAGES_AT_ONCE, LOOKED_AT, Placing
from tests.faces import face
from tests.people_stage import Stage


@pytest.fixture
def stage(databases: RedisDatabases) -> Stage:
    return Stage(databases)


def test_near_faces_gather_and_a_far_one_stays_alone(stage: Stage) -> None:
    one, two, far = stage.scan(0.0), stage.scan(0.2), stage.scan(5.0)
    stage.group()
    assert stage.groups() == [one.faces + two.faces]
    assert stage.placed()[far.faces[0]] is None
    later = stage.scan(0.1)
    stage.group()
    assert stage.groups() == [one.faces + two.faces + later.faces]


def test_who_waited_is_asked_again_when_its_person_grows(stage: Stage) -> None:
    first, second, waiting = stage.scan(0.0), stage.scan(0.1), stage.scan(0.58)
    stage.group()
    assert stage.placed()[waiting.faces[0]] is None
    between = stage.scan(0.3)
    stage.group()
    assert stage.groups() == [first.faces + second.faces + waiting.faces + between.faces]


def test_two_faces_of_one_picture_are_two_people(stage: Stage) -> None:
    stage.scan(0.0, 0.1)
    stage.group()
    assert stage.groups() == []
    stage.scan(0.05)
    stage.group()
    (group,) = stage.groups()
    assert len(group) == 2


def test_marked_and_doubtful_faces_take_no_part(stage: Stage) -> None:
    doubtful = face(0.0)
    doubtful = type(doubtful)(doubtful.box, doubtful.landmarks, 0.1, doubtful.encoding, doubtful.model)
    marked = face(0.1, marks=frozenset({Mark.BLURRED}))
    scene = stage.scan(faces=Analysis(100, 100, doubtful.model, (doubtful, marked)))
    other = stage.scan(0.05)
    stage.group()
    assert stage.placed() == {other.faces[0]: None}
    assert scene.faces


def test_owners_never_meet(stage: Stage) -> None:
    mine, theirs = stage.scan(0.0), stage.scan(0.0, owner="bob")
    stage.group()
    assert (stage.groups(), stage.groups("bob")) == ([], [])
    mine_too, theirs_too = stage.scan(0.1), stage.scan(0.1, owner="bob")
    stage.group()
    assert stage.groups() == [mine.faces + mine_too.faces]
    assert stage.groups("bob") == [theirs.faces + theirs_too.faces]
    assert stage.person_of(mine) != stage.person_of(theirs, owner="bob")


def test_the_order_of_the_journal_decides_not_when_the_follower_looks(databases: RedisDatabases) -> None:
    draw = random.Random(7)
    places = [draw.uniform(0, 12) for _ in range(90)]
    results = []
    for every in (1, 7, 90):
        databases.client(OWN).flushall()
        stage = Stage(databases)
        order = {}
        for number, place in enumerate(places):
            order[stage.scan(place).faces[0]] = number
            if number % every == every - 1:
                stage.group()
        stage.group()
        results.append([[order[each] for each in group] for group in stage.groups()])
    assert results[0] == results[1] == results[2]
    assert len(results[0]) > 3


def test_a_face_placed_stays_whatever_comes(stage: Stage) -> None:
    draw = random.Random(3)
    before: dict[int, int | None] = {}
    for _ in range(60):
        stage.scan(*(draw.uniform(0, 4) for _ in range(draw.randrange(3))))
        stage.group()
        after = stage.placed()
        assert {known: after[known] for known, person in before.items() if person is not None} == {
            known: person for known, person in before.items() if person is not None
        }
        before = after


def test_one_worker_at_a_time_has_the_turn(databases: RedisDatabases, stage: Stage) -> None:
    other = Stage(databases, "worker-2")
    stage.scan(0.0)
    assert stage.follower.step()
    stage.scan(0.1)
    assert not other.follower.step()
    stage.follower.resign()
    assert other.follower.step()
    assert len(other.groups()) == 1


def test_a_dead_leader_is_followed_when_its_turn_ends(databases: RedisDatabases, stage: Stage) -> None:
    stage.scan(0.0)
    stage.follower.step()
    assert 0 < databases.client(OWN).pttl("grouping:leader") <= 4000
    databases.client(OWN).delete("grouping:leader")
    stage.scan(0.1)
    other = Stage(databases, "worker-2")
    assert other.follower.step()
    assert len(other.groups()) == 1


def test_two_that_both_believe_to_lead_do_no_harm(databases: RedisDatabases, stage: Stage) -> None:
    first, second = stage.scan(0.0), stage.scan(0.1)
    store = RedisGrouping(databases)
    placing = Placing(DEFAULT_OWNER, 0, {first.faces[0]: -1, second.faces[0]: -1})
    assert store.place(0, 2, [placing])
    assert not store.place(0, 2, [placing])
    assert stage.groups() == [first.faces + second.faces]
    assert databases.client(OWN).get("people:last") == b"1"


def test_a_step_is_void_when_people_changed_meanwhile(databases: RedisDatabases, stage: Stage) -> None:
    stage.scan(0.0), stage.scan(0.1)
    stage.group()
    store = RedisGrouping(databases)
    late = stage.scan(0.05)
    view = store.look(DEFAULT_OWNER, [(late.hash, late.faces[0] // 4096)], late.faces, late.faces)
    stage.people.edit(DEFAULT_OWNER, 1, name="Ann")
    assert not store.place(2, 3, [Placing(DEFAULT_OWNER, view.version, {late.faces[0]: 1})])
    assert late.faces[0] not in stage.placed()
    stage.group()
    assert stage.person_of(late) == 1


def test_an_image_erased_before_its_turn_is_passed_over(stage: Stage) -> None:
    gone, kept = stage.scan(0.0), stage.scan(0.1)
    stage.erase(gone)
    stage.group()
    assert stage.placed() == {kept.faces[0]: None}


def test_after_a_trimmed_journal_all_images_are_gone_through(databases: RedisDatabases, stage: Stage) -> None:
    scenes = [stage.scan(0.02 * n) for n in range(40)]
    theirs = [stage.scan(0.02 * n, owner="bob") for n in range(3)]
    databases.client(OWN).xtrim("journal", maxlen=2, approximate=False)
    stage.group()
    assert stage.groups() == [[scene.faces[0] for scene in scenes]]
    assert stage.groups("bob") == [[scene.faces[0] for scene in theirs]]
    assert databases.client(OWN).get("grouping:position") == b"43"


def test_a_sweep_goes_on_where_people_were_changed(
    databases: RedisDatabases, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody edits a person again and again while all images are gone through: what is done is not done once more."""
    stage.scan(0.0), stage.scan(0.1)
    stage.group()
    for n in range(4 * IMAGES_AT_ONCE):
        stage.scan(3.0 + 0.001 * n)
    databases.client(OWN).xtrim("journal", maxlen=2, approximate=False)
    store, tries = stage.follower._store, itertools.count(1)
    records = store.records

    def records_and_an_edit(owner: str, faces: Sequence[int]) -> dict[int, bytes]:
        """Called between the look and the step; every other try is in vain."""
        number = next(tries)
        assert number <= 20
        if number % 2:
            stage.people.edit(owner, 1, name=f"name {number}")
        return records(owner, faces)

    monkeypatch.setattr(store, "records", records_and_an_edit)
    assert stage.follower.step() == IMAGES_AT_ONCE
    assert len(stage.placed()) == 4 * IMAGES_AT_ONCE + 2
    assert databases.client(OWN).get("grouping:position") == databases.client(OWN).get("journal:position")


def test_what_was_placed_before_a_gap_stays(databases: RedisDatabases, stage: Stage) -> None:
    one, two = stage.scan(0.0), stage.scan(0.1)
    stage.group()
    stage.people.split(DEFAULT_OWNER, stage.person_of(one), two.faces)
    before = stage.placed()
    for n in range(5):
        stage.scan(3.0 + 0.1 * n)
    databases.client(OWN).xtrim("journal", maxlen=1, approximate=False)
    stage.group()
    assert before.items() <= stage.placed().items()
    assert len(stage.groups()) == 3


def test_a_person_with_more_pictures_than_are_looked_at(stage: Stage) -> None:
    for n in range(LOOKED_AT + 40):
        stage.scan(0.001 * n)
    stage.group()
    (group,) = stage.groups()
    assert len(group) == LOOKED_AT + 40
    stage.scan(0.2)
    stage.group()
    assert len(stage.groups()[0]) == LOOKED_AT + 41
