"""A real Chromium for the page."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

ARGUMENTS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
)
_NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
"""The headless shell is the same engine without the browser's own windows, whose pages cost more than the tested ones."""


def chromium_path() -> str | None:
    """Where the system's Chromium is; CHROMIUM names another one."""
    named = os.environ.get("CHROMIUM")
    return named or next((path for name in _NAMES if (path := shutil.which(name))), None)


@contextmanager
def open_browser() -> Iterator[Browser]:
    """A headless Chromium of the system."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path(), args=list(ARGUMENTS))
        try:
            yield browser
        finally:
            browser.close()


def browser_or_skip() -> Iterator[Browser]:
    """For a fixture: where Chromium is missing a laptop skips, CI fails."""
    if chromium_path() is None:
        reason = "there is no Chromium; CHROMIUM names one"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    with open_browser() as browser:
        yield browser


class Complaints:
    """What a page complains about: scripts that fail, what its policy forbids. Answers of the service are no complaints."""

    def __init__(self, page: Page) -> None:
        self.serious: list[str] = []
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self.serious.append(str(error)))

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"} and not message.text.startswith("Failed to load resource"):
            self.serious.append(message.text)
