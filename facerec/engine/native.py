"""What libraries write to the error output of the process, past Python."""

from __future__ import annotations

import os
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from facerec.errors import UnreadableImage

_STDERR = 2
_READ = 64 * 1024
_alone = threading.Lock()


def _scratch() -> IO[bytes]:
    """In memory on Linux, where an engine process may have no folder that it can write to."""
    if sys.platform == "linux":
        return os.fdopen(os.memfd_create("native-errors"), "w+b")
    return tempfile.TemporaryFile()


@contextmanager
def native_errors() -> Iterator[list[str]]:
    """The lines that a library writes meanwhile, in the list afterwards and nowhere else. Other threads wait for their turn.

    The error output belongs to the whole process: what another thread writes there meanwhile is among the lines.
    """
    lines: list[str] = []
    with _alone, _scratch() as file:
        before = os.dup(_STDERR)
        os.dup2(file.fileno(), _STDERR)
        try:
            yield lines
        finally:
            os.dup2(before, _STDERR)
            os.close(before)
            file.seek(0)
            lines += file.read(_READ).decode("utf-8", "replace").splitlines()


@contextmanager
def libtiff_errors() -> Iterator[None]:
    """Raises UnreadableImage with what libtiff says is wrong, which the error output alone has, whether it went on or not."""
    lines: list[str] = []
    try:
        with native_errors() as lines:
            yield
    finally:
        errors = [line for line in lines if "Warning, " not in line]
        if errors:
            raise UnreadableImage(f"the picture cannot be decoded: {errors[0]}")
