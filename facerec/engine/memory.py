"""Memory that pictures leave behind goes back to the system.

glibc keeps what is freed for the next time, and after a large picture that is a lot; with one engine process per core it
adds up. ``malloc_trim`` returns it. Other C libraries have no such function and no such habit.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable


def _find_trim() -> Callable[[int], int] | None:
    trim: Callable[[int], int] | None = getattr(ctypes.CDLL(None), "malloc_trim", None)
    return trim


_trim = _find_trim()


def give_back() -> None:
    """Return freed memory to the system; about a millisecond after a large picture."""
    if _trim is not None:
        _trim(0)
