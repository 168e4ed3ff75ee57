"""What a client may meet, in one tree of its own.

::

    ClientError
    ├── ApiError               the service answered with its error shape: code, reason, param, value, status, retry_after
    │   ├── Refused            4xx: the request is wrong, sending it again gives the same answer
    │   │   ├── AccessDenied   401 and 403: the token, not the request
    │   │   └── Missing        404
    │   ├── Busy               429: the queue is full
    │   ├── Unavailable        503: a part of the service is away
    │   └── ServerFault        any other 5xx, also a picture's own server that failed (FETCH_FAILED, TIMEOUT)
    ├── Unreachable            no answer at all: refused, cut off, too slow, or a proxy that speaks for a server that is away
    ├── ServiceAway            Busy, Unavailable or Unreachable for longer than the client's patience; the last one is its cause
    ├── BadAnswer              whatever answers there is no facerec
    └── WaitTimeout            images were not finished in time
"""

from __future__ import annotations

from collections.abc import Collection


class ClientError(Exception):
    """Root of the tree. The message is meant for a person."""

    code = "CLIENT"

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class ApiError(ClientError):
    """An answer in the service's error shape. ``retry_after`` is in seconds, None when the service did not say."""

    def __init__(
        self,
        status: int,
        code: str,
        reason: str,
        param: str | None = None,
        value: object = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(reason)
        self.status = status
        self.code = code
        self.param = param
        self.value = value
        self.retry_after = retry_after

    def __str__(self) -> str:
        about = f" ({self.param})" if self.param else ""
        return f"{self.code}: {self.reason}{about}"


class Refused(ApiError):
    """The request is wrong; sending it again gives the same answer."""


class AccessDenied(Refused):
    """No token, a wrong one, or one that may not do this."""


class Missing(Refused):
    """There is no such thing."""


class Busy(ApiError):
    """The queue is full; come again later."""


class Unavailable(ApiError):
    """A part of the service is away; come again later."""


class ServerFault(ApiError):
    """The service, or the server that a URL names, failed."""


class Unreachable(ClientError):
    """Nobody answered."""

    code = "UNREACHABLE"
    retry_after: float | None = None


class ServiceAway(ClientError):
    """The client's patience came to its end. What was to be sent may be sent again later."""

    code = "SERVICE_AWAY"


class BadAnswer(ClientError):
    """The answer is none of facerec's."""

    code = "BAD_ANSWER"


class WaitTimeout(ClientError):
    """``unfinished`` are the hashes of the images that were neither done nor failed in time."""

    code = "WAIT_TIMEOUT"

    def __init__(self, reason: str, unfinished: Collection[str]) -> None:
        super().__init__(reason)
        self.unfinished = frozenset(unfinished)


def error_of(status: int, document: object, retry_after: str | None) -> ClientError:
    """The error behind an answer of ``status`` >= 400 whose JSON body is ``document`` (None when it has no JSON)."""
    seconds = parse_retry_after(retry_after)
    if not isinstance(document, dict) or not isinstance(document.get("code"), str):
        return _foreign(status, seconds)
    code, reason = document["code"], str(document.get("reason", ""))
    kind = _kind(status, code)
    return kind(status, code, reason, document.get("param"), document.get("value"), seconds)


def parse_retry_after(text: str | None) -> float | None:
    """Seconds from a Retry-After header. Its form with a date is not ours and counts as not said."""
    return float(text) if text is not None and text.isascii() and text.isdigit() else None


def _kind(status: int, code: str) -> type[ApiError]:
    if code in {"AUTH_FAILED", "FORBIDDEN"}:
        return AccessDenied
    by_status: dict[int, type[ApiError]] = {404: Missing, 429: Busy, 503: Unavailable}
    return by_status.get(status, Refused if status < 500 else ServerFault)


def _foreign(status: int, retry_after: float | None) -> ClientError:
    """Not our shape: a proxy between us and a service that restarts says 502, 503 or 504, and that is worth waiting for."""
    if status in {429, 502, 503, 504}:
        error = Unreachable(f"the answer is an HTTP status {status} from something that is not facerec")
        error.retry_after = retry_after
        return error
    return BadAnswer(f"the answer is an HTTP status {status} from something that is not facerec; is the address right?")
