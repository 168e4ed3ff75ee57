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
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from facerec import service_file
from facerec.config import for_commands, is_set, load_settings
from facerec.errors import ConfigError
from facerec.files import write_private
from facerec.local.parts import Part, ProgramPart, defaults, server_part
from facerec.local.ports import claim, is_free
from facerec.local.process import ProcessFailed, wait_until

READY_LIMIT = 180.0
"""Seconds until REST, worker, Redis and RabbitMQ must answer; a first start converts the models, which takes some seconds."""
TRIES = 10
"""How often other ports are chosen for a part, when somebody else took its port before it could."""
TELL_EVERY = 10.0
"""Seconds after which a person who waits is told again for what."""
Say = Callable[[str], None]


class LocalStack:
    """The parts in ``folder``, in the order in which they start; they stop in reverse."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()
        self._file = self.folder / "stack.json"
        self.service_file = self.folder / service_file.PLACE.name

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
                if not self.service_file.exists():
                    self._tell_commands()
                return False
            self._decide(forward=forward)
            try:
                self._start(say)
                self._tell_commands()
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
            *self._programs(),
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

    def _tell_commands(self) -> None:
        """Raises ConfigError."""
        service_file.write(self.service_file, for_commands(self.settings()) | {"FACEREC_URL": self.url})

    def _start(self, say: Say) -> None:
        # Who runs already knows the ports that the others have.
        may_move = not any(part.identity for part in self.kept_parts() if isinstance(part, ProgramPart))
        for part in self.kept_parts():
            if part.identity is None:
                self._start_part(part, say, may_move=may_move)
        self._wait_ready(say)
        self._keeper().start()

    def _start_part(self, part: Part, say: Say, *, may_move: bool) -> None:
        for tries_left in reversed(range(TRIES)):
            say(f"starting {part.name}")
            try:
                part.start()
            except ProcessFailed:
                part.stop()
                if not (may_move and tries_left and part.move()):
                    raise
                say(f"{part.name}: another program took its port; it gets another")
            else:
                return

    def _stop(self, say: Say) -> bool:
        self.service_file.unlink(missing_ok=True)
        running = [part for part in self.parts() if part.identity]
        for part in reversed(running):
            say(f"stopping {part.name}")
            part.stop()
        return bool(running)

    def _wait_ready(self, say: Say) -> None:
        """Until REST and worker are ready. REST gets another port when somebody else took its own before it could."""
        rest, worker = self._programs()
        for tries_left in reversed(range(TRIES)):
            self._wait_settled(say)
            if rest.identity is not None or is_free(self.port):
                break
            if is_set("REST_PORT", "FACEREC_PORT"):
                raise ConfigError(f"port {self.port}: another program took it before REST could")
            if not tries_left:
                break
            say("rest: another program took its port; it gets another")
            self._remember(self._remembered() | {"port": rest_port(self.port)})
            rest, worker = self._programs()
            rest.start()
        for part in (rest, worker):
            if part.identity is None:
                raise ProcessFailed(f"{part.name} ended while starting. {part.tail()}")

    def _wait_settled(self, say: Say) -> None:
        """Until all is ready or one of the two has ended. Raises ProcessFailed."""
        rest, worker = self._programs()
        told = time.monotonic()
        why = ""

        def settled() -> bool:
            nonlocal told, why
            if not (rest.identity and worker.identity):
                return True
            code, why = readiness(self.port) if rest.listens(self.port) else (0, "REST does not listen yet")
            if time.monotonic() - told > TELL_EVERY:
                told = time.monotonic()
                say(f"waiting: {why}")
            return code == 200

        say("waiting until the service is ready")
        if not wait_until(settled, READY_LIMIT, every=0.25):
            tails = "\n".join(part.tail() for part in (rest, worker))
            raise ProcessFailed(f"not ready within {READY_LIMIT:g} s: {why}\n{tails}")

    def _programs(self) -> tuple[ProgramPart, ProgramPart]:
        rest = ProgramPart("rest", self.folder / "rest", self.url, self.settings)
        return rest, ProgramPart("worker", self.folder / "worker", "", self.settings)

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
        self._remember(facts)

    def _remember(self, facts: dict[str, int | str]) -> None:
        write_private(self._file, json.dumps(facts))

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
    """The port for REST: what REST_PORT or FACEREC_PORT says, else the one of last time or 5000, or the next that is free."""
    wanted = load_settings().rest.port
    if is_set("REST_PORT", "FACEREC_PORT"):
        # Whoever named it may have chosen it as `claim` does; so only who listens there counts.
        if not is_free(wanted):
            raise ConfigError(f"REST_PORT={wanted}: something listens there already")
        claim(wanted)
        return wanted
    first = remembered or wanted
    return next(port for port in range(first, first + 1000) if claim(port))


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
