"""schemathesis against the description of /v1: what is described is what happens, and nothing brings the service down."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.integration.findface.conftest import TIMEOUT, Client

LONGEST = 250
CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"


def test_every_operation_does_what_is_described(client: Client, tmp_path: Path) -> None:
    client.call("POST", "/galleries/staff", 201)
    token = client.session.headers["Authorization"]
    command = [
        *(sys.executable, "-m", "schemathesis.cli", "run", f"{client.url}/v1/openapi.json"),
        *("--header", f"Authorization: {token}", "--checks", CHECKS),
        *(
            "--max-examples",
            "12",
            "--continue-on-failure",
            "--max-time",
            "100",
            "--phases",
            "examples,coverage,fuzzing",
            "--seed",
            "1",
            "--request-timeout",
            str(TIMEOUT),
        ),
        *("--suppress-health-check", "all", "--generation-deterministic", "--no-color"),
    ]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=LONGEST, check=False)
    assert ended.returncode == 0, ended.stdout[-6000:] + ended.stderr[-2000:]
