"""What an engine process writes to its error output is logged line by line."""

from __future__ import annotations

import logging
import subprocess
import sys

import pytest

from tests.client import wait_until
from worker.child_output import log_output

PROGRAM = r"""
import os
os.write(2, b"one\n\n\xfftwo\n" + 3000 * b"x" + b"\nno newline at the end")
"""


def test_each_line_is_a_record(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "worker.child_output")
    child = subprocess.Popen([sys.executable, "-c", PROGRAM], stderr=subprocess.PIPE)
    assert child.stderr
    log_output(child.stderr, child.pid, crashed=pytest.fail)
    wait_until(lambda: child.stderr is None or child.stderr.closed, "all is read")
    child.wait()
    said = [record.getMessage().removeprefix("an engine process says: ") for record in caplog.records]
    assert said == ["one", "\ufffdtwo", 2000 * "x", 1000 * "x", "no newline at the end"]
    assert {(record.action, record.engine) for record in caplog.records} == {("engine_output", child.pid)}  # type: ignore[attr-defined]
