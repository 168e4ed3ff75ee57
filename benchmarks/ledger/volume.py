"""A picture store that can be made full: on a file system of its own in memory (tmpfs), which root may mount.

Where it cannot be mounted, the fault is left out by name.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.client import wait_until

SIZE = 1 << 30
"""Bytes that the picture store may have; memory is used for what is in it alone."""


class Volume:
    """A file system of its own in ``folder``; ``why_not`` says why there is none, and the folder is a plain one then."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.why_not = _run("mount", "-t", "tmpfs", "-o", f"size={SIZE}", "facerec-pictures", str(folder))

    @contextmanager
    def full(self) -> Iterator[None]:
        """Inside, it has no room for a single byte more."""
        why = ""

        def shrunk() -> bool:
            nonlocal why
            found = os.statvfs(self.folder)
            # Somebody may write meanwhile; the kernel refuses to make it smaller than what is in it.
            why = self._resize((found.f_blocks - found.f_bfree) * found.f_frsize or found.f_frsize)
            return not why and os.statvfs(self.folder).f_bfree == 0

        wait_until(shrunk, "the picture store is full", lambda: why)
        try:
            yield
        finally:
            if why := self._resize(SIZE):
                raise RuntimeError(why)

    def close(self) -> None:
        """Raises RuntimeError."""
        if not self.why_not and (why := _run("umount", str(self.folder))):
            raise RuntimeError(why)

    def _resize(self, size: int) -> str:
        return _run("mount", "-o", f"remount,size={size}", str(self.folder))


def _run(*command: str) -> str:
    """Why it failed, else nothing."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        return str(error)
    return "" if done.returncode == 0 else f"{command[0]}: {(done.stderr or done.stdout).strip()}"
