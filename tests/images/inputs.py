"""What decides whether an image holds what it should, apart from our own code: its recipe, its packages, and which packages our
code imports. Images take minutes to build, so the tests build them when this changed since they last passed, and with ``--full``.
"""

from __future__ import annotations

import ast
import hashlib
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PASSED = Path(__file__).with_name("passed.txt")
"""The digest of the inputs with which all tests of the images passed last."""
FILES = (
    ".dockerignore",
    "rest/Dockerfile",
    "worker/Dockerfile",
    "requirements/build.lock",
    "requirements/rest.lock",
    "requirements/worker.lock",
    "requirements/sbom.py",
    "facerec/engine/convert.py",
    "facerec/engine/weights.py",
    "tests/images/builder.py",
    "tests/images/test_images.py",
)
PROGRAMS = ("facerec", "rest", "worker")


def digest(root: Path = ROOT) -> str:
    """SHA-256 of the inputs below ``root``."""
    found = hashlib.sha256()
    for name in FILES:
        content = (root / name).read_bytes()
        found.update(f"{name} {len(content)}\n".encode() + content)
    for program in PROGRAMS:
        found.update(f"{program} {' '.join(imported(root / program))}\n".encode())
    return found.hexdigest()


def imported(folder: Path) -> list[str]:
    """The packages of others that the modules in ``folder`` import, in their order."""
    names = set()
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names.add(node.module.partition(".")[0])
    return sorted(names - sys.stdlib_module_names)


def have_passed() -> bool:
    """Whether the images of these inputs passed their tests."""
    return PASSED.exists() and PASSED.read_text(encoding="ascii").strip() == digest()


def write_down() -> None:
    PASSED.write_text(f"{digest()}\n", encoding="ascii")
