"""Persons over HTTP: every method and every error, over a real Redis."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from facerec.adapters.redis import RedisDatabases, RedisPeople
from facerec.errors import DeadlineExceeded, StoreUnavailable
from facerec.jobs import Reply, Request
from facerec.model import parse_model
from tests.front import OTHER_TOKEN, TOKEN, Front
from tests.people_stage import BEFORE, FIRST, Scene, Stage
from tests.services_client import ServicesClient

MINE = {"Authorization": f"Token {TOKEN}"}
THEIRS = {"Authorization": f"Token {OTHER_TOKEN}"}
Call = Any


@pytest.fixture
def stage(databases: RedisDatabases) -> Stage:
    """Three people with 4, 3 and 2 pictures (persons 1, 2 and 3), and a stray."""
    stage = Stage(databases, before=BEFORE)
    stage.scenes = [[stage.scan(10.0 * n + 0.05 * m) for m in range(4 - n)] for n in range(3)]  # type: ignore[attr-defined]
    stage.stray = stage.scan(2.0)  # type: ignore[attr-defined]
    stage.group()
    return stage


@pytest.fixture
def scenes(stage: Stage) -> list[list[Scene]]:
    found: list[list[Scene]] = stage.scenes  # type: ignore[attr-defined]
    return found


@pytest.fixture
def front(stage: Stage) -> Front:
    front = Front(with_tokens=True)
    front.people = RedisPeople(stage.databases)

    def answer(call: Request) -> Reply:
        """What a worker answers to a search."""
        stage.rule.catch_up()
        model, wanted = parse_model(str(call.parameters["model"])), call.parameters
        found = [
            stage.rule.index.nearest(call.owner, model, probe, int(wanted["count"]), float(wanted["limit"]))
            for probe in np.frombuffer(call.body, "<f4").reshape(-1, 128)
        ]
        rows = [[{"face_id": hit.face_id, "distance": hit.distance} for hit in hits] for hits in found]
        return Reply(True, {"probes": rows, "known_faces": len(stage.rule.index)})

    front.requester.answer = answer
    return front


@pytest.fixture
def client(front: Front) -> FlaskClient:
    return ServicesClient(front.services)


@pytest.fixture
def ask(client: FlaskClient) -> Call:
    """Call as the owner of everything; the answer's JSON."""

    def call(method: str, path: str, body: Any = None, status: int = 200, **more: Any) -> Any:
        answer: TestResponse = client.open(path, method=method, json=body, headers=MINE, **more)
        assert answer.status_code == status, answer.text
        return answer.json if answer.data else None

    return call


def faces_of(scenes: list[Scene]) -> list[int]:
    return [scene.faces[0] for scene in scenes]


# ---------------------------------------------------------------- looking


def test_people_by_size_in_pages(ask: Call, scenes: list[list[Scene]]) -> None:
    page = ask("GET", "/people?limit=2")
    assert [(each["id"], each["faces"]) for each in page["results"]] == [(1, 4), (2, 3)]
    first = page["results"][0]
    assert first["cover"] == scenes[0][0].faces[0]
    assert (first["name"], first["hidden"], first["thumbnail"], first["same_name"]) == (None, False, None, [])
    last = ask("GET", page["next_page"])
    assert ([each["id"] for each in last["results"]], last["next_page"]) == ([3], None)


def test_people_by_name_named_unnamed_and_hidden(ask: Call) -> None:
    ask("PATCH", "/people/1", {"name": "Ann"})
    ask("PATCH", "/people/2", {"name": "Anna", "hidden": True})

    def ids(query: str) -> list[int]:
        return [each["id"] for each in ask("GET", f"/people?{query}")["results"]]

    assert ids("named=true") == [1]
    assert ids("named=false") == [3]
    assert ids("hidden=true") == [2]
    assert ids("name=An") == [1]
    assert ids("name=An&hidden=true") == [2]
    page = ask("GET", "/people?hidden=false&named=false&limit=1")
    assert page["next_page"] is None


def test_a_person_with_its_faces_in_pages(ask: Call, scenes: list[list[Scene]]) -> None:
    document = ask("GET", "/people/1?limit=3")
    assert [face["id"] for face in document["page"]["results"]] == faces_of(scenes[0])[:0:-1]
    assert document["page"]["results"][0]["image"] == scenes[0][3].hash
    assert document["page"]["results"][0]["person"] == 1
    rest = ask("GET", document["page"]["next_page"])["page"]
    assert ([face["id"] for face in rest["results"]], rest["next_page"]) == ([scenes[0][0].faces[0]], None)


def test_unknown_faces(ask: Call, stage: Stage, scenes: list[list[Scene]]) -> None:
    ask("PATCH", "/people/1", {"name": "Ann"})
    stray = stage.stray.faces[0]  # type: ignore[attr-defined]
    found = ask("GET", "/faces?person=none")["results"]
    assert [face["id"] for face in found] == [*faces_of(scenes[1])[::-1], *faces_of(scenes[2])[::-1], stray]
    assert [face["group_size"] for face in found] == [3, 3, 3, 2, 2, 1]
    assert [face["person"] for face in found] == [2, 2, 2, 3, 3, None]
    page = ask("GET", "/faces?person=none&order=time&limit=2")
    assert [face["id"] for face in page["results"]] == [stray, scenes[2][1].faces[0]]
    assert len(ask("GET", page["next_page"])["results"]) == 2
    page = ask("GET", "/faces?person=none&limit=4")
    assert [face["id"] for face in ask("GET", page["next_page"])["results"]] == [scenes[2][0].faces[0], stray]


def test_suggestions_are_ranked_and_change_nothing(ask: Call, stage: Stage, scenes: list[list[Scene]]) -> None:
    near, nearer = stage.scan(-0.55), stage.scan(0.69)
    stage.group()
    split = ask("POST", "/people/1/split", {"faces": scenes[0][3].faces}, status=201)["id"]
    before = stage.placed()
    found = ask("GET", "/people/1/suggestions")["results"]
    assert [(each["face"], each["person"], each["faces"]) for each in found] == [
        (scenes[0][3].faces[0], split, 1),
        (near.faces[0], None, 1),
        (nearer.faces[0], None, 1),
    ]
    assert found[0]["distance"] == pytest.approx(0.1, abs=1e-3)
    assert [each["distance"] for each in found] == sorted(each["distance"] for each in found)
    assert stage.placed() == before
    assert len(ask("GET", "/people/1/suggestions?limit=1")["results"]) == 1


def test_suggestions_leave_out_what_somebody_knows_better(ask: Call, scenes: list[list[Scene]]) -> None:
    (face,) = scenes[0][3].faces
    ask("POST", "/people/1/not", {"faces": [face]}, status=204)
    assert ask("GET", "/people/1/suggestions")["results"] == []
    other = ask("POST", "/people/1/split", {"faces": scenes[0][2].faces}, status=201)["id"]
    for change, expected in (
        ({"name": "Bea"}, [other]),
        ({"hidden": True}, []),
        ({"hidden": False}, [other]),
    ):
        ask("PATCH", f"/people/{other}", change)
        assert [each["person"] for each in ask("GET", "/people/1/suggestions")["results"]] == expected
    ask("PATCH", "/people/1", {"name": "Ann"})
    assert ask("GET", "/people/1/suggestions")["results"] == []
    ask("PATCH", "/people/1", {"name": "Bea"})
    assert [each["name"] for each in ask("GET", "/people/1/suggestions")["results"]] == ["Bea"]


# ---------------------------------------------------------------- changing


def test_naming_hiding_and_choosing_the_cover(ask: Call, scenes: list[list[Scene]]) -> None:
    cover = scenes[0][2].faces[0]
    changed = ask("PATCH", "/people/1", {"name": " Ann ", "hidden": True, "cover": cover})
    assert (changed["name"], changed["hidden"], changed["cover"]) == ("Ann", True, cover)
    assert ask("PATCH", "/people/1", {"name": None})["name"] is None
    assert ask("PATCH", "/people/1", {"name": ""})["name"] is None
    ask("PATCH", "/people/2", {"name": "Kim"})
    assert ask("PATCH", "/people/3", {"name": "Kim"})["same_name"] == [2]


def test_a_person_that_goes_with_its_name_was_there(ask: Call, scenes: list[list[Scene]]) -> None:
    ask("PATCH", "/people/3", {"name": "Carl"})
    for face in faces_of(scenes[2]):
        ask("POST", f"/faces/{face}/person", {"person": None})
    last = ask("PATCH", "/people/3", {"name": None})
    assert (last["id"], last["name"], last["faces"]) == (3, None, 0)
    ask("GET", "/people/3", status=404)
    ask("PATCH", "/people/3", {"name": ""}, status=404)


def test_merging(ask: Call) -> None:
    ask("PATCH", "/people/1", {"name": "Ann"})
    ask("PATCH", "/people/2", {"name": "Bea"})
    refused = ask("POST", "/people/1/merge", {"into": 2}, status=409)
    assert refused["code"] == "CONFLICT"
    merged = ask("POST", "/people/1/merge", {"into": 2, "name": "Ann"})
    assert (merged["id"], merged["name"], merged["faces"], merged["contradicted"]) == (2, "Ann", 7, [])
    assert "merged into 2" in ask("GET", "/people/1", status=404)["reason"]
    assert ask("POST", "/people/3/merge", {"into": 2})["faces"] == 9


def test_splitting_rejecting_and_moving(ask: Call, client: FlaskClient, scenes: list[list[Scene]]) -> None:
    one, two, three, _ = faces_of(scenes[0])
    answer = client.post("/people/1/split", json={"faces": [one]}, headers=MINE)
    assert answer.status_code == 201
    new = answer.json["id"]  # type: ignore[index]
    assert answer.headers["Location"] == f"/people/{new}"
    assert ask("POST", "/people/1/not", {"faces": [two]}, status=204) is None
    assert ask("POST", f"/faces/{three}/person", {"person": 2}) == {"face": three, "person": 2}
    assert ask("POST", f"/faces/{three}/person", {"person": None}) == {"face": three, "person": None}
    assert ask("POST", f"/faces/{three}/person", {"person": "new"})["person"] > new
    assert ask("GET", "/people/1")["faces"] == 1


def test_undo_and_its_history(ask: Call) -> None:
    assert ask("POST", "/people/undo", status=404)["code"] == "NOT_FOUND"
    ask("PATCH", "/people/1", {"name": "Ann"})
    ask("POST", "/people/2/merge", {"into": 1})
    past = ask("GET", "/people/undo")["results"]
    assert [each["operation"] for each in past] == ["merge", "edit"]
    assert ask("POST", "/people/undo") == {"operation": "merge", "persons": [2, 1], "faces": 3}
    assert ask("POST", "/people/undo")["operation"] == "edit"
    assert ask("GET", "/people/1")["name"] is None


def test_what_erasure_made_impossible_is_refused(ask: Call, stage: Stage, scenes: list[list[Scene]]) -> None:
    ask("POST", "/people/3/merge", {"into": 1})
    for scene in scenes[2]:
        stage.erase(scene)
    refused = ask("POST", "/people/undo", status=409)
    assert refused["code"] == "CONFLICT"
    assert "erased" in refused["reason"]


# ---------------------------------------------------------------- errors

WRONG_PARAMETERS = [
    ("GET", "/people?limit=0", None, "limit"),
    ("GET", "/people?limit=many", None, "limit"),
    ("GET", "/people?named=perhaps", None, "named"),
    ("GET", "/people?colour=red", None, "colour"),
    ("GET", "/people?cursor=x", None, "cursor"),
    ("GET", "/people?name=A&cursor=x", None, "cursor"),
    ("GET", "/people/one", None, "person"),
    ("GET", "/people/99999999999999999", None, "person"),
    ("GET", "/people/1?cursor=x", None, "cursor"),
    ("GET", "/people/1/suggestions?limit=1000", None, "limit"),
    ("GET", "/faces", None, "person"),
    ("GET", "/faces?person=1", None, "person"),
    ("GET", "/faces?person=none&order=size", None, "order"),
    ("GET", "/faces?person=none&cursor=x", None, "cursor"),
    ("PATCH", "/people/1", {}, "body"),
    ("PATCH", "/people/1", {"hidden": "yes"}, "hidden"),
    ("PATCH", "/people/1", {"cover": 5}, "cover"),
    ("PATCH", "/people/1", {"name": "a\nb"}, "name"),
    ("PATCH", "/people/1", {"name": "x" * 201}, "name"),
    ("PATCH", "/people/1", {"nickname": "Annie"}, "nickname"),
    ("PATCH", "/people/1?force=1", {"name": "Ann"}, "force"),
    ("POST", "/people/1/merge", {}, "into"),
    ("POST", "/people/1/merge", {"into": "2"}, "into"),
    ("POST", "/people/1/merge", {"into": True}, "into"),
    ("POST", "/people/1/merge", {"into": 1}, "into"),
    ("POST", "/people/1/split", {"faces": []}, "faces"),
    ("POST", "/people/1/split", {"faces": [str(FIRST)]}, "faces.0"),
    ("POST", "/people/2/split", {"faces": [FIRST]}, "faces"),
    ("POST", "/people/2/not", {"faces": [FIRST]}, "faces"),
    ("POST", f"/faces/{FIRST}/person", {}, "person"),
    ("POST", f"/faces/{FIRST}/person", {"person": "Ann"}, "person"),
    ("POST", "/faces/x/person", {"person": 1}, "face"),
    ("POST", "/people/undo?times=2", None, "times"),
]


@pytest.mark.parametrize(("method", "path", "body", "param"), WRONG_PARAMETERS)
def test_wrong_parameters_are_named(ask: Call, method: str, path: str, body: Any, param: str) -> None:
    refused = ask(method, path, body, status=400)
    assert refused["code"] == "BAD_PARAM"
    assert refused["param"].startswith(param)


MISSING = [
    ("GET", "/people/99", None),
    ("GET", "/people/99/suggestions", None),
    ("PATCH", "/people/99", {"name": "Ann"}),
    ("POST", "/people/99/merge", {"into": 1}),
    ("POST", "/people/1/merge", {"into": 99}),
    ("POST", "/people/99/split", {"faces": [FIRST]}),
    ("POST", "/people/1/split", {"faces": [999 * 4096]}),
    ("POST", "/people/1/split", {"faces": [1 << 62]}),
    ("POST", "/people/1/split", {"faces": [-4096]}),
    ("POST", "/people/99/not", {"faces": [FIRST]}),
    ("POST", f"/faces/{FIRST}/person", {"person": 99}),
    ("POST", f"/faces/{FIRST}/person", {"person": -1}),
    ("POST", f"/faces/{999 * 4096}/person", {"person": 1}),
]


@pytest.mark.parametrize(("method", "path", "body"), MISSING)
def test_what_is_not_there_is_not_found(ask: Call, method: str, path: str, body: Any) -> None:
    assert ask(method, path, body, status=404)["code"] == "NOT_FOUND"


EVERY_CALL = [
    ("GET", "/people", None),
    ("GET", "/people/1", None),
    ("GET", "/people/1/suggestions", None),
    ("GET", "/people/undo", None),
    ("GET", "/faces?person=none", None),
    ("PATCH", "/people/1", {"name": "Ann"}),
    ("POST", "/people/1/merge", {"into": 2}),
    ("POST", "/people/1/split", {"faces": [FIRST]}),
    ("POST", "/people/1/not", {"faces": [FIRST]}),
    ("POST", f"/faces/{FIRST}/person", {"person": 2}),
    ("POST", "/people/undo", None),
]


@pytest.mark.parametrize(("method", "path", "body"), EVERY_CALL)
def test_a_token_is_needed_and_other_owners_see_and_change_nothing(
    client: FlaskClient, stage: Stage, method: str, path: str, body: Any
) -> None:
    before = stage.placed()
    assert client.open(path, method=method, json=body).status_code == 401
    answer = client.open(path, method=method, json=body, headers=THEIRS)
    assert answer.status_code == 404 or answer.json in ({"results": [], "next_page": None}, {"results": []})
    assert stage.placed() == before
    assert stage.people.history("default") == []


@pytest.mark.parametrize(("method", "path", "body"), EVERY_CALL)
def test_a_store_that_is_away_is_told(front: Front, method: str, path: str, body: Any) -> None:
    class Away:
        def __getattr__(self, name: str) -> Any:
            def fail(*_: Any, **__: Any) -> None:
                raise StoreUnavailable("Redis is away")

            return fail

    away = ServicesClient(replace(front.services, people=Away()))
    answer = away.open(path, method=method, json=body, headers=MINE)
    assert (answer.status_code, answer.json["code"]) == (503, "SERVICE_UNAVAILABLE")  # type: ignore[index]
    assert "Retry-After" in answer.headers


def test_malformed_json_large_bodies_and_wrong_methods(client: FlaskClient) -> None:
    broken = client.patch("/people/1", data=b"{", headers=MINE)
    assert (broken.status_code, broken.json["code"]) == (400, "MALFORMED_JSON")  # type: ignore[index]
    large = client.post("/people/1/not", data=b" " * 300_000, headers=MINE)
    assert (large.status_code, large.json["code"]) == (413, "TOO_LARGE")  # type: ignore[index]
    assert client.delete("/people/1", headers=MINE).status_code == 405


def test_a_search_that_takes_too_long(front: Front, client: FlaskClient) -> None:
    front.requester.failures["call"] = DeadlineExceeded("no worker answered in time")
    answer = client.get("/people/1/suggestions", headers=MINE)
    assert (answer.status_code, answer.json["code"]) == (504, "TIMEOUT")  # type: ignore[index]


def test_all_of_it_is_described(client: FlaskClient) -> None:
    described = client.get("/openapi.json").json
    assert described is not None
    for method, path in {
        ("get", "/people"),
        ("get", "/people/{person}"),
        ("patch", "/people/{person}"),
        ("post", "/people/{person}/merge"),
        ("post", "/people/{person}/split"),
        ("post", "/people/{person}/not"),
        ("get", "/people/{person}/suggestions"),
        ("get", "/people/undo"),
        ("post", "/people/undo"),
        ("get", "/faces"),
        ("post", "/faces/{face}/person"),
    }:
        assert method in described["paths"][path], path
    assert "person" in described["components"]["schemas"]["Face"]["properties"]
