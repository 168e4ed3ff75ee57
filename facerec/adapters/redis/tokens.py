"""Who may call: tokens made by a command, kept as hashes."""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import re
import secrets
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic

from facerec.adapters.redis.connection import RedisDatabases, mapped_errors
from facerec.adapters.redis.layout import OWN
from facerec.errors import BadParam, ConfigError, Conflict
from facerec.identity import check_owner
from facerec.nesting import parse_shallow_json

log = logging.getLogger(__name__)
ANY_AGE = 1.0
"""Seconds for which it is remembered whether there is any token: every call without one asks."""
_KEY = "tokens"
_DIGEST = re.compile(r"[0-9a-f]{64}")
_TOKEN = re.compile(r"[A-Za-z0-9_-]{20,200}")


class RedisTokens:
    """`facerec.ports.Tokens`: those of a file of lines ``owner:sha256`` (for clusters), and those in Redis."""

    def __init__(self, databases: RedisDatabases, file: Path | None = None) -> None:
        self._databases = databases
        self._of_file = read_token_file(file) if file else {}
        self._any, self._any_until = False, 0.0

    def owner_of(self, token: str) -> str | None:
        return self.owner_of_hash(token_hash(token))

    def owner_of_hash(self, digest: str) -> str | None:
        """The owner of the token with this hash."""
        owner = None
        for known, of in self._of_file.items():
            if hmac.compare_digest(known, digest):
                owner = of
        if owner is None:
            # The look-up is by hash: its time tells nothing about a token that is not known already.
            with mapped_errors():
                entry = self._databases.client(OWN).hget(_KEY, digest)
            owner = str(_read(digest, entry).get("owner", "")) or None if entry else None
        return owner

    def any(self) -> bool:
        if self._of_file:
            return True
        if monotonic() >= self._any_until:
            with mapped_errors():
                self._any = bool(self._databases.client(OWN).exists(_KEY))
            self._any_until = monotonic() + ANY_AGE
        return self._any

    def create(self, owner: str, note: str = "") -> str:
        """A new token for ``owner``; it is shown now and never again. Raises BadParam."""
        token = secrets.token_urlsafe(32)
        self.add(owner, token, note)
        return token

    def add(self, owner: str, token: str, note: str = "") -> None:
        check_owner(owner)
        if not _TOKEN.fullmatch(token):
            raise BadParam("token", "a token has 20 to 200 characters of a-z, A-Z, 0-9, _ and -")
        entry = {"owner": owner, "created_at": datetime.now(UTC).isoformat(), "note": note}
        digest = token_hash(token)
        with mapped_errors():
            is_known = digest in self._of_file or not self._databases.client(OWN).hsetnx(
                _KEY, digest, json.dumps(entry)
            )
        self._any_until = 0.0
        if is_known:
            raise Conflict("somebody has this token already")

    def revoke(self, digest: str) -> bool:
        """Forget the token with this hash, or whose hash begins so when only one does."""
        self._any_until = 0.0
        with mapped_errors():
            client = self._databases.client(OWN)
            known = [key for key in client.hkeys(_KEY) if key.decode().startswith(digest)]
            return len(known) == 1 and bool(client.hdel(_KEY, known[0]))

    def list(self) -> dict[str, dict[str, str]]:
        """Hash of each token in Redis -> owner, created_at, note."""
        with mapped_errors():
            found = self._databases.client(OWN).hgetall(_KEY)
        return {digest.decode(errors="replace"): _read(digest, entry) for digest, entry in found.items()}


def _read(digest: str | bytes, entry: bytes) -> dict[str, str]:
    """What is known of a token; of one whose entry is damaged nothing, so that it is nobody's."""
    try:
        told = parse_shallow_json(entry.decode())
        texts = {name: str(told.get(name, "")) for name in ("owner", "created_at", "note")}
        check_owner(texts["owner"])
    except (BadParam, ValueError, AttributeError) as error:
        log.error(
            "what is stored of the token %s is damaged: %s", digest[:12], error, extra={"action": "damaged_token"}
        )
        return {"owner": "", "created_at": "", "note": "damaged"}
    return texts


def token_hash(token: str) -> str:
    """SHA-256, hexadecimal. A token that we make has 256 random bits, so no slow hash is needed."""
    return hashlib.sha256(token.encode()).hexdigest()


def read_token_file(file: Path) -> dict[str, str]:
    """Hash -> owner from lines ``owner:sha256``; empty lines and those that begin with # are skipped. Raises ConfigError."""
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise ConfigError(f"TOKENS_FILE={str(file)!r}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"TOKENS_FILE={str(file)!r}: is no UTF-8 text") from error
    tokens = {}
    for number, line in enumerate(lines, 1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        owner, _, digest = text.partition(":")
        if not _DIGEST.fullmatch(digest.lower()):
            raise ConfigError(f"TOKENS_FILE={str(file)!r}: line {number} is not owner:sha256")
        try:
            tokens[digest.lower()] = check_owner(owner)
        except BadParam as error:
            raise ConfigError(f"TOKENS_FILE={str(file)!r}: line {number}: {error.reason}") from error
    return tokens
