"""A copy of the project in a folder of its own, as a newcomer has it, with the packages of the tests instead of a new .venv."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PARTS = (
    "facerec",
    "rest",
    "worker",
    "requirements",
    "k8s",
    "deploy-local-dev.sh",
    "docker-compose.yml",
    ".dockerignore",
    "pyproject.toml",
)


class Clone:
    """``run`` calls deploy-local-dev.sh there; ``programs`` is a folder in front of the PATH, for stand-ins."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.programs = folder / "programs"
        self.programs.mkdir(parents=True)
        for part in PARTS:
            if (ROOT / part).is_dir():
                shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy2(ROOT / part, folder / part)
        self._lend_packages()

    def _lend_packages(self) -> None:
        python = self.folder / ".venv/bin/python"
        python.parent.mkdir(parents=True)
        python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
        python.chmod(0o755)
        lock = subprocess.check_output(["cksum", "requirements/dev.lock"], cwd=self.folder, text=True).split()
        (self.folder / ".venv/.lock").write_text(f"dev {lock[0]} {lock[1]} ")

    def stand_in(self, name: str, script: str) -> None:
        """A program of this name that the script finds first."""
        program = self.programs / name
        program.write_text(script)
        program.chmod(0o755)

    def run(self, *arguments: str, seconds: float = 240, **variables: str) -> subprocess.CompletedProcess[str]:
        kept = {name: os.environ[name] for name in ("HOME", "LANG", "TMPDIR") if name in os.environ}
        environment = {
            **kept,
            "PATH": f"{self.programs}:{os.environ['PATH']}",
            "MODEL_CACHE": str(ROOT / ".cache/models"),
            **variables,
        }
        command = [str(self.folder / "deploy-local-dev.sh"), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=seconds)

    def data(self, name: str) -> Path:
        return self.folder / ".facerec" / name
