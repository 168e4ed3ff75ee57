"""schemathesis against the description of /v1: what is described is what happens, and nothing brings the service down."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.drawings import showing
from tests.integration.findface.conftest import TIMEOUT, Client

LONGEST = 250
CONFIG = Path(__file__).with_name("schemathesis.toml")
PEOPLE = 12
NOT_ANSWERED = {"GET /v1/openapi.json", "GET /v1/uploads/{user}/{day}/{file}"}
"""The description, which is not tested, and files that only plugins put there: `test_findface_plugins` reads those."""


@pytest.fixture(scope="module")
def settings() -> dict[str, str]:
    # Wrong keys are among what is tried, very many of them.
    return {"PERSON_IDENTIFY": "true", "ANALYSER": "examples.analyser:make", "GUESS_LIMIT": "0"}


def config_of(client: Client) -> str:
    """The configuration, with values that lead somewhere beside those that are made up."""
    client.call("POST", "/galleries/staff", 201)
    faces = [client.post_face(showing(f"person {n}"), galleries="staff")[0] for n in range(PEOPLE)]
    cameras = [client.call("POST", "/camera", 201, json={})["id"] for _ in range(PEOPLE)]
    photos = [base64.b64encode(showing(f"person {n}")).decode() for n in range(3)]
    known = {
        "path.face": [str(face["id"]) for face in faces],
        "path.person": [str(face["person_id"]) for face in faces],
        "path.camera": cameras,
        "path.gallery": ["staff", "default"],
        "path.version": ["v1"],
        **{f"body.{name}": photos for name in ("photo", "photo1", "photo2")},
    }
    lines = [f"{json.dumps(key)} = {{ dictionary = {json.dumps(key)}, probability = 0.6 }}" for key in known]
    lists = [f"[dictionaries.{json.dumps(key)}]\nvalues = {json.dumps(values)}" for key, values in known.items()]
    return "\n".join(["[parameters]", *lines, *lists, CONFIG.read_text(encoding="utf-8")])


def accepted(photo: str) -> dict[str, dict[str, object]]:
    """Of each operation that takes a photo a request that is answered well."""
    return {
        "POST /v1/detect": {"body": {"photo": photo}},
        "POST /v1/face": {"body": {"photo": photo}},
        "POST /v1/identify": {"body": {"photo": photo}},
        "POST /v1/faces/gallery/{gallery}/identify": {
            "path_parameters": {"gallery": "staff"},
            "body": {"photo": photo},
        },
        "POST /v1/verify": {"body": {"photo1": photo, "photo2": photo}},
    }


def test_every_operation_does_what_is_described(client: Client, tmp_path: Path) -> None:
    """All checks, on data that fits the description and on data that does not, for every operation."""
    config = tmp_path / "schemathesis.toml"
    config.write_text(config_of(client), encoding="utf-8")
    examples = accepted(base64.b64encode(showing("person 0")).decode())
    (tmp_path / "accepted.json").write_text(json.dumps(examples), encoding="utf-8")
    environment = os.environ | {
        "FINDFACE_ANSWERED": str(tmp_path / "answered"),
        "FINDFACE_ACCEPTED": str(tmp_path / "accepted.json"),
        "SCHEMATHESIS_HOOKS": str(Path(__file__).with_name("accepted.py")),
    }
    token = client.session.headers["Authorization"]
    command = [
        *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(config)),
        *("run", f"{client.url}/v1/openapi.json", "--header", f"Authorization: {token}", "--no-color"),
        *(
            "--checks",
            "all",
            "--mode",
            "all",
            "--continue-on-failure",
            "--phases",
            "examples,coverage,fuzzing,stateful",
        ),
        *("--max-examples", "8", "--max-time", "60", "--seed", "1", "--generation-deterministic"),
        *("--request-timeout", str(TIMEOUT), "--suppress-health-check", "all"),
    ]
    ended = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=LONGEST, check=False
    )
    said = ended.stdout
    assert ended.returncode == 0, said[-9000:] + ended.stderr[-2000:]
    paths = client.call("GET", "/openapi.json")["paths"]
    operations = {f"{method.upper()} {path}" for path, item in paths.items() for method in item}
    described = len(operations)
    # The description itself is read and not tested.
    assert f"{len(examples)} passed" in said.partition("Examples")[2].partition("Coverage")[0], said[-3000:]
    for line in (f"Selected: {described - 1}/{described - 1}", f"Tested: {described - 1}"):
        assert line in said, said[-3000:]
    # Every operation came as far as a good answer.
    answered = set((tmp_path / "answered").read_text(encoding="utf-8").splitlines())
    assert operations - answered <= NOT_ANSWERED, said[-4000:]
