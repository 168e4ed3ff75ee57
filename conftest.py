"""Options of the test command."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--all-pictures", action="store_true", help="tests/parity: compare every picture there is, slowly")
    parser.addoption(
        "--full",
        action="store_true",
        help="also what is made anew only when its inputs changed: dlib's kept answers (tests/parity), the images (tests/images)",
    )
