"""Somebody who uses a service that runs: posts pictures, waits for their end, asks which match."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import quote

import requests

LONGEST = 90.0


class Client:
    """``url`` is REST's; ``token`` goes with every request when there is one."""

    def __init__(self, url: str, token: str = "") -> None:
        self.url = url
        self.session = requests.Session()
        self.session.trust_env = False
        if token:
            self.session.headers["Authorization"] = f"Token {token}"

    def serves(self) -> bool:
        try:
            return self.session.get(f"{self.url}/healthz", timeout=5).ok
        except (requests.ConnectionError, requests.Timeout):
            return False

    def readiness(self) -> dict[str, Any]:
        answer: dict[str, Any] = self.session.get(f"{self.url}/readyz", timeout=30).json()
        return answer

    def count_workers(self) -> int:
        document = self.session.get(f"{self.url}/", headers={"Accept": "application/json"}, timeout=30).json()
        return len(document["workers"])

    def post(self, body: bytes, name: str) -> requests.Response:
        return self.session.post(f"{self.url}/scan/image/{quote(name)}", data=body, timeout=60)

    def scan(self, body: bytes, name: str) -> str:
        """The hash of an image that was accepted."""
        answer = self.post(body, name)
        assert answer.status_code == 202, answer.text
        return str(answer.json()["hash"])

    def image(self, image_hash: str) -> dict[str, Any]:
        answer = self.session.get(f"{self.url}/images/{image_hash}", timeout=60)
        assert answer.ok, answer.text
        document: dict[str, Any] = answer.json()
        return document

    def match(self, image_hash: str) -> list[str]:
        names: list[str] = self.session.get(f"{self.url}/match/{image_hash}", timeout=60).json()
        return names

    def wait_ended(self, hashes: Iterable[str], seconds: float = LONGEST) -> dict[str, str]:
        """The end state of each image, once all have one."""
        states: dict[str, str] = {}
        open_hashes = set(hashes)

        def ended() -> bool:
            for image_hash in list(open_hashes):
                states[image_hash] = self.image(image_hash)["state"]
                if states[image_hash] not in {"done", "failed"}:
                    return False
                open_hashes.discard(image_hash)
            return True

        wait_until(ended, "all images ended", self.log_tails, seconds)
        return states

    def log_tails(self) -> str:
        """What explains a failure; where the logs are known."""
        return ""


def wait_until(
    condition: Callable[[], bool], what: str, evidence: Callable[[], str] = lambda: "", seconds: float = LONGEST
) -> None:
    """Ask again and again, a little apart, until ``condition`` holds; with ``evidence`` in the failure."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}\n{evidence()}"
        time.sleep(0.05)
