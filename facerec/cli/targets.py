"""An image that is named on the command line: by its hash, or by a file whose bytes are looked up, not sent."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from facerec.cli.errors import CommandFailed, UsageError

_HASH = re.compile(r"[0-9a-f]{64}")


def hash_of(target: str) -> str:
    """The hash that ``target`` is, or that of the file it names. Raises UsageError, CommandFailed."""
    if _HASH.fullmatch(target):
        return target
    path = Path(target)
    if not path.is_file():
        raise UsageError(f"{target} is neither a file nor the hash of an image (64 characters of 0-9 and a-f)")
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise CommandFailed("UNREADABLE_FILE", f"{target}: {error.strerror}") from error
