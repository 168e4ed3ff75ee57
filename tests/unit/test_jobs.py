from __future__ import annotations

from typing import Any

import pytest

from facerec.errors import BadParam, MalformedJob, NewerMessage
from facerec.identity import check_name, check_owner, check_url, face_id, image_hash, ticket_of
from facerec.jobs import Request, ScanJob

BODY = b"a picture"
JOB = ScanJob("default", image_hash(BODY), "Zoë 😀.jpg", 17, 1700000000.5, BODY, attempt=2)


def test_a_job_survives_the_journey() -> None:
    assert ScanJob.from_message(JOB.headers, BODY) == JOB


@pytest.mark.parametrize(
    "change",
    [
        {"facerec-version": None},
        {"facerec-version": 0},
        {"facerec-version": True},
        {"facerec-version": "1"},
        {"owner": "No Body"},
        {"hash": "ab"},
        {"hash": image_hash(b"another")},
        {"name": ""},
        {"name": 5},
        {"ticket": -1},
        {"ticket": True},
        {"ticket": "17"},
        {"queued-at": "yesterday"},
        {"queued-at": "nan"},
        {"queued-at": "inf"},
        {"queued-at": "1e400"},
        {"queued-at": "-1"},
        {"queued-at": "1e15"},
        {"queued-at": {"a": "dict"}},
        {"name": {"a": "dict"}},
        {"owner": ["default"]},
        {"hash": {}},
        {"attempt": 2**60},
    ],
)
def test_a_message_that_is_no_job_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(MalformedJob):
        ScanJob.from_message({**JOB.headers, **change}, BODY)


def test_a_message_of_a_newer_release_is_told_from_one_that_is_none() -> None:
    with pytest.raises(NewerMessage):
        ScanJob.from_message({"facerec-version": 2, "anything": "else"}, BODY)
    with pytest.raises(NewerMessage):
        Request.from_message({"facerec-version": 7}, BODY, 0.0)


def test_a_missing_header_is_refused() -> None:
    for name in JOB.headers:
        with pytest.raises(MalformedJob):
            ScanJob.from_message({key: value for key, value in JOB.headers.items() if key != name}, BODY)


def test_a_request_survives_the_journey() -> None:
    request = Request("analyse", "bob", 1700000001.0, {"model": 3, "boxes": [[1, 2, 3, 4]]}, BODY)
    assert Request.from_message(request.headers, BODY, 0.0) == request


@pytest.mark.parametrize("clock", [0.0, 1.7e9, 1.7e9 + 86400])
def test_a_deadline_does_not_depend_on_clocks_that_agree(clock: float) -> None:
    request = Request("analyse", "bob", 1700000005.0, {}, BODY)
    assert Request.from_message(request.headers_with(5.0), BODY, clock).deadline == clock + 5.0


@pytest.mark.parametrize("parameters", ["[]", "{", "[" * 100_000])
def test_hostile_parameters_are_refused(parameters: str) -> None:
    request = Request("analyse", "bob", 1.0, {}, BODY)
    with pytest.raises(MalformedJob):
        Request.from_message({**request.headers, "parameters": parameters}, BODY, 0.0)


@pytest.mark.parametrize(
    "name", ["a.jpg", "my holiday/day 1/a b.jpg", "😀.png", "..a", "x" * 1024, "https://a.b/c?d=e"]
)
def test_names_people_use(name: str) -> None:
    assert check_name(name) == name


@pytest.mark.parametrize("name", ["", "a\0b", "a\nb", "a\x1fb", "../a", "a/../b", "..", "x" * 1025, "\u2028", "\ud800"])
def test_names_that_are_refused(name: str) -> None:
    with pytest.raises(BadParam):
        check_name(name)


@pytest.mark.parametrize("url", ["", "no scheme", "http://a b", "http://[", "http://a/\n", "http://" + "a" * 2048])
def test_urls_that_are_refused(url: str) -> None:
    with pytest.raises(BadParam):
        check_url(url)


@pytest.mark.parametrize("owner", ["", "Bob", "-x", "a b", "a" * 49, "a\x1f"])
def test_owners_that_are_refused(owner: str) -> None:
    with pytest.raises(BadParam):
        check_owner(owner)


def test_a_face_id_leads_to_its_image() -> None:
    assert ticket_of(face_id(123456789, 4095)) == 123456789
    with pytest.raises(BadParam):
        face_id(1, 4096)
