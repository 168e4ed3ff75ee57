"""Telling an owner's own service that an image is done or failed.

A call is a POST of JSON. Its receiver recognizes it by two headers:

- ``X-Facerec-Timestamp``: seconds since the epoch when it was sent; a receiver refuses one that is minutes old, so that a
  recorded call cannot be played again for ever;
- ``X-Facerec-Signature``: ``sha256=`` and the HMAC-SHA256, hexadecimal, of the timestamp, a full stop and the body, under the
  secret that was shown when the webhook was set.

An answer of 200 to 299 settles it. Anything else is tried again, ATTEMPTS times over about two hours; a call may come twice.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import random
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import SplitResult, urlsplit

from facerec.errors import Backpressure, BadParam, FacerecError, ForbiddenUrl
from facerec.identity import check_url
from facerec.ports import Notice, Overview, Webhooks

log = logging.getLogger(__name__)
ATTEMPTS = 8
FIRST_DELAY = 30.0
LONGEST_DELAY = 3600.0
TOLD = ("hash", "state", "reason", "detail", "names", "width", "height", "model", "queued_at", "done_at")


class Poster(Protocol):
    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> int:
        """The status of the answer; redirects are not followed.

        Raises BadParam, ForbiddenUrl, FetchFailed, FetchTimeout, Backpressure.
        """


@dataclass(frozen=True, slots=True)
class Told:
    """How a call went: the status, None when there was no answer; ``error`` is empty when it was taken."""

    status: int | None
    error: str


def check_webhook(url: str) -> str:
    """``url`` when it can be called; whether its address may be reached is seen at each call. Raises BadParam, ForbiddenUrl."""
    parts = urlsplit(check_url(url))
    if parts.scheme not in {"http", "https"} or not parts.hostname or not _has_possible_port(parts):
        raise BadParam("url", "a webhook begins with http:// or https:// and a host", url[:100])
    if "@" in parts.netloc:
        raise ForbiddenUrl("a webhook with a user name or password is not called")
    return url


def _has_possible_port(parts: SplitResult) -> bool:
    try:
        return parts.port != 0
    except ValueError:
        return False


def new_secret() -> str:
    """256 random bits."""
    return secrets.token_urlsafe(32)


def signature(secret: str, timestamp: int, body: bytes) -> str:
    """The value of X-Facerec-Signature."""
    return "sha256=" + hmac.new(secret.encode(), f"{timestamp}.".encode() + body, hashlib.sha256).hexdigest()


def delay_after(attempt: int, jitter: float) -> float:
    """Seconds until the try after the ``attempt``-th; ``jitter`` is a random number of 0 to 1."""
    return min(LONGEST_DELAY, FIRST_DELAY * 2.0 ** (attempt - 1)) * (1 + jitter / 4)


class Courier:
    """Makes the calls. For many threads."""

    def __init__(
        self, webhooks: Webhooks, overview: Overview, poster: Poster, clock: Callable[[], float] = time.time
    ) -> None:
        self._webhooks = webhooks
        self._overview = overview
        self._poster = poster
        self._clock = clock

    def due(self, limit: int, lease: float, each: int, calling: Mapping[str, int]) -> Sequence[Notice]:
        """What is to be told now, and is due again after ``lease`` seconds unless it is delivered; as many of an owner as make
        ``each`` with the calls that are under way already. Raises StoreUnavailable."""
        return self._webhooks.due(limit, lease, each, calling)

    def deliver(self, notice: Notice) -> None:
        """Make one call and note how it went. Raises StoreUnavailable; the notice is due again then."""
        found = self._overview.summaries(notice.owner, [notice.hash])
        if not found or found[0]["state"] != notice.state:
            # Erased or changed meanwhile: what happened then has, where it is to be told, its own notice.
            self._webhooks.skip(notice)
            return
        document = {"event": f"image.{notice.state}", "image": {name: found[0][name] for name in TOLD}}
        told = self.call(notice.url, notice.secret, document)
        if told.error and notice.attempt < ATTEMPTS:
            # Jitter only spreads the calls; nothing is protected by it.
            delay = delay_after(notice.attempt, random.random())  # noqa: S311
            self._webhooks.postpone(notice, delay, told.status, told.error)
        else:
            self._webhooks.settle(notice, told.status, told.error)
        _log(notice, told)

    def call(self, url: str, secret: str, document: Mapping[str, Any]) -> Told:
        """POST the document, signed. Raises Backpressure when too many calls are under way."""
        timestamp = int(self._clock())
        body = json.dumps(document).encode()
        headers = {
            "Content-Type": "application/json",
            "X-Facerec-Timestamp": str(timestamp),
            "X-Facerec-Signature": signature(secret, timestamp, body),
        }
        try:
            status = self._poster.post(url, body, headers)
        except Backpressure:
            raise
        except FacerecError as error:
            return Told(None, error.reason)
        return Told(status, "" if 200 <= status < 300 else f"the receiver answered {status}")


def _log(notice: Notice, told: Told) -> None:
    outcome = told.error or "taken"
    fields = {"action": "webhook", "owner": notice.owner, "image_hash": notice.hash, "attempt": notice.attempt}
    log.info("webhook of %s for %s: %s", notice.owner, notice.hash, outcome, extra=fields | {"status": told.status})
