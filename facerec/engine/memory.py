"""What glibc keeps of freed memory, and where: for the next time, which after a large picture is a lot, and for each thread
in a heap of its own, in which a few small things that stay keep the large ones from going back. With one engine process per
core and twenty threads in a worker it adds up. Other C libraries have no such functions and no such habits.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8
"""M_TRIM_THRESHOLD, M_MMAP_THRESHOLD and M_ARENA_MAX of glibc's malloc.h."""
_LARGE = 4 * 1024 * 1024


def _find(name: str) -> Callable[..., int] | None:
    found: Callable[..., int] | None = getattr(ctypes.CDLL(None), name, None)
    return found


_trim = _find("malloc_trim")
_set = _find("mallopt")


def give_back() -> None:
    """Return freed memory to the system; about a millisecond after a large picture."""
    if _trim is not None:
        _trim(0)


def one_heap() -> None:
    """Have all threads share one heap, and large things lie outside of it; call it before there is a second thread.

    Python runs one thread at a time anyhow. glibc puts ever larger things into the heap once it has seen them come and go; what
    of them is not written to yet, as most of a new block of an index, would then take memory that was written to before.
    """
    if _set is not None:
        _set(_ARENA_MAX, 1)
        _set(_MMAP_THRESHOLD, _LARGE)
        _set(_TRIM_THRESHOLD, 2 * _LARGE)
