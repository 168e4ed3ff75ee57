"""Plugins on the real stack: the examples, one that fails, order, and owners."""

from __future__ import annotations

import base64
import json
import secrets
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import requests

from facerec.errors import ConfigError
from facerec.plugins.host import find_plugins
from tests.drawings import showing
from tests.integration.findface.conftest import TIMEOUT, Client
from tests.stack import ROOT, Stack

FAILING = "def activate(app, ctx, options):\n    raise RuntimeError('no such thing')\n"
PROBING = """
from dataclasses import replace

from flask import Blueprint

from facerec.plugins.context import ALL_USERS
from facerec.plugins.handlers import BaseHandler, BaseVideoHandler

blueprint = Blueprint("probing", __name__)


@blueprint.get("/probing/blueprint")
def get():
    return {"from": "blueprint"}


class Faces(BaseHandler):
    async def get(self, whose):
        user = ALL_USERS if whose == "all" else self.user
        return {"count": await self.ctx.faces.count(user), "next": await self.ctx.counters.next("calls")}


class Frame(BaseVideoHandler):
    async def process_frame(self, *, image, faces, timestamp, detector_info, **more):
        hits = await self.ctx.faces.identify(self.user, "default", faces[0], limit=2, filters={"meta": "wanted"})
        if timestamp:
            return {"year": timestamp.year, "score": detector_info["score"], "cam_id": more["cam_id"]}
        return [{"meta": hit.face.meta, "confidence": hit.confidence} for hit in hits]


class Broken(BaseHandler):
    def get(self):
        raise RuntimeError("broken")


def wish_more(owner, wish):
    return replace(wish, meta=(wish.meta or "") + "!") if wish.meta == "before" else None


def fail(owner, faces):
    raise RuntimeError("after")


def activate(app, ctx, options):
    app.register_blueprint(blueprint)
    app.add_handlers(".*", [(r"/probing/(all|mine)", Faces), (r"/probing/frame", Frame), (r"/probing/broken", Broken)])
    app.add_handlers(".*", [(r"/v1/persons", Broken)])
    ctx.hooks.add_before_store("probing", wish_more)
    ctx.hooks.add_after_store("probing", fail)
"""


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("plugins")
    (folder / "failing.py").write_text(FAILING)
    (folder / "probing.py").write_text(PROBING)
    shutil.copy(Path(__file__).with_name("walk.py"), folder)
    (folder / "leaving.py").write_text("raise SystemExit(3)\n")
    folders = f"{folder},{ROOT / 'examples' / 'plugins'}"
    return {"PLUGINS_DIRS": folders, "PLUGINS_ENABLED": "failing,*", "ANALYSER": "examples.analyser:make"}


def test_the_context_does_what_its_methods_say(client: Client, client_of: Callable[[], Client]) -> None:
    client_of().post_face(showing("somebody of another owner"))
    token = secrets.token_urlsafe(24)
    answer = client.call("POST", "/context", files={"photo": showing("ann")}, data={"token": token})
    assert answer["galleries"] == [["default", "guests"], None, 2]
    assert (answer["camera"]["meta"], answer["camera"]["roi"], answer["camera"]["enabled"]) == (
        "gate",
        [1, 2, 3, 4],
        True,
    )
    assert answer["model"] == [1, False, None]
    assert answer["indexes"] == [None, None, None]
    assert answer["age"] == [50]
    face = answer["face"]
    assert face["bbox"] == {"x1": 20, "y1": 100, "x2": 120, "y2": 200}
    assert (face["gender"], face["emotions"], face["score"]) == ("female", None, 1.0)
    assert bytes.fromhex(answer["chip"]) == b"\x89PNG"
    assert answer["nobody"] == [None, 0]
    stored = answer["stored"]
    assert (stored["meta"], stored["galleries"]) == ("Ann", ["default", "guests"])
    assert answer["hits"] == [[stored["id"], 1.0]]
    assert answer["servers"] == [1, 1]
    assert answer["same"] is True
    assert answer["person"][0]["meta"] == "Ann"
    assert answer["person"][1] is True
    assert answer["persons"] == ["Ann", "Bob"]
    assert answer["friend"] == [False, False]
    assert answer["others"] == [True, True]
    assert answer["left"] == [0, 1]
    assert answer["removed"] == [True, True, None, True, None]
    client.call("GET", f"/images/{face['photo_hash']}", 404)
    newcomer = requests.get(f"{client.url}/v1/faces", headers={"Authorization": f"Token {token}"}, timeout=TIMEOUT)
    assert newcomer.json()["results"] == []

    refused = client.call("POST", "/context/refused", files={"photo": showing("ann")})
    assert refused == [*["ValueError"] * 8, "BadParam", "BadParam", "TypeError"]


def test_an_analyser_tells_age_gender_and_emotions(client: Client) -> None:
    photo = {"photo": base64.b64encode(showing("ann")).decode()}
    wanted = {"gender": True, "age": "true", "emotions": True}
    told = {"gender": "female", "age": 50.0, "emotions": ["neutral", "happy"]}
    box = {"x1": 20, "y1": 100, "x2": 120, "y2": 200}
    assert client.call("POST", "/detect", json=photo | wanted)["faces"] == [box | told]
    assert client.call("POST", "/detect", json=photo | {"age": True})["faces"] == [box | {"age": 50.0}]
    assert client.call("POST", "/detect", json=photo)["faces"] == [box]
    assert client.call("POST", "/v0/detect", json=photo | wanted)["faces"] == [box]

    (face,) = client.call("POST", "/face", json=photo | {"gender": True})["results"]
    assert face["gender"] == "female"
    assert "age" not in face
    (face,) = client.call("POST", "/face", json=photo | {"age": True, "emotions": True})["results"]
    for path in (f"/face/id/{face['id']}", "/faces"):
        found = client.call("GET", path)
        assert told.items() <= (found if "id" in found else found["results"][0]).items()
        found = client.call("GET", f"/v0{path}")
        assert told.keys().isdisjoint(found if "id" in found else found["results"][0])
    ((_, row),) = client.call("POST", "/identify", json=photo)["results"].items()
    assert told.items() <= row[0]["face"].items()
    (old,) = client.call("POST", "/v0/face", json=photo | wanted)["results"]
    assert told.keys().isdisjoint(old)


def test_the_report_shows_who_was_identified(client: Client) -> None:
    client.post_face(showing("ann"), meta="Ann <b>")
    client.call("POST", "/identify", files={"photo": showing("ann")})
    client.call("POST", "/identify", files={"photo": showing("stranger")})
    page = client.session.get(f"{client.url}/report", timeout=TIMEOUT)
    assert page.headers["Content-Type"].startswith("text/html")
    assert "Ann &lt;b&gt;" in page.text
    assert "unknown" in page.text
    assert requests.get(f"{client.url}/report", timeout=TIMEOUT).status_code == 401


def test_the_stream_tells_what_happens(client: Client, client_of: Callable[[], Client]) -> None:
    address = f"{client.url}/stream?seconds=30"
    with client.session.get(address, stream=True, timeout=TIMEOUT) as answer:
        lines = answer.iter_lines(chunk_size=1)
        assert next(lines) == b": ready"
        client_of().post_face(showing("bob"), meta="of another owner")
        face = client.post_face(showing("ann"), meta="Ann")[0]
        told = [line for line in (next(lines) for _ in range(3)) if line]
        assert told[0] == b"event: stored"
        assert json.loads(told[1].removeprefix(b"data: ")) == [{"id": face["id"], "meta": "Ann"}]


def test_handlers_blueprints_and_owners(client_of: Callable[[], Client]) -> None:
    one, two = client_of(), client_of()
    for client in (one, two):
        client.post_face(showing("ann"))
        answer = client.session.get(f"{client.url}/probing/blueprint", timeout=TIMEOUT)
        assert answer.json() == {"from": "blueprint"}
    counts = [one.session.get(f"{one.url}/probing/{whose}", timeout=TIMEOUT).json() for whose in ("mine", "all")]
    assert counts[0]["count"] == 1
    assert counts[1]["count"] >= 2
    assert counts[1]["next"] == counts[0]["next"] + 1
    assert requests.get(f"{one.url}/probing/blueprint", timeout=TIMEOUT).status_code == 401


def test_filters_come_before_the_limit(client: Client) -> None:
    for meta in ("other", "other", "other", "wanted", "wanted"):
        client.post_face(showing("ann"), meta=meta)
    answer = client.session.post(f"{client.url}/probing/frame", files={"photo": showing("ann")}, timeout=TIMEOUT)
    assert [hit["meta"] for hit in answer.json()] == ["wanted", "wanted"]


def test_a_frame_of_a_video_detector(client: Client) -> None:
    sent = {"timestamp": "2020-01-02T03:04:05", "detectorParams": '{"score": -0.5}', "cam_id": "c"}
    read = client.call("POST", "/probing/frame", files={"photo": showing("ann")}, data=sent)
    assert read == {"year": 2020, "score": -0.5, "cam_id": "c"}
    for wrong, param in (({"timestamp": "noon"}, "timestamp"), ({"detectorParams": "{"}, "detectorParams")):
        refused = client.call("POST", "/probing/frame", 400, files={"photo": showing("ann")}, data=wrong)
        assert (refused["code"], refused["param"]) == ("BAD_PARAM", param)
    assert client.call("POST", "/probing/frame", 400, json={})["param"] == "photo"


def test_a_plugin_that_fails_is_named_and_stops_nothing(client: Client, stack: Stack) -> None:
    assert client.post_face(showing("ann"), meta="before")[0]["meta"] == "before!"  # its other hook fails
    answer = client.session.get(f"{client.url}/probing/broken", timeout=TIMEOUT)
    assert (answer.status_code, answer.json()["code"]) == (500, "INTERNAL")
    # A plugin's path comes before the built-in one.
    assert client.session.get(f"{client.url}/v1/persons", timeout=TIMEOUT).status_code == 500
    log = (stack.folder / "rest.log").read_text()
    for text in (
        *("plugin failing failed", "no such thing", "plugin probing failed", "plugin leaving failed"),
        "plugin report is active",
    ):
        assert text in log


def test_the_order_is_that_of_the_setting(tmp_path: Path) -> None:
    for name in ("a", "b", "c", "_hidden"):
        (tmp_path / f"{name}.py").touch()
    assert [name for name, _ in find_plugins([tmp_path], ["c", "*"])] == ["c", "a", "b"]
    assert [name for name, _ in find_plugins([tmp_path], ["b"])] == ["b"]
    with pytest.raises(ConfigError):
        find_plugins([tmp_path], ["d"])


def test_what_a_plugin_uploads_is_served_to_its_owner_and_erased_with_the_photo(
    client: Client, client_of: Callable[[], Client]
) -> None:
    photo = showing("ann")
    answer = client.call("POST", "/context/upload", files={"photo": photo})
    assert answer["refused"] == ["ValueError", "ValueError", "UnsupportedImage", "ValueError"]
    pictures = [client.session.get(client.url + url, timeout=TIMEOUT) for url in answer["urls"]]
    assert pictures[0].content == photo
    assert [each.headers["Content-Type"] for each in pictures] == ["image/png", "image/png", "image/jpeg", "image/jpeg"]
    assert [each.content[:3] for each in pictures[2:]] == [b"\xff\xd8\xff"] * 2
    client_of().call("GET", answer["urls"][0], 404)
    assert requests.get(client.url + answer["urls"][0], timeout=TIMEOUT).status_code == 401
    client.call("GET", f"/v1/uploads/{client.owner}/20240101/../secret", 404)

    client.call("DELETE", f"/face/id/{answer['id']}", 204)
    for url in answer["urls"]:
        client.call("GET", url, 404)


def test_uploads_of_a_photo_can_be_removed_without_it(client: Client) -> None:
    files = {"photo": showing("ann")}
    answer = client.call("POST", "/context/upload", files=files)
    assert client.call("DELETE", "/context/upload", files=files) == {"removed": 4}
    client.call("GET", answer["urls"][0], 404)
    assert client.call("GET", f"/face/id/{answer['id']}")["id"] == answer["id"]
