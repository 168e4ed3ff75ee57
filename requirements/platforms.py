"""The record that the locks of the images were found to have wheels for some kinds of machines, as JSON on standard output.

    python3 platforms.py x86_64 aarch64

Run by lock.sh once that is so. A test compares the record with the locks, so no lock changes without the look.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
LOCKS = ("build", "rest", "worker", "worker-gpu")


def record(machines: Sequence[str]) -> dict[str, Any]:
    """The machines, and the SHA-256 of each lock as it is now."""
    locks = {name: hashlib.sha256((FOLDER / f"{name}.lock").read_bytes()).hexdigest() for name in LOCKS}
    return {"machines": list(machines), "locks": locks}


if __name__ == "__main__":
    json.dump(record(sys.argv[1:]), sys.stdout, indent=1)
    sys.stdout.write("\n")
