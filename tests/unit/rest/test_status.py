"""How work goes; the states of many images; the dead letters."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from facerec.errors import BrokerUnavailable, StoreUnavailable
from facerec.ports import DeadLetter
from rest.dead import Letters
from rest.status import MatchedFaces, States, Status
from tests.front import DOCUMENT, HASH, SUMMARY, Front

OTHER = "cd" * 32


def letter(image_hash: str, owner: str = "default", name: str = "a.jpg") -> DeadLetter:
    return DeadLetter(image_hash, owner, name, 3, "CHILD_DIED", "it died", 3, 1_700_000_000.0, 10)


@pytest.fixture
def failed(front: Front) -> Front:
    front.admissions.documents["default", HASH] = DOCUMENT | {"state": "failed"}
    front.letters.letters = [letter(HASH), letter(OTHER, "other"), letter("", "")]
    return front


def test_status_tells_all_that_the_page_shows(client: FlaskClient, front: Front) -> None:
    front.publisher.waiting = 4
    front.workers.states["w-1"] |= {"processes": 2, "faces": 10, "jobs": 1, "position": 3}

    answer = client.get("/status").get_json()

    Status.model_validate(answer)
    assert {name: part["ok"] for name, part in answer["parts"].items()} == {
        "broker": True,
        "redis": True,
        "image_store": True,
        "workers": True,
    }
    assert answer["images"] == {"queued": 0, "processing": 0, "done": 1, "failed": 0}
    assert (answer["waiting"], answer["dead"]) == (4, 0)
    assert answer["workers"][0]["faces"] == 10
    assert answer["pictures"] == {"store": "none", "days": 0.0}
    assert {name: preset["tolerance"] for name, preset in answer["presets"].items()} == {
        "strict": 0.5,
        "medium": 0.55,
        "low": 0.6,
    }


def test_status_answers_whatever_is_away(client: FlaskClient, front: Front) -> None:
    front.publisher.failures["depth"] = BrokerUnavailable("RabbitMQ: away")
    front.overview.failures["counts"] = StoreUnavailable("Redis: away")

    answer = client.get("/status").get_json()

    Status.model_validate(answer)
    assert answer["parts"]["broker"] == {"ok": False, "reason": "RabbitMQ: away", "reads": False}
    assert answer["parts"]["redis"] == {"ok": False, "reason": "Redis: away", "reads": False}
    assert answer["parts"]["workers"]["ok"] is False
    assert (answer["waiting"], answer["dead"], answer["images"], answer["workers"]) == (None, None, None, None)


def test_a_worker_that_lacks_its_model_is_no_worker(client: FlaskClient, front: Front) -> None:
    front.workers.states = {"w": {"problem": "no model files"}}

    assert client.get("/status").get_json()["parts"]["workers"] == {
        "ok": False,
        "reason": "no model files",
        "reads": False,
    }


def test_states_of_many(client: FlaskClient) -> None:
    answer = client.post("/images/states", json={"hashes": [HASH, OTHER]}).get_json()

    States.model_validate(answer, strict=True)
    assert answer == {"results": [SUMMARY]}


@pytest.mark.parametrize("body", [{}, {"hashes": ["x"]}, {"hashes": [HASH] * 1001}])
def test_wrong_hashes_are_named(client: FlaskClient, body: object) -> None:
    assert client.post("/images/states", json=body).get_json()["code"] == "BAD_PARAM"


def test_matches_face_by_face(client: FlaskClient) -> None:
    answer = client.get(f"/images/{HASH}/faces").get_json()

    MatchedFaces.model_validate(answer, strict=True)
    match = {"hash": OTHER, "names": ["b.jpg"], "distance": 0.3, "face": 8192, "thumbnail": None}
    assert answer == {"faces": [{"id": 4096, "matches": [match]}]}
    assert client.get(f"/images/{'0' * 64}/faces").status_code == 404
    assert client.get(f"/images/{HASH}/faces?limit=0").status_code == 400


def test_an_owner_sees_its_own_letters(client: FlaskClient, failed: Front) -> None:
    answer = client.get("/dead").get_json()

    Letters.model_validate(answer, strict=True)
    assert [entry["hash"] for entry in answer["results"]] == [HASH, ""]
    assert answer["results"][0]["buried_at"] == "2023-11-14T22:13:20+00:00"
    assert answer["next_page"] is None


def test_letters_come_page_after_page(client: FlaskClient, failed: Front) -> None:
    first = client.get("/dead?limit=1").get_json()
    second = client.get(first["next_page"]).get_json()

    assert [entry["hash"] for entry in first["results"] + second["results"]] == [HASH, ""]
    assert second["next_page"] is None
    assert client.get("/dead?limit=0").status_code == 400


def test_a_letter_is_redriven_as_a_new_job(client: FlaskClient, failed: Front) -> None:
    answer = client.post("/dead/redrive", json={"hashes": [HASH]}).get_json()

    assert answer == {"count": 1, "hashes": [HASH]}
    assert failed.letters.redriven == [(letter(HASH), {"ticket": 1})]
    told = failed.admissions.told[0]
    assert (told.hash, told.name, told.ticket) == (HASH, "a.jpg", 1)


def test_all_means_all_of_ones_own_that_can_be_jobs(client: FlaskClient, failed: Front) -> None:
    assert client.post("/dead/redrive", json={"all": True}).get_json() == {"count": 1, "hashes": [HASH]}
    assert failed.letters.letters == [letter(OTHER, "other"), letter("", "")]


def test_an_erased_image_does_not_come_back(client: FlaskClient, failed: Front) -> None:
    failed.admissions.documents.clear()

    assert client.post("/dead/redrive", json={"all": True}).get_json()["count"] == 0


def test_letters_are_dropped(client: FlaskClient, failed: Front) -> None:
    assert client.post("/dead/drop", json={"hashes": [OTHER]}).get_json()["count"] == 0
    assert client.post("/dead/drop", json={"all": True}).get_json()["count"] == 2
    assert failed.letters.letters == [letter(OTHER, "other")]


@pytest.mark.parametrize("body", [{}, {"all": False}, {"all": True, "hashes": [HASH]}, {"hashes": "x"}])
@pytest.mark.parametrize("path", ["/dead/redrive", "/dead/drop"])
def test_it_must_be_said_which(client: FlaskClient, failed: Front, path: str, body: object) -> None:
    assert client.post(path, json=body).get_json()["code"] == "BAD_PARAM"
    assert len(failed.letters.letters) == 3


def test_a_broker_that_is_away_is_said(client: FlaskClient, front: Front) -> None:
    front.letters.failures |= dict.fromkeys(("count", "redrive", "drop"), BrokerUnavailable("away"))

    assert client.get("/dead").status_code == 503
    assert client.post("/dead/redrive", json={"all": True}).status_code == 503
    assert client.post("/dead/drop", json={"all": True}).status_code == 503
