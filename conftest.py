"""Options of the test command."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--all-pictures", action="store_true", help="tests/parity: compare every picture there is, slowly")
