"""Files that only their owner may read, and the secrets in them."""

from __future__ import annotations

import os
import secrets
from pathlib import Path


def write_private(path: Path, text: str) -> Path:
    """Write ``text``; nobody else can read it, not even for a moment."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    return path


def new_password() -> str:
    """A password of 144 random bits, without signs that need quoting anywhere."""
    return secrets.token_urlsafe(18)
