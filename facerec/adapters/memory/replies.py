"""Addresses for answers, which exist while somebody waits there."""

from __future__ import annotations

import threading
import uuid
from concurrent.futures import Future


class Replies:
    """Safe for use by many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: dict[str, Future[bytes]] = {}

    def open(self) -> tuple[str, Future[bytes]]:
        """A new address and the answer that will come there."""
        address, answer = f"memory.reply-to.{uuid.uuid4().hex}", Future[bytes]()
        with self._lock:
            self._waiting[address] = answer
        return address, answer

    def close(self, address: str) -> None:
        with self._lock:
            self._waiting.pop(address, None)

    def exists(self, address: str) -> bool:
        with self._lock:
            return address in self._waiting

    def deliver(self, address: str, body: bytes) -> bool:
        """Whether somebody waited for it."""
        with self._lock:
            answer = self._waiting.pop(address, None)
        if answer is None:
            return False
        answer.set_result(body)
        return True
