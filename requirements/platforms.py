"""The record that the locks were found to have wheels for some kinds of machines, as JSON on standard output.

    python3 platforms.py "PLATFORM..." "PLATFORM..." "PYTHON..."

The first are those of the images, the second those of machines without containers, with these versions of Python.

Run by lock.sh once that is so. A test compares the record with the locks, so no lock changes without the look.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
LOCKS = ("build", "rest", "worker", "worker-gpu", "local", "dev")


def record(images: str, native: str, pythons: str) -> dict[str, Any]:
    """The machines and Pythons, and the SHA-256 of each lock as it is now."""
    locks = {name: hashlib.sha256((FOLDER / f"{name}.lock").read_bytes()).hexdigest() for name in LOCKS}
    return {"images": images.split(), "native": native.split(), "pythons": pythons.split(), "locks": locks}


if __name__ == "__main__":
    json.dump(record(*sys.argv[1:]), sys.stdout, indent=1)
    sys.stdout.write("\n")
