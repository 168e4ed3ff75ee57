"""Pictures that come all the time, and what became of those that were accepted."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event, Lock, Thread
from types import TracebackType
from typing import Self

import requests

from tests.client import Client, wait_until
from tests.drawings import drawing

CLIENTS = 3
PAUSE = 0.2
"""Seconds between two pictures of one client."""


class Load:
    """``with Load(url, token, evidence) as load``: three clients that send again what got no answer or a 503."""

    def __init__(self, url: str, token: str, evidence: Callable[[], str]) -> None:
        self.accepted: set[str] = set()
        self.refused: list[str] = []
        """Answers that nobody should get."""
        self._url, self._token, self._evidence = url, token, evidence
        self._ended, self._lock = Event(), Lock()
        self._threads = [Thread(target=self._send, daemon=True) for _ in range(CLIENTS)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        self.wait_more()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join(90)

    def wait_more(self, count: int = 10, seconds: float = 180) -> None:
        """Until so many more pictures were accepted."""
        wanted = len(self.accepted) + count
        wait_until(lambda: len(self.accepted) >= wanted, "pictures are accepted", self._evidence, seconds)

    def _send(self) -> None:
        client = Client(self._url, self._token)
        number = 0
        while not self._ended.wait(PAUSE):
            number += 1
            self._send_one(client, drawing(), f"load/{number}.png")

    def _send_one(self, client: Client, body: bytes, name: str) -> None:
        while not self._ended.wait(PAUSE):
            try:
                answer = client.post(body, name)
            except requests.RequestException:
                continue
            if answer.status_code == 202:
                with self._lock:
                    self.accepted.add(answer.json()["hash"])
                return
            if answer.status_code not in {429, 503}:
                self.refused.append(f"{answer.status_code} {answer.text[:200]}")
                return
