"""`facerec enroll` against the real stack: prepare, run, resume, --failed."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.drawings import drawing, showing
from tests.integration.findface.conftest import Client
from tests.stack import ROOT


def environment_of(client: Client) -> dict[str, str]:
    token = str(client.session.headers["Authorization"]).removeprefix("Token ")
    return {"PYTHONPATH": str(ROOT), "FACEREC_URL": client.url, "FACEREC_TOKEN": token, "PATH": "/usr/bin:/bin"}


def command_of(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "facerec", "enroll", *map(str, arguments)]


def facerec(client: Client, *arguments: object, status: int = 0) -> str:
    command, environment = command_of(*arguments), environment_of(client)
    ended = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode == status, ended.stdout + ended.stderr
    return ended.stdout


@contextmanager
def started(client: Client, *arguments: object) -> Iterator[subprocess.Popen[bytes]]:
    """`facerec enroll` as it runs."""
    with subprocess.Popen(
        command_of(*arguments), env=environment_of(client), cwd=ROOT, stderr=subprocess.DEVNULL
    ) as it:
        yield it


def metas(client: Client) -> list[str]:
    return sorted(face["meta"] for face in client.call("GET", "/faces")["results"])


def test_a_broken_run_goes_on_and_failed_ones_are_sent_again(client: Client, tmp_path: Path) -> None:
    client.call("POST", "/galleries/staff", 201)
    photos, job = tmp_path / "photos", tmp_path / "staff.jsonl"
    photos.mkdir()
    for name in ("ann", "bob", "cid"):
        (photos / f"{name}.png").write_bytes(showing(name))
    (photos / "none.png").write_bytes(drawing(b'FACES:{"faces": []}'))
    facerec(client, "prepare", job, photos, "--meta-name")
    lines = job.read_text().splitlines()
    assert len(lines) == 4
    # As after a break: ann was sent, and the next result is cut off.
    done = json.dumps({"file": json.loads(lines[0])["file"], "state": "done", "faces": [1]})
    (tmp_path / "staff.jsonl.results").write_text(done + "\n" + '{"file": "cut')

    counts = json.loads(facerec(client, "run", job, "--gallery", "staff", "--json", status=1))
    assert counts == {"done": 3, "failed": 1, "waiting": 0}
    assert metas(client) == ["bob", "cid"]
    assert len(client.call("GET", "/faces/gallery/staff")["results"]) == 2
    assert "NO_FACES" in facerec(client, "print", job, "--json")

    (photos / "none.png").write_bytes(showing("dan"))
    assert json.loads(facerec(client, "run", job, "--failed", "--json"))["done"] == 4
    assert metas(client) == ["bob", "cid", "none"]
    # The photos keep their names on the page.
    names = [image["names"] for image in client.call("GET", "/images")["results"]]
    assert sorted(names) == [["bob.png"], ["cid.png"], ["none.png"]]
    facerec(client, "prepare", job, photos, status=2)  # the results belong to the list that is there


def test_a_gallery_that_is_not_there_is_said_before_the_first_photo(client: Client, tmp_path: Path) -> None:
    job = tmp_path / "staff.jsonl"
    (tmp_path / "ann.png").write_bytes(showing("ann"))
    facerec(client, "prepare", job, tmp_path, "--meta-name")
    answer = json.loads(facerec(client, "run", job, "--gallery", "nobodys", "--json", status=1))
    assert answer == {"code": "NOT_FOUND", "reason": "there is no gallery nobodys; POST /v1/galleries/nobodys makes it"}
    assert "waiting" in facerec(client, "print", job)
    assert metas(client) == []


def test_a_run_that_is_killed_goes_on_where_it_was(client: Client, tmp_path: Path) -> None:
    photos, job, results = tmp_path / "photos", tmp_path / "all.jsonl", tmp_path / "all.jsonl.results"
    photos.mkdir()
    for number in range(60):
        (photos / f"{number:02}.png").write_bytes(showing(f"person {number}"))
    facerec(client, "prepare", job, photos, "--meta-name")
    with started(client, "run", job, "--jobs", "2") as running:
        client.wait_until(lambda: results.exists() and len(results.read_bytes().splitlines()) > 5)
        running.send_signal(signal.SIGKILL)
        running.wait()
    told = results.read_bytes()
    results.write_bytes(told[:-9])  # a line is cut off where the system had no time to write it

    left = 60 - len(told.splitlines()) + 1
    assert 0 < left < 60
    assert json.loads(facerec(client, "run", job, "--json")) == {"done": 60, "failed": 0, "waiting": 0}
    assert len(results.read_bytes().splitlines()) == 60 + 1
    assert len(client.call("GET", "/faces?limit=100")["results"]) == 60


@pytest.mark.parametrize(
    ("line", "reason"),
    [("{", "line 2 is no JSON object"), ("[1]", "line 2 is no JSON object"), ('{"meta": "x"}', "line 2 needs texts")],
)
def test_a_list_that_cannot_be_read_is_told_by_line(client: Client, tmp_path: Path, line: str, reason: str) -> None:
    job = tmp_path / "job"
    job.write_text(f'{{"file": "/a.png"}}\n{line}\n', encoding="utf-8")
    assert reason in facerec(client, "run", job, "--json", status=2)


def test_metas_from_everywhere(client: Client, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(showing("a"))
    (tmp_path / "a.txt").write_text("from a file\n", encoding="utf-8")
    (tmp_path / "metas.csv").write_text('a.png,"from, a table"\n', encoding="utf-8")
    job = tmp_path / "job"
    for options, meta in (
        (("--meta", "the same"), "the same"),
        (("--meta-file",), "from a file"),
        (("--meta-csv", tmp_path / "metas.csv"), "from, a table"),
    ):
        facerec(client, "prepare", job, tmp_path / "a.png", *options)
        assert json.loads(job.read_text())["meta"] == meta
    facerec(client, "prepare", job, tmp_path / "a.png", "--meta", "x", "--meta-name", status=2)
