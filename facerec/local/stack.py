"""The whole service on one machine: which parts there are, and how they come up and go down together.

``.facerec/stack.json`` remembers the parts and the port of REST, so that `down`, `status` and the keeper find what `up`
started whatever their own environment says.
"""

from __future__ import annotations

import contextlib
import fcntl
import http.client
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from facerec.config import is_set, load_settings
from facerec.errors import ConfigError
from facerec.local.parts import Part, ProgramPart, defaults, server_part
from facerec.local.ports import is_free
from facerec.local.process import ProcessFailed, wait_until

READY_LIMIT = 180.0
"""Seconds until REST, worker, Redis and RabbitMQ must answer; a first start converts the models, which takes some seconds."""
Say = Callable[[str], None]


class LocalStack:
    """The parts in ``folder``, in the order in which they start; they stop in reverse."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()
        self._file = self.folder / "stack.json"

    @property
    def exists(self) -> bool:
        """Whether anything was ever started here."""
        return self._file.exists()

    @property
    def port(self) -> int:
        return int(self._remembered()["port"])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def up(self, say: Say, *, forward: bool = False) -> bool:
        """Start what does not run and wait until the service is ready; False when everything ran already.

        With ``forward`` Redis and RabbitMQ are those of the cluster that kubectl is set to.
        What was started is stopped again when it does not become ready. Raises ConfigError, ProcessFailed, ServerMissing.
        """
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._alone():
            if self.exists and all(part.identity for part in self.parts()):
                return False
            self._decide(forward=forward)
            try:
                self._start(say)
            except BaseException:
                self._stop(lambda _: None)
                raise
        return True

    def down(self, say: Say) -> bool:
        """Stop what runs; False when nothing did. The data stay."""
        if not self.exists:
            return False
        with self._alone():
            return self._stop(say)

    def parts(self) -> list[Part]:
        """All parts, started or not; the last is the keeper, which starts again what dies."""
        return [*self.kept_parts(), self._keeper()]

    def kept_parts(self) -> list[Part]:
        """All parts but the keeper."""
        return [
            *self._servers(),
            ProgramPart("rest", self.folder / "rest", self.url, self.settings),
            ProgramPart("worker", self.folder / "worker", "", self.settings),
        ]

    def settings(self) -> dict[str, str]:
        """What REST, workers and the command `facerec` need to reach this service; secrets are named by their files."""
        reached = {key: value for server in self._servers() for key, value in server.variables().items()}
        return defaults(self.folder) | reached | {"REST_PORT": str(self.port)}

    def _servers(self) -> list[Part]:
        remembered = self._remembered()
        found = (server_part(name, str(remembered[name]), self.folder) for name in ("redis", "rabbitmq"))
        return [part for part in found if part is not None]

    def _keeper(self) -> Part:
        command = [sys.executable, "-m", "facerec.local", "--folder", str(self.folder), "keep"]
        return ProgramPart("keeper", self.folder / "keeper", "", dict, command)

    def _start(self, say: Say) -> None:
        for part in self.kept_parts():
            if part.identity is None:
                say(f"starting {part.name}")
                part.start()
        self._wait_ready()
        self._keeper().start()

    def _stop(self, say: Say) -> bool:
        running = [part for part in self.parts() if part.identity]
        for part in reversed(running):
            say(f"stopping {part.name}")
            part.stop()
        return bool(running)

    def _wait_ready(self) -> None:
        programs = [part for part in self.kept_parts() if isinstance(part, ProgramPart)]

        def settled() -> bool:
            return not all(part.identity for part in programs) or readiness(self.port)[0] == 200

        if not wait_until(settled, READY_LIMIT, every=0.25):
            tails = "\n".join(part.tail() for part in programs)
            raise ProcessFailed(f"not ready within {READY_LIMIT:g} s: {readiness(self.port)[1]}\n{tails}")
        for part in programs:
            if part.identity is None:
                raise ProcessFailed(f"{part.name} ended while starting. {part.tail()}")

    def _decide(self, *, forward: bool) -> None:
        """What this environment asks for: a server named by REDIS_HOST or RABBITMQ_HOST is used, otherwise ours."""
        load_settings()  # a wrong setting is better reported now than by a process that dies
        port = self.port if self.exists else 0
        if not (self.exists and any(part.name == "rest" and part.identity for part in self.kept_parts())):
            port = rest_port(port)
        ours = "forward" if forward else "private"
        facts: dict[str, int | str] = {"port": port}
        for name, variable in (("redis", "REDIS_HOST"), ("rabbitmq", "RABBITMQ_HOST")):
            facts[name] = "given" if is_set(variable) and not forward else ours
        self._file.write_text(json.dumps(facts), encoding="utf-8")

    def _remembered(self) -> dict[str, int | str]:
        facts: dict[str, int | str] = json.loads(self._file.read_text(encoding="utf-8"))
        return facts

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Two commands at once would start everything twice."""
        with (self.folder / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise ProcessFailed(f"another command works in {self.folder} now") from error
            yield


def rest_port(remembered: int) -> int:
    """The port for REST: what REST_PORT says, else the one of last time or 5000, or the next that is free."""
    wanted = load_settings().rest.port
    if is_set("REST_PORT"):
        if not is_free(wanted):
            raise ConfigError(f"REST_PORT={wanted}: something listens there already")
        return wanted
    first = remembered or wanted
    return next(port for port in range(first, first + 1000) if is_free(port))


def readiness(port: int) -> tuple[int, str]:
    """What /readyz of REST says: its status (0 when nothing answers), and why it is not ready."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET", "/readyz")
        answer = connection.getresponse()
        body = answer.read().decode("utf-8", "replace")
    except OSError as error:
        return 0, str(error)
    finally:
        connection.close()
    return answer.status, "" if answer.status == 200 else body.strip()
