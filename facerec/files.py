"""Files that only their owner may read, and the secrets in them."""

from __future__ import annotations

import os
import secrets
import threading
from pathlib import Path


def write_private(path: Path, text: str) -> Path:
    """Make or replace the file in one step, as another command may read it meanwhile. Nobody else can read it, not even for a
    moment. Raises OSError, and leaves the file as it was then."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")
    part.unlink(missing_ok=True)
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        with os.fdopen(os.open(part, flags, 0o600), "w", encoding="utf-8", errors="surrogateescape") as file:
            file.write(text)
        return part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def new_password() -> str:
    """A password of 144 random bits, without signs that need quoting anywhere."""
    return secrets.token_urlsafe(18)
