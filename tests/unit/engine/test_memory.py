"""How the C library is told to keep its memory."""

from __future__ import annotations

import ctypes
import subprocess
import sys

import pytest

from facerec.engine.memory import give_back

ALLOCATE_IN_THREADS = """
import ctypes, threading
from facerec.engine.memory import one_heap
{before}
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
together = threading.Barrier(8)
def allocate():
    together.wait()
    for _ in range(100):
        libc.malloc(5000)
    together.wait()
threads = [threading.Thread(target=allocate) for _ in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
libc.malloc_stats()
"""


def heaps(before: str) -> int:
    """How many heaps glibc counts when eight threads have allocated."""
    command = [sys.executable, "-c", ALLOCATE_IN_THREADS.format(before=before)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stderr.count("Arena ")


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt"), reason="this C library has one heap anyhow")
def test_threads_share_one_heap_when_it_is_asked_for() -> None:
    assert heaps("one_heap()") == 1
    assert heaps("") > 1


def test_memory_can_be_given_back_at_any_time() -> None:
    give_back()
