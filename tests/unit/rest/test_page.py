"""The page as the server sends it: nothing inline, nothing from elsewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from flask.testing import FlaskClient

import rest

STATIC = Path(rest.__file__).parent / "static"
TEMPLATES = Path(rest.__file__).parent / "templates"


@pytest.mark.parametrize("path", ["/", "/docs"])
def test_nothing_inline_and_nothing_from_elsewhere(client: FlaskClient, path: str) -> None:
    page = client.get(path, headers={"Accept": "text/html"}).text

    assert not re.search(r"<script(?![^>]*\bsrc=)", page)
    assert not re.search(r"<style|\sstyle=|\son\w+=", page)
    for address in re.findall(r'(?:src|href)="([^"]+)"', page):
        assert address.startswith(("/", "#")), address


def test_all_that_is_linked_is_there(client: FlaskClient) -> None:
    page = client.get("/").text

    for address in re.findall(r'(?:src|href)="(/[^"#]+)"', page):
        assert client.get(address, buffered=True).status_code == 200, address


def test_scripts_find_what_they_import() -> None:
    for script in STATIC.rglob("*.js"):
        for imported in re.findall(r'from "(\.[^"]+)"', script.read_text(encoding="utf-8")):
            assert (script.parent / imported).resolve().is_file(), f"{script.name}: {imported}"


def test_scripts_use_only_icons_that_are_drawn() -> None:
    drawn = set(re.findall(r'id="i-(\w+)"', (TEMPLATES / "icons.html").read_text(encoding="utf-8")))

    for file in [*STATIC.rglob("*.js"), *TEMPLATES.rglob("*.html")]:
        text = file.read_text(encoding="utf-8")
        used = set(re.findall(r'icon\("(\w+)"', text)) | set(re.findall(r'href="#i-(\w+)"', text))
        assert used <= drawn, file.name


def test_static_files_have_types_that_need_no_sniffing(client: FlaskClient) -> None:
    assert client.get("/static/js/main.js", buffered=True).mimetype in {"text/javascript", "application/javascript"}
    assert client.get("/static/css/base.css", buffered=True).mimetype == "text/css"
    assert client.get("/static/icon.svg", buffered=True).mimetype == "image/svg+xml"
    assert client.get("/static/js/main.js", buffered=True).headers["X-Content-Type-Options"] == "nosniff"
    assert client.get("/static/../page.py").status_code == 404


def test_the_page_needs_no_redis_and_no_token(guarded_client: FlaskClient) -> None:
    assert guarded_client.get("/", headers={"Accept": "text/html"}).status_code == 200
    assert guarded_client.get("/docs").status_code == 200


def test_the_docs_name_every_call(client: FlaskClient) -> None:
    page = client.get("/docs").text

    for path, methods in client.get("/openapi.json").get_json()["paths"].items():
        assert f"<code>{path}</code>" in page
        for operation in methods.values():
            assert f'id="{operation["operationId"]}"' in page


def test_links_in_the_docs_lead_somewhere(client: FlaskClient) -> None:
    page = client.get("/docs").text

    targets = set(re.findall(r'id="([^"]+)"', page))
    assert set(re.findall(r'href="#([^"]+)"', page)) <= targets
