"""Files that only their owner may read, and the secrets in them."""

from __future__ import annotations

import os
import secrets
import tempfile
from pathlib import Path


def write_private(path: Path, text: str) -> Path:
    """Make or replace the file in one step, as another command may read it meanwhile. Nobody else can read it, not even for a
    moment."""
    path.parent.mkdir(parents=True, exist_ok=True)
    number, part = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # for its owner alone
    with os.fdopen(number, "w", encoding="utf-8") as file:
        file.write(text)
    return Path(part).replace(path)


def new_password() -> str:
    """A password of 144 random bits, without signs that need quoting anywhere."""
    return secrets.token_urlsafe(18)
