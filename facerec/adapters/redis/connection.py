"""The door to Redis: clients per database, scripts, and the one place where the client's errors become ours."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.exceptions import BusyLoadingError, NoScriptError, OutOfMemoryError, ReadOnlyError, ResponseError
from redis.retry import Retry

from facerec.adapters.redis.layout import OWN
from facerec.config import RedisSettings
from facerec.errors import InternalError, StoreUnavailable

_SCRIPTS = Path(__file__).parent / "scripts"
Argument = str | int | float | bytes


@contextmanager
def mapped_errors() -> Iterator[None]:
    """Turn the client's errors into ours: StoreUnavailable when waiting may help, InternalError when it cannot."""
    try:
        yield
    except (redis.ConnectionError, redis.TimeoutError, BusyLoadingError, ReadOnlyError, OutOfMemoryError) as error:
        raise StoreUnavailable(f"Redis: {error}") from error
    except ResponseError as error:
        raise InternalError(f"Redis refused a command: {error}") from error
    except redis.RedisError as error:
        raise StoreUnavailable(f"Redis: {error}") from error


class RedisDatabases:
    """Clients for the five databases of one server, each with its pool; safe for many threads. Connects when first used.

    A command that finds its connection cut is sent once more, so every script must bear being run twice.
    """

    def __init__(self, settings: RedisSettings) -> None:
        self._settings = settings
        self._clients: dict[int, Any] = {}

    def client(self, database: int = OWN) -> Any:
        """The client of a database. It answers in bytes, which its own annotations do not know; hence Any."""
        if database not in self._clients:
            self._clients[database] = self._connect(database)
        return self._clients[database]

    def _connect(self, database: int) -> Any:
        settings = self._settings
        return redis.Redis(
            host=settings.host,
            port=settings.port,
            username=settings.user or None,
            password=settings.password.reveal() or None,
            ssl=settings.tls,
            db=database,
            protocol=2,
            socket_timeout=settings.timeout,
            socket_connect_timeout=settings.timeout,
            retry=Retry(NoBackoff(), 1, supported_errors=(redis.ConnectionError,)),
            health_check_interval=0,
        )

    def call(self, script: str, *arguments: Argument) -> Any:
        """Run one of our scripts by its name. Raises StoreUnavailable, InternalError."""
        return self.call_many(script, [arguments])[0]

    def call_many(self, script: str, calls: Sequence[Sequence[Argument]]) -> list[Any]:
        """Run a script once for each list of arguments, in one round trip. Raises StoreUnavailable, InternalError."""
        with mapped_errors():
            try:
                return self._send(script, calls)
            except NoScriptError:
                self.client().script_load(_source(script))
                return self._send(script, calls)

    def _send(self, script: str, calls: Sequence[Sequence[Argument]]) -> list[Any]:
        sha = _sha(script)
        if len(calls) == 1:
            return [self.client().evalsha(sha, 0, *calls[0])]
        with self.client().pipeline(transaction=False) as pipeline:
            for arguments in calls:
                pipeline.evalsha(sha, 0, *arguments)
            return list(pipeline.execute())

    def ping(self) -> None:
        """Raises StoreUnavailable unless the server answers."""
        with mapped_errors():
            self.client().ping()

    def close(self) -> None:
        for client in self._clients.values():
            client.close()
        self._clients.clear()


@cache
def _source(script: str) -> str:
    """What is sent for a script: common.lua, the parts that it and they name in lines ``-- with: part``, each once, and it."""
    return "".join([_text("common"), *(_text(part) for part in _parts(script)), _text(script)])


def _parts(script: str) -> list[str]:
    """The parts that a script needs, those that others need first."""
    found: list[str] = []
    for part in re.findall(r"^-- with: (\w+)$", _text(script), re.MULTILINE):
        found += [each for each in (*_parts(part), part) if each not in found]
    return found


def _text(script: str) -> str:
    return (_SCRIPTS / f"{script}.lua").read_text(encoding="utf-8")


@cache
def _sha(script: str) -> str:
    # Redis names a script by its SHA-1; nothing is protected by it.
    return hashlib.sha1(_source(script).encode(), usedforsecurity=False).hexdigest()
