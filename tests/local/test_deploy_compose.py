"""deploy-local-dev.sh with a real Docker engine: what its user does, and what happens when a worker is killed.

Needs an engine with Compose. It builds the two images, and pulls those of Python, Redis and RabbitMQ when it does not have them.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from facerec.local.ports import free_port
from tests import pictures
from tests.client import Client, wait_until
from tests.local.clones import Clone
from tests.plain import plain_matches

pytestmark = [pytest.mark.images, pytest.mark.timeout(1800)]

PARTS = {"redis", "rabbitmq", "rest", "worker", "logs"}
BUILD_SECONDS = 1200


def _why_not() -> str:
    """Why there are no containers here; empty when there can be."""
    if shutil.which("docker") is None:
        return "Docker is not installed"
    for question, what in ((["compose", "version"], "Docker has no Compose"), (["info"], "no Docker engine answers")):
        asked = subprocess.run(["docker", *question], capture_output=True, text=True, check=False)
        if asked.returncode:
            return f"{what}: {(asked.stderr or asked.stdout).strip()[-200:]}"
    return ""


class Composed:
    """A clone whose service runs in containers of a project of its own."""

    def __init__(self, folder: Path) -> None:
        self.clone = Clone(folder)
        self.port = free_port()
        self.variables = {"COMPOSE_PROJECT_NAME": f"facerec-test-{self.port}", "REST_PORT": str(self.port)}

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self.clone.run(*arguments, seconds=BUILD_SECONDS, **self.variables)

    def up(self, *arguments: str) -> str:
        done = self.run("up", *arguments)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        return done.stdout

    def client(self) -> Client:
        return Client(f"http://127.0.0.1:{self.port}", self.clone.data("token").read_text().strip())

    def containers(self) -> dict[str, set[str]]:
        """The ids of those that run, by part."""
        found: dict[str, set[str]] = {}
        for line in self.compose("ps", "--format", "json").splitlines():
            container = json.loads(line)
            found.setdefault(container["Service"], set()).add(container["ID"])
        return found

    def compose(self, *arguments: str) -> str:
        """What somebody types who knows Compose."""
        command = ["docker", "compose", "--env-file", ".facerec/compose.env", *arguments]
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, cwd=self.clone.folder, env=self._environment()
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout

    def _environment(self) -> dict[str, str]:
        return {**os.environ, **self.variables}


@pytest.fixture
def composed(tmp_path: Path) -> Iterator[Composed]:
    if reason := _why_not():
        pytest.skip(reason)
    made = Composed(tmp_path / "clone")
    yield made
    if made.clone.data("compose.env").exists():
        made.compose("down", "--volumes", "--timeout", "5")


@pytest.fixture(scope="module")
def photos() -> dict[str, Path]:
    return pictures.portraits() or pictures.archive_pictures()


def test_the_service_in_containers(composed: Composed, photos: dict[str, Path]) -> None:
    """Up, scan, match, up again, a worker killed in the middle, down, and back with its data."""
    said = composed.up()
    assert f"http://127.0.0.1:{composed.port}" in said
    client = composed.client()
    hashes = {name: client.scan(path.read_bytes(), name) for name, path in photos.items()}
    assert set(client.wait_ended(hashes.values(), 300).values()) == {"done"}
    expected = _expected(photos, hashes)
    assert _found(client, hashes) == expected
    assert Client(client.url).post(b"no token", "picture.jpg").status_code == 401
    _check_commands(composed, photos)

    running = composed.containers()
    assert running.keys() == PARTS
    composed.up()
    assert composed.containers() == running
    _check_a_killed_worker_loses_nothing(composed, client, photos)

    user = f"{os.getuid()}:{os.getgid()}"
    orphan = composed.compose("run", "--rm", "--no-deps", "--detach", "--user", user, "facerec", "logs").strip()
    wait_until(lambda: _says(orphan, "reading logs"), "the command runs")
    assert composed.run("down").returncode == 0
    assert composed.containers() == {}
    assert subprocess.run(["docker", "inspect", orphan], capture_output=True, check=False).returncode == 1
    assert not client.serves()
    composed.up()
    again = composed.client()
    assert _found(again, hashes) == expected
    assert composed.run("status").stdout.count("healthy") == len(PARTS)


def _check_commands(composed: Composed, photos: dict[str, Path]) -> None:
    """Those that call REST, with files of the user's, and those that work on Redis."""
    first = next(iter(photos.values()))
    scanned = composed.run("facerec", "scan", "--json", str(first))
    assert scanned.returncode == 0, scanned.stderr
    assert json.loads(scanned.stdout.splitlines()[0])["state"] == "done"
    checked = composed.run("facerec", "fsck", "--json")
    assert json.loads(checked.stdout)["clean"] is True, checked.stderr
    place = composed.clone.folder / "place"
    place.mkdir()
    exported = composed.clone.run("facerec", "export", "all.jsonl", place=place, **composed.variables)
    assert exported.returncode == 0, exported.stderr
    assert (place / "all.jsonl").stat().st_uid == os.getuid()


def _says(container: str, what: str) -> bool:
    said = subprocess.run(["docker", "logs", container], capture_output=True, text=True, check=False)
    return what in said.stdout + said.stderr


def _check_a_killed_worker_loses_nothing(composed: Composed, client: Client, photos: dict[str, Path]) -> None:
    """Two workers, many pictures that nobody has seen, and SIGKILL for one of the two when some are done."""
    composed.compose("up", "--detach", "--wait", "--no-recreate", "--scale", "worker=2")
    wait_until(lambda: client.count_workers() == 2, "two workers")
    bodies = [_smaller(path, width) for path in photos.values() for width in (300, 280, 260)]
    hashes = [client.scan(body, f"again/{n}.jpg") for n, body in enumerate(bodies)]
    wait_until(lambda: client.image(hashes[0])["state"] == "done", "some are done")
    victim = min(composed.containers()["worker"])
    subprocess.run(["docker", "kill", "--signal", "KILL", victim], check=True, capture_output=True)
    assert any(client.image(one)["state"] != "done" for one in hashes), "killed in the middle"
    assert set(client.wait_ended(hashes, 300).values()) == {"done"}


def _smaller(path: Path, width: int) -> bytes:
    out = io.BytesIO()
    with Image.open(path) as photo:
        photo.convert("RGB").resize((width, photo.height * width // photo.width)).save(out, "JPEG", quality=85)
    return out.getvalue()


def _expected(photos: dict[str, Path], hashes: dict[str, str]) -> dict[str, set[str]]:
    """By plain face_recognition; pictures with the same bytes are one image, and its own names are not in its matches."""
    plain = plain_matches(photos)
    return {name: {other for other in plain[name] if hashes[other] != hashes[name]} for name in hashes}


def _found(client: Client, hashes: dict[str, str]) -> dict[str, set[str]]:
    return {name: {match for match in client.match(one) if "/" not in match} for name, one in hashes.items()}
