"""Where the pictures of an image lie, and which erased images still have some: on a real Redis."""

from __future__ import annotations

import pytest

from facerec.adapters.redis import RedisAdmissions, RedisDatabases, RedisErrands, RedisWhereabouts
from facerec.identity import DEFAULT_OWNER, face_id
from facerec.ports import Place
from tests.faces import scan_job


@pytest.fixture
def admissions(databases: RedisDatabases) -> RedisAdmissions:
    return RedisAdmissions(databases)


@pytest.fixture
def errands(databases: RedisDatabases) -> RedisErrands:
    return RedisErrands(databases)


def test_places_of_images_and_faces(admissions: RedisAdmissions, databases: RedisDatabases) -> None:
    whereabouts = RedisWhereabouts(databases)
    scan_job(admissions, "first.jpg")
    job = scan_job(admissions, "a.jpg", owner="alice")
    place = Place("alice", job.hash, job.ticket)

    assert whereabouts.of_image("alice", job.hash) == place
    assert whereabouts.of_face("alice", face_id(job.ticket, 3)) == place
    assert whereabouts.of_image(DEFAULT_OWNER, job.hash) is None
    assert whereabouts.of_face(DEFAULT_OWNER, face_id(job.ticket, 3)) is None
    assert whereabouts.of_face("alice", face_id(job.ticket + 1, 0)) is None


def test_a_place_keeps_the_first_ticket(admissions: RedisAdmissions, databases: RedisDatabases) -> None:
    first = scan_job(admissions, "a.jpg")
    scan_job(admissions, "again.jpg", first.body)

    assert RedisWhereabouts(databases).of_image(DEFAULT_OWNER, first.hash) == Place(
        DEFAULT_OWNER, first.hash, first.ticket
    )


@pytest.mark.parametrize("owner", [DEFAULT_OWNER, "alice"])
def test_an_erasure_is_open_until_settled(admissions: RedisAdmissions, errands: RedisErrands, owner: str) -> None:
    job = scan_job(admissions, "a.jpg", owner=owner)
    assert errands.erasure(owner, job.hash) is None

    admissions.erase(owner, job.hash)
    erased = Place(owner, job.hash, job.ticket)
    assert errands.erasure(owner, job.hash) == erased
    assert list(errands.erasures(10)) == [erased]

    errands.settle(erased)
    assert errands.erasure(owner, job.hash) is None
    assert list(errands.erasures(10)) == []


def test_a_later_erasure_is_not_settled_by_an_earlier_one(admissions: RedisAdmissions, errands: RedisErrands) -> None:
    job = scan_job(admissions, "a.jpg")
    admissions.erase(DEFAULT_OWNER, job.hash)
    earlier = errands.erasure(DEFAULT_OWNER, job.hash)
    later = scan_job(admissions, "a.jpg", job.body)
    admissions.erase(DEFAULT_OWNER, job.hash)

    assert earlier
    errands.settle(earlier)

    assert errands.erasure(DEFAULT_OWNER, job.hash) == Place(DEFAULT_OWNER, job.hash, later.ticket)


def test_a_turn_is_given_once(errands: RedisErrands) -> None:
    assert errands.turn("sweep", 600)
    assert not errands.turn("sweep", 600)
    assert errands.turn("other", 600)
