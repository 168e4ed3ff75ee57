"""The door to Redis: clients per database, scripts, and the one place where the client's errors become ours."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError
from redis.retry import Retry
from redis.sentinel import MasterNotFoundError, Sentinel

from facerec.adapters.redis.layout import OWN
from facerec.adapters.redis.refusals import error_of
from facerec.config import RedisSettings
from facerec.errors import StoreRefusesWrites, StoreUnavailable

_SCRIPTS = Path(__file__).parent / "scripts"
_WAIT_SHARE = 0.5
"""The share of the time limit that replicas have to confirm a change."""
_PROBE = "facerec:probe"
"""A key that never is."""
_SEEN = "facerec:seen"
"""A channel that nobody listens to."""
Argument = str | int | float | bytes


@contextmanager
def mapped_errors() -> Iterator[None]:
    """Turn the client's errors into ours: StoreUnavailable when waiting may help, InternalError when it cannot."""
    try:
        yield
    except MasterNotFoundError as error:
        raise StoreUnavailable("Redis: no sentinel tells where the primary is") from error
    except redis.RedisError as error:
        raise error_of(error) from error


class RedisDatabases:
    """Clients for the five databases of one server, each with its pool; safe for many threads. Connects when first used.

    A command that finds its connection cut is sent once more, so every script must bear being run twice. With sentinels every
    new connection asks them for the primary. What a script changed counts when as many replicas as are set have it: else it
    ends with StoreUnavailable, as when the answer was lost on its way.
    """

    def __init__(self, settings: RedisSettings) -> None:
        self._settings = settings
        self._clients: dict[int, Any] = {}
        self._sentinel = _sentinel(settings) if settings.sentinels else None

    def client(self, database: int = OWN) -> Any:
        """The client of a database. It answers in bytes, which its own annotations do not know; hence Any."""
        if found := self._clients.get(database):
            return found
        # Threads that make one each use the one that came first: one that is let go closes its connections, in use or not.
        return self._clients.setdefault(database, self._connect(database))

    def _connect(self, database: int) -> Any:
        settings = self._settings
        options = {
            "username": settings.user or None,
            "password": settings.password.reveal() or None,
            "db": database,
            "retry": Retry(NoBackoff(), 1, supported_errors=(redis.ConnectionError,)),
            "health_check_interval": 0,
            **_transport(settings),
        }
        if self._sentinel:
            options["redis_connect_func"] = _connect_to_primary
            return self._sentinel.master_for(settings.sentinel_primary, **options)  # type: ignore[no-untyped-call]
        return redis.Redis(host=settings.host, port=settings.port, **options)

    def call(self, script: str, *arguments: Argument) -> Any:
        """Run one of our scripts by its name. Raises StoreUnavailable, InternalError."""
        return self.call_many(script, [arguments])[0]

    def call_many(self, script: str, calls: Sequence[Sequence[Argument]]) -> list[Any]:
        """Run a script once for each list of arguments, in one round trip. Raises StoreUnavailable, InternalError."""
        answers: list[Any] = self._loaded(script, lambda: self._send(script, calls))
        return answers

    def read(self, script: str, *arguments: Argument) -> Any:
        """Run a script that only reads: it goes on while the server takes no writes, and whatever replicas have.

        For what people look at; who builds on what he reads uses `call`. Raises StoreUnavailable, InternalError.
        """
        return self.read_many(script, [arguments])[0]

    def read_many(self, script: str, calls: Sequence[Sequence[Argument]]) -> list[Any]:
        """As `read`, once for each list of arguments, in one round trip. Raises StoreUnavailable, InternalError."""

        def send() -> list[Any]:
            with self.client().pipeline(transaction=False) as pipeline:
                for arguments in calls:
                    pipeline.execute_command("EVALSHA_RO", _sha(script), 0, *arguments)
                return list(pipeline.execute())

        answers: list[Any] = self._loaded(script, send)
        return answers

    def call_forgettable(self, script: str, *arguments: Argument) -> Any:
        """As `call`, but nothing waits for replicas: for changes that a fail-over may take back."""
        return self._loaded(script, lambda: self.client().evalsha(_sha(script), 0, *arguments))

    def _loaded(self, script: str, send: Callable[[], Any]) -> Any:
        """What ``send`` gives, once the server knows the script."""
        with mapped_errors():
            try:
                return send()
            except NoScriptError:
                self.client().script_load(_source(script))
                return send()

    def settled(self, *command: Argument) -> Any:
        """What a command that reads database 0 tells, once so many replicas as are set have all that it saw.

        Who builds on what he read, as an index does, must not have seen what a fail-over takes back. Raises StoreUnavailable.
        """
        with mapped_errors(), self.client().pipeline(transaction=False) as pipeline:
            pipeline.execute_command(*command)
            return self._confirmed(pipeline)[0]

    def history(self) -> str:
        """The name of the line of changes that the primary continues; a fail-over begins another. Raises StoreUnavailable."""
        with mapped_errors():
            return str(self.client().info("replication")["master_replid"])

    def _send(self, script: str, calls: Sequence[Sequence[Argument]]) -> list[Any]:
        sha = _sha(script)
        if len(calls) == 1 and not self._settings.replicas:
            return [self.client().evalsha(sha, 0, *calls[0])]
        with self.client().pipeline(transaction=False) as pipeline:
            for arguments in calls:
                pipeline.evalsha(sha, 0, *arguments)
            return self._confirmed(pipeline)

    def _confirmed(self, pipeline: Any) -> list[Any]:
        """The answers of a pipeline, once the replicas have everything that was written before its last answer.

        WAIT asks for what its own connection sent to the replicas, and since Redis 7.2 a reading that saw the write of somebody
        else does not count; a message does, which goes to them and into no file.
        """
        replicas = self._settings.replicas
        if not replicas:
            return list(pipeline.execute())
        pipeline.publish(_SEEN, "")
        pipeline.execute_command("WAIT", replicas, int(1000 * _WAIT_SHARE * self._settings.timeout))
        answers: list[Any]
        *answers, _, confirmed = pipeline.execute()
        if confirmed < replicas:
            raise StoreRefusesWrites(f"Redis: {confirmed} of {replicas} replicas have the change")
        return answers

    def ping(self) -> None:
        """Raises StoreUnavailable unless the server answers who reads. PING does not tell: a server that cannot save refuses it."""
        with mapped_errors():
            self.client().exists(_PROBE)

    def check_writes(self) -> None:
        """Raises StoreUnavailable unless changes are taken.

        A key that is not there and gets nothing stays away: this is refused as any write is, and changes nothing.
        """
        self.settled("SETRANGE", _PROBE, 0, "")

    def close(self) -> None:
        for client in list(self._clients.values()):
            client.close()
        self._clients.clear()
        if self._sentinel:
            for client in self._sentinel.sentinels:
                client.close()


def call_token() -> str:
    """Names a call to a script that must not be done twice: a command is sent again when its connection was cut before the answer
    came, and the script knows by this that it was done before."""
    return secrets.token_hex(8)


def _connect_to_primary(connection: Any) -> None:
    """Log in, and see whether this is the primary: a sentinel that was away tells what was true before."""
    connection.on_connect()
    connection.send_command("ROLE")
    if connection.read_response()[0] != b"master":
        raise redis.ConnectionError("the sentinel named a server that is no primary any more")


def _transport(settings: RedisSettings) -> dict[str, Any]:
    """How every server is spoken to."""
    tls = {"ssl": True, "ssl_ca_certs": str(settings.ca_file) if settings.ca_file else None} if settings.tls else {}
    limits = {"socket_timeout": settings.timeout, "socket_connect_timeout": settings.timeout}
    return {"protocol": 2, **limits, **tls}


def _sentinel(settings: RedisSettings) -> Sentinel:
    password = settings.sentinel_password.reveal() or None
    return Sentinel(settings.sentinels, sentinel_kwargs={"password": password, **_transport(settings)})  # type: ignore[no-untyped-call]


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


def pages_of_members(client: Any, key: str | bytes, count: int) -> Iterator[list[bytes]]:
    """The members of a sorted set, about ``count`` at a time; an empty page when there are none. Raises StoreUnavailable."""
    cursor = 0
    while True:
        with mapped_errors():
            cursor, found = client.zscan(key, cursor, count=count)
        yield [member for member, _ in found]
        if cursor == 0:
            return
