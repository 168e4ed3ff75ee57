"""Plugins on the real stack: the examples, one that fails, order, and owners."""

from __future__ import annotations

import json
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
    return {"PLUGINS_DIRS": f"{folder},{ROOT / 'examples' / 'plugins'}", "PLUGINS_ENABLED": "failing,*"}


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


def test_a_plugin_that_fails_is_named_and_stops_nothing(client: Client, stack: Stack) -> None:
    assert client.post_face(showing("ann"), meta="before")[0]["meta"] == "before!"  # its other hook fails
    answer = client.session.get(f"{client.url}/probing/broken", timeout=TIMEOUT)
    assert (answer.status_code, answer.json()["code"]) == (500, "INTERNAL")
    # A plugin's path comes before the built-in one.
    assert client.session.get(f"{client.url}/v1/persons", timeout=TIMEOUT).status_code == 500
    log = (stack.folder / "rest.log").read_text()
    for text in ("plugin failing failed", "no such thing", "plugin probing failed", "plugin report is active"):
        assert text in log


def test_the_order_is_that_of_the_setting(tmp_path: Path) -> None:
    for name in ("a", "b", "c", "_hidden"):
        (tmp_path / f"{name}.py").touch()
    assert [name for name, _ in find_plugins([tmp_path], ["c", "*"])] == ["c", "a", "b"]
    assert [name for name, _ in find_plugins([tmp_path], ["b"])] == ["b"]
    with pytest.raises(ConfigError):
        find_plugins([tmp_path], ["d"])
