"""20 000 damaged pictures: typed errors only, no crash, no hang, no growth."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.pictures import ROOT

CASES = {"JPEG": 3000, "PNG": 3000, "GIF": 3000, "WEBP": 3000, "BMP": 2500, "TIFF": 3000, "HEIF": 2500}
GROWTH_KIB = 2048


def test_there_are_enough_cases() -> None:
    assert sum(CASES.values()) >= 20_000


@pytest.mark.parametrize("kind", CASES)
def test_damaged_pictures_are_typed_errors(kind: str) -> None:
    command = [sys.executable, "-m", "tests.unit.engine.fuzz_pictures", kind, str(CASES[kind])]

    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)

    assert done.returncode == 0, f"ended with {done.returncode}:\n{done.stderr[-4000:]}"
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["cases"] == CASES[kind]
    assert told["different"] > CASES[kind] * 0.9, told
    assert told.get("UnreadableImage", 0) > CASES[kind] // 20, told
    assert "of another size than its header says" not in told
    assert told["growth_kib"] < GROWTH_KIB, told
