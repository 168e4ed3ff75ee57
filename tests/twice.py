"""``python -m tests.twice ARGUMENTS``: pytest with these arguments, and what failed once more, alone.

Red is what fails again. What passes then depends on something beside it: it is named FLAKY, with what it printed both times, and
the run is green. It is to be mended at its cause all the same.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

FAILED = "TESTS_FAILED"
"""Names the file in which the first run writes what failed, a line each; the second run reads it."""


def main(arguments: list[str]) -> int:
    """The exit status of pytest."""
    with TemporaryDirectory() as folder:
        environment = os.environ | {FAILED: str(Path(folder) / "failed")}
        command = [sys.executable, "-m", "pytest", "-p", "tests.twice", *arguments]
        status = subprocess.run(command, env=environment, check=False).returncode
        if status == pytest.ExitCode.TESTS_FAILED:
            sys.stdout.write("what failed runs once more, alone\n")
            sys.stdout.flush()
            status = subprocess.run([*command, "--numprocesses", "0", "-rA"], env=environment, check=False).returncode
        return status


def _file() -> Path:
    return Path(os.environ[FAILED])


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """The second run is of what failed alone."""
    if not _file().exists():
        return
    failed = set(_file().read_text(encoding="utf-8").splitlines())
    config.hook.pytest_deselected(items=[item for item in items if item.nodeid not in failed])
    items[:] = [item for item in items if item.nodeid in failed]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if hasattr(config, "workerinput"):
        return
    reports = terminalreporter.stats
    if _file().exists():
        for report in reports.get("passed", []):
            if report.when == "call":
                terminalreporter.write_line(f"FLAKY {report.nodeid}: failed among others, passed alone")
    else:
        failed = {report.nodeid for kind in ("failed", "error") for report in reports.get(kind, [])}
        _file().write_text("".join(f"{name}\n" for name in sorted(failed)), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
