"""Sessions of browsers at the page."""

from __future__ import annotations

import hashlib
import secrets

from facerec.adapters.redis.connection import RedisDatabases, mapped_errors
from facerec.adapters.redis.layout import OWN
from facerec.adapters.redis.tokens import RedisTokens, token_hash


class RedisSessions:
    """`facerec.ports.Sessions` over keys that expire. A session ends with the token that opened it."""

    def __init__(self, databases: RedisDatabases, tokens: RedisTokens) -> None:
        self._databases = databases
        self._tokens = tokens

    def open(self, token: str, seconds: float) -> str | None:
        if self._tokens.owner_of(token) is None:
            return None
        secret = secrets.token_urlsafe(32)
        with mapped_errors():
            self._databases.client(OWN).set(_key(secret), token_hash(token), px=int(seconds * 1000))
        return secret

    def owner_of(self, secret: str) -> str | None:
        with mapped_errors():
            digest = self._databases.client(OWN).get(_key(secret))
        return None if digest is None else self._tokens.owner_of_hash(digest.decode())

    def close(self, secret: str) -> None:
        with mapped_errors():
            self._databases.client(OWN).delete(_key(secret))


def _key(secret: str) -> str:
    return f"session:{hashlib.sha256(secret.encode()).hexdigest()}"
