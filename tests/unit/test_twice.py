"""What fails twice is red; what fails only beside others is named and green."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.pictures import ROOT

GOOD = "def test_good():\n    pass\n"
BESIDE_OTHERS = """
import os
def test_alone():
    print("what it says")
    assert "PYTEST_XDIST_WORKER" not in os.environ, "somebody is beside it"
"""
ALWAYS = "def test_always():\n    assert False, 'wrong'\n"
BROKEN_FIXTURE = """
import os, pytest
@pytest.fixture
def place():
    assert "PYTEST_XDIST_WORKER" not in os.environ
def test_placed(place): pass
"""


def run(folder: Path, **files: str) -> subprocess.CompletedProcess[str]:
    """Run these tests as run-tests.sh does."""
    (folder / "pytest.ini").write_text("[pytest]\n")
    for name, text in files.items():
        (folder / f"test_{name}.py").write_text(text)
    outside = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    command = [sys.executable, "-m", "tests.twice", "-p", "xdist.plugin", "--numprocesses", "2"]
    return subprocess.run(
        [*command, "-p", "no:cacheprovider", "-c", str(folder / "pytest.ini"), str(folder)],
        cwd=ROOT,
        env=outside | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_what_fails_only_beside_others_is_named_and_green(tmp_path: Path) -> None:
    done = run(tmp_path, good=GOOD, beside=BESIDE_OTHERS)
    assert done.returncode == 0, done.stdout
    assert "FLAKY test_beside.py::test_alone" in done.stdout
    assert "somebody is beside it" in done.stdout, "what it said the first time"
    assert done.stdout.count("what it says") >= 2, "and what it printed, both times"
    assert "FLAKY test_good" not in done.stdout, "only what failed runs again"


def test_what_always_fails_is_red(tmp_path: Path) -> None:
    done = run(tmp_path, good=GOOD, beside=BESIDE_OTHERS, always=ALWAYS)
    assert done.returncode == pytest.ExitCode.TESTS_FAILED, done.stdout
    assert "FLAKY test_beside.py::test_alone" in done.stdout
    assert "FLAKY test_always" not in done.stdout


def test_a_fixture_that_fails_beside_others_is_named_too(tmp_path: Path) -> None:
    done = run(tmp_path, placed=BROKEN_FIXTURE)
    assert done.returncode == 0, done.stdout
    assert "FLAKY test_placed.py::test_placed" in done.stdout


def test_what_cannot_be_read_is_red(tmp_path: Path) -> None:
    assert run(tmp_path, good=GOOD, broken="import nothing_of_this_name\n").returncode != 0


def test_a_run_without_a_failure_is_run_once(tmp_path: Path) -> None:
    done = run(tmp_path, good=GOOD)
    assert done.returncode == 0
    assert "once more" not in done.stdout
