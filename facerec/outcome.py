"""What becomes of a job after an error: one pure function, so that the whole policy can be read and tested as a table."""

from __future__ import annotations

from dataclasses import dataclass

from facerec.errors import ChildDied, FacerecError, ServiceUnavailable, TimeLimitExceeded

TRIES_AFTER_DEATH = 3
"""A child may be killed by accident (out of memory, an operator); a picture that does it this often is to blame."""
TRIES_AFTER_TIME_LIMIT = 2
MAX_DELAY = 300.0


@dataclass(frozen=True, slots=True)
class Retry:
    """Try again after ``delay`` seconds; ``counted`` unless the work itself was not tried."""

    delay: float
    counted: bool = True


@dataclass(frozen=True, slots=True)
class Dead:
    """Give up: the image is ``failed`` and the job goes to the dead letters, both with ``code`` and ``reason``."""

    code: str
    reason: str


def decide(error: FacerecError, attempt: int, attempts: int, base: float, jitter: float) -> Retry | Dead:
    """The end or the next try of a job whose ``attempt``-th try (from 1) raised ``error``.

    ``attempts`` is how many there are, ``base`` the first delay in seconds; each further one is twice as long, times
    1 + ``jitter`` / 2, where ``jitter`` is a random number of 0 to 1. To wait for a part of the system is no try, however long.
    """
    if isinstance(error, ServiceUnavailable):
        return Retry(backoff(attempt, base, jitter), counted=False)
    limit = attempts
    if error.permanent:
        limit = 1
    elif isinstance(error, ChildDied):
        limit = min(attempts, TRIES_AFTER_DEATH)
    elif isinstance(error, TimeLimitExceeded):
        limit = min(attempts, TRIES_AFTER_TIME_LIMIT)
    if attempt >= limit:
        return Dead(error.code, error.reason)
    return Retry(backoff(attempt, base, jitter))


def backoff(attempt: int, base: float, jitter: float) -> float:
    """Seconds to wait after the ``attempt``-th failure."""
    return min(MAX_DELAY, base * 2.0 ** min(attempt - 1, 30) * (1 + jitter / 2))
