"""A copy of the project in a folder of its own, as a newcomer has it, with the packages of the tests instead of a new .venv."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from facerec.local.process import Identity

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

SERVICE = ("redis", "rabbitmq", "rest", "worker", "keeper")
"""The parts of a native service."""


def address(output: str) -> str:
    """Where the service is, as `up` says."""
    found = re.search(r"http://127\.0\.0\.1:\d+", output)
    assert found, output
    return found[0]


def exists(pid: int) -> bool:
    """Whether the process runs; a zombie does not."""
    return Identity.of(pid) is not None


class Clone:
    """``run`` calls deploy-local-dev.sh there; ``programs`` is a folder in front of the PATH, for stand-ins.

    ``open_files`` is how many each process may have, as long as it does not ask for more; None means as many as the tests.
    """

    def __init__(self, folder: Path, *, packages: bool = True) -> None:
        """Without ``packages`` there is no .venv."""
        self.folder = folder
        self.programs = folder / "programs"
        self.programs.mkdir(parents=True)
        self.path = f"{self.programs}:{os.environ['PATH']}"
        self.open_files: int | None = None
        for part in PARTS:
            if (ROOT / part).is_dir():
                # With what Python has compiled, but for what it is just writing.
                shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("*.pyc.*"))
            else:
                shutil.copy2(ROOT / part, folder / part)
        if packages:
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

    def run(
        self, *arguments: str, seconds: float = 240, place: Path | None = None, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        """Call the script, in the folder ``place``."""
        kept = {name: os.environ[name] for name in ("HOME", "LANG", "TMPDIR") if name in os.environ}
        environment = {
            **kept,
            "PATH": self.path,
            "MODEL_CACHE": str(ROOT / ".cache/models"),
            **variables,
        }
        command = [str(self.folder / "deploy-local-dev.sh"), *arguments]
        if self.open_files is not None:
            command = ["/bin/sh", "-c", f'ulimit -S -n {self.open_files}; exec "$@"', "sh", *command]
        return subprocess.run(
            command, capture_output=True, text=True, check=False, cwd=place, env=environment, timeout=seconds
        )

    def pids(self) -> dict[str, int]:
        """Of the parts that run."""
        lines = re.findall(r"^(\w+) +runs +pid (\d+)", self.run("status").stdout, re.MULTILINE)
        return {name: int(pid) for name, pid in lines}

    def data(self, name: str) -> Path:
        return self.folder / ".facerec" / name
