"""`facerec enroll` against the real stack: prepare, run, resume, --failed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.drawings import drawing, showing
from tests.integration.findface.conftest import Client
from tests.stack import ROOT


def facerec(client: Client, *arguments: object, status: int = 0) -> str:
    token = str(client.session.headers["Authorization"]).removeprefix("Token ")
    environment = {"PYTHONPATH": str(ROOT), "FACEREC_URL": client.url, "FACEREC_TOKEN": token, "PATH": "/usr/bin:/bin"}
    command = [sys.executable, "-m", "facerec", "enroll", *map(str, arguments)]
    ended = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode == status, ended.stdout + ended.stderr
    return ended.stdout


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
    (tmp_path / "staff.jsonl.results").write_text(done + "\n" + '{"file": "cut\n')

    counts = json.loads(facerec(client, "run", job, "--gallery", "staff", "--json", status=1))
    assert counts == {"done": 3, "failed": 1, "waiting": 0}
    assert metas(client) == ["bob", "cid"]
    assert len(client.call("GET", "/faces/gallery/staff")["results"]) == 2
    assert "NO_FACES" in facerec(client, "print", job, "--json")

    (photos / "none.png").write_bytes(showing("dan"))
    assert json.loads(facerec(client, "run", job, "--failed", "--json"))["done"] == 4
    assert metas(client) == ["bob", "cid", "none"]


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
