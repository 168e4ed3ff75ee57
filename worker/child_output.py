"""What an engine process writes to its error output becomes records of the log, where programs read JSON alone."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from typing import IO

from worker.guard import guarded_thread

log = logging.getLogger(__name__)
_LONGEST = 2000
"""Bytes of a line; what is longer becomes several."""


def log_output(stream: IO[bytes], pid: int, crashed: Callable[[], None]) -> None:
    """Log each line from now on until the process is gone, from a thread of its own; the stream is closed then."""
    guarded_thread(partial(_log_lines, stream, pid), f"output-{pid}", crashed).start()


def _log_lines(stream: IO[bytes], pid: int) -> None:
    with stream:
        while line := stream.readline(_LONGEST):
            text = line.decode("utf-8", "replace").strip()
            if text:
                log.warning("an engine process says: %s", text, extra={"action": "engine_output", "engine": pid})
