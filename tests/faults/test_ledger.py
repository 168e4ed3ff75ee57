"""Two minutes of the fault proof (`benchmarks.ledger`): nothing is lost, nothing is there that should not be."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.stack import ROOT


@pytest.mark.timeout(900)
def test_two_minutes_of_faults_lose_nothing() -> None:
    run = subprocess.run(
        [sys.executable, "-m", "benchmarks.ledger", "--minutes", "2", "--seed", "7"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=800,
        check=False,
    )
    assert run.returncode == 0, run.stdout[-5000:] + run.stderr[-5000:]
    result = json.loads(run.stdout.splitlines()[-1])
    assert result["accepted"] > 200
    assert result["faults"] >= 8
    assert (result["lost"], result["unexpected"], result["fsck"]) == (0, 0, "clean")
    assert result["done"] + result["failed"] == result["accepted"]
