"""``python -m benchmarks.ledger.skewed SECONDS``: a worker whose clock is wrong by so much.

What tells the time of the day is replaced before anything of ours is imported; what measures how long something takes is right, as
on a machine with a wrong clock. libfaketime is of no use: where it leaves the monotonic clock alone, Python's `time.sleep` fails.
"""

from __future__ import annotations

import datetime
import sys
import time


def skew(seconds: float) -> None:
    """From now on this process believes that it is ``seconds`` later."""
    by = datetime.timedelta(seconds=seconds)
    real, real_ns = time.time, time.time_ns

    class Wrong(datetime.datetime):
        @classmethod
        def now(cls, tz: datetime.tzinfo | None = None) -> Wrong:
            return super().now(tz) + by

    time.time = lambda: real() + seconds
    time.time_ns = lambda: real_ns() + int(seconds * 1e9)
    datetime.datetime = Wrong  # type: ignore[misc]


if __name__ == "__main__":
    skew(float(sys.argv[1]))
    from worker.__main__ import main

    sys.exit(main([]))
