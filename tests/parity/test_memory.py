"""An engine process does not grow: the benchmark with smaller numbers."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.pictures import ROOT


@pytest.mark.parametrize("model", ["HOG", "CNN"])
def test_an_engine_does_not_grow(model: str, archive: dict[str, Path]) -> None:
    command = [sys.executable, "-m", "benchmarks.engine_memory", "--model", model, "--pictures", "120", "--warm", "40"]

    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=280, check=True)

    assert json.loads(done.stdout.splitlines()[-1])["memory_ratio"] < 1.05, done.stdout
