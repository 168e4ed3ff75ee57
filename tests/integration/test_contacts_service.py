"""Contacts through the whole service, as processes: REST, RabbitMQ, a worker, Redis; and the Python module beside it."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest

from benchmarks import contacts as measured
from facerec import contacts
from facerec.config import RabbitSettings, RedisSettings, load_settings
from facerec.identity import image_hash
from facerec.services.contacts_rule import MIDDLE
from tests import pictures
from tests.contact_worlds import face, web
from tests.drawings import drawing, showing
from tests.stack import Stack


def ask(stack: Stack, method: str, path: str, body: Any = None) -> Any:
    answer = stack.session.request(method, stack.url + path, json=body, timeout=120)
    assert answer.ok, answer.text
    return answer.json()


def test_the_module_and_rest_serve_the_same_contacts(
    redis_settings: RedisSettings, rabbit_settings: RabbitSettings, tmp_path: Path
) -> None:
    bodies = {f"ann{n}.png": showing("ann") for n in range(12)} | {
        "nobody.png": showing(),
        "bob.png": showing("bob"),
        "crash.png": drawing(b"CRASH"),
        "text.png": b"no picture",
        "probe.png": showing("eve", "ann"),
    }
    with (
        web(bodies) as address,
        Stack(redis_settings, rabbit_settings, tmp_path, ENGINE="fake", ALLOW_FETCH_FROM="127.0.0.0/8") as stack,
    ):
        faces = [face(1, 2, n, f"{address}ann{n}.png") for n in range(12)]
        others = [
            face(1, 2, 20 + n, address + name)
            for n, name in enumerate(("nobody.png", "crash.png", "text.png", "none.png"))
        ]
        result = ask(stack, "POST", "/users/1/contacts/2/faces", {"faces": [*faces, *others]})
        assert sorted(each["face_id"] for each in result["added"] if each["is_face"]) == list(range(12))
        assert [each["face_id"] for each in result["added"] if not each["is_face"]] == [20]
        assert {each["face_id"]: each["code"] for each in result["error"]} == {
            21: "CHILD_DIED",
            22: "UNSUPPORTED_IMAGE",
            23: "FETCH_FAILED",
        }
        book = contacts.connect(settings=load_settings(stack.environment))
        assert book.get_faces(1) == sorted(result["added"], key=lambda each: each["face_id"])
        assert book.add_faces(1, 3, [face(1, 3, 1, address + "bob.png")])["added"]
        for found in (
            book.recognize_face(1, address + "probe.png"),
            ask(stack, "POST", "/users/1/recognize", {"face_url": address + "probe.png"}),
        ):
            assert found is not None
            assert {each["recognition_confidence"] < 0.01 for each in found} == {True}  # eve is the larger one
        (best, _) = ask(stack, "POST", "/users/1/recognize", {"face_url": f"{address}ann3.png"})
        assert (best["contact_id"], best["recognition_confidence"] > 0.99) == (2, True)
        images = ask(stack, "GET", "/images")["results"]
        assert len(images) == 13
        people = ask(stack, "GET", "/people?named=true")["results"]
        assert [(each["name"], each["faces"]) for each in people] == [
            ("contact 2 of user 1", 12),
            ("contact 3 of user 1", 1),
        ]
        ask(stack, "DELETE", f"/images/{image_hash(bodies['bob.png'])}")
        assert book.get_faces(1, 3) == []
        assert len(ask(stack, "DELETE", "/users/1")["deleted"]) == 13
        assert ask(stack, "GET", "/images")["results"] == []
        assert ask(stack, "GET", "/people")["results"] == []
        assert book.get_faces(1) == []


def test_a_face_that_was_removed_counts_again_when_its_picture_is_added(
    redis_settings: RedisSettings, rabbit_settings: RabbitSettings, tmp_path: Path
) -> None:
    bodies = {"ann.png": showing("ann"), "dan.png": showing("dan")}
    with (
        web(bodies) as address,
        Stack(redis_settings, rabbit_settings, tmp_path, ENGINE="fake", ALLOW_FETCH_FROM="127.0.0.0/8") as stack,
    ):
        for name, body in bodies.items():
            stack.wait_ended([ask(stack, "POST", "/scan/url", {"url": address + name})["hash"]])
            files = {"photo": (name, body)}
            posted = stack.session.post(f"{stack.url}/v1/face", files=files, timeout=60).json()["results"][0]["id"]
            assert stack.session.delete(f"{stack.url}/v1/face/id/{posted}", timeout=60).status_code == 204
        # To recognise it nothing need be written.
        assert ask(stack, "POST", "/users/1/recognize", {"face_url": address + "ann.png"}) == []
        assert ask(stack, "GET", f"/images/{image_hash(bodies['ann.png'])}")["faces"] == []

        result = ask(
            stack,
            "POST",
            "/users/1/contacts/2/faces",
            {"faces": [face(1, 2, n, address + name) for n, name in enumerate(bodies)]},
        )

        assert [each["is_face"] for each in result["added"]] == [True, True], result
        assert len(ask(stack, "GET", f"/images/{image_hash(bodies['ann.png'])}")["faces"]) == 1
        (best,) = ask(stack, "POST", "/users/1/recognize", {"face_url": address + "ann.png"})
        assert best["contact_id"] == 2


@pytest.mark.usefixtures("every_core")
@pytest.mark.skipif(not pictures.lfw100(), reason="needs lfw100, see tests/pictures.py")
def test_forty_nine_of_fifty_people_are_recognised_and_those_of_another_user_never_appear(
    redis_settings: RedisSettings, rabbit_settings: RabbitSettings, tmp_path: Path
) -> None:
    people = list(pictures.lfw100().values())
    bodies = {f"{c}-{n}.jpg": path.read_bytes() for c, paths in enumerate(people) for n, path in enumerate(paths)}
    with (
        web(bodies) as address,
        Stack(redis_settings, rabbit_settings, tmp_path, ALLOW_FETCH_FROM="127.0.0.0/8", LOG_LEVEL="WARNING") as stack,
    ):
        for user, contact in itertools.product((1, 2), range(10)):
            faces = [face(user, contact, n, f"{address}{contact}-{n}.jpg", score=n / 10) for n in range(5)]
            result = ask(stack, "POST", f"/users/{user}/contacts/{contact}/faces", {"faces": faces})
            assert len(result["added"]) == 5, result
        people = ask(stack, "GET", "/people?named=true")["results"]
        assert [(each["faces"], len(each["contacts"])) for each in people] == [(5, 2)] * 10
        right = sure = 0
        for contact, n in itertools.product(range(10), range(5, 10)):
            found = ask(stack, "POST", "/users/1/recognize", {"face_url": f"{address}{contact}-{n}.jpg"})
            assert {each["user_id"] for each in found} == {1}
            assert len({each["contact_id"] for each in found}) == len(found) == 3
            right += found[0]["contact_id"] == contact
            sure += found[0]["contact_id"] == contact and found[0]["recognition_confidence"] >= 0.5
        print(f"{right} of 50 first answers are right, {sure} of them with a confidence of at least 0.5")  # noqa: T201
        assert right >= 49
        assert sure >= 48


@pytest.mark.skipif(not pictures.lfw100(), reason="needs lfw100, see tests/pictures.py")
def test_over_all_252_splits_strangers_get_no_answer_and_contacts_the_right_one() -> None:
    """Five pictures of each person enrolled and the other five asked, and the other way round."""
    people = measured.encode()
    trials = [measured.trial(people, enrolled) for enrolled in measured.choices(0)]
    right, rejected, worst = measured.rates(trials, MIDDLE)
    print(f"{right * 50:.2f} of 50 right, {rejected:.2%} of strangers rejected, {worst:.2%} in the worst split")  # noqa: T201
    assert right * 50 >= 48
    assert rejected >= 0.95
