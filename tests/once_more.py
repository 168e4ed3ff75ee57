"""For the second run of what failed: a plugin of pytest (``-p tests.once_more``) that names what passes now.

A test that fails among others and passes alone depends on something beside it: FLAKY, to be mended at its cause.
"""

from __future__ import annotations

import pytest


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for report in terminalreporter.stats.get("passed", []):
        if report.when == "call":
            terminalreporter.write_line(f"FLAKY {report.nodeid}: failed among others, passed alone")
