from __future__ import annotations

import subprocess
import sys

from tests.stack import ROOT

SCRIPT = """
import time
before, measured = time.time(), time.monotonic()
from benchmarks.ledger.skewed import skew
skew(-420)
from datetime import UTC, datetime
print(round(time.time() - before), round(time.time_ns() / 1e9 - before), round(time.monotonic() - measured))
print(round(datetime.now(UTC).timestamp() - before), round(datetime.now().timestamp() - before))
print(type(datetime.now() - datetime.now()).__name__, datetime.fromtimestamp(0, UTC).isoformat())
"""


def test_a_skewed_process_tells_another_time_and_measures_right() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == "-420 -420 0\n-420 -420\ntimedelta 1970-01-01T00:00:00+00:00\n"
