"""The parts of a local service: how each is started, stopped and found again."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from facerec.config import is_set
from facerec.files import new_password, write_private
from facerec.local.ports import free_port, is_free
from facerec.local.process import BackgroundProcess, Identity
from facerec.local.servers import RabbitServer, RedisServer

ROOT = Path(__file__).parents[2]
"""Where ``python -m rest`` and ``python -m worker`` are run, so that they are those of this folder."""
PROGRAM_STOP_LIMIT = 45.0
"""Seconds that REST and a worker may take for what they have begun: their own limits are 35 and 25."""


class Part(Protocol):
    """One background process of the service. ``address`` is for people."""

    @property
    def name(self) -> str: ...
    @property
    def address(self) -> str: ...
    @property
    def log(self) -> Path: ...
    @property
    def identity(self) -> Identity | None: ...
    def start(self) -> None:
        """Start it when it does not run. Raises ProcessFailed, ServerMissing."""
        ...

    def stop(self) -> None:
        """Stop it in order when it runs."""
        ...

    def move(self) -> bool:
        """Choose other ports for those that somebody else has, where it did not start; False when that is not why."""
        ...

    def variables(self) -> dict[str, str]:
        """The settings by which the others reach it."""
        ...


class RedisPart:
    """A private Redis."""

    name = "redis"

    def __init__(self, folder: Path) -> None:
        self._server = RedisServer(folder, password=password_in(folder), outlives=True)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._server.port}"

    @property
    def log(self) -> Path:
        return self._server.log

    @property
    def identity(self) -> Identity | None:
        return self._server.identity

    def start(self) -> None:
        self._server.start()

    def stop(self) -> None:
        self._server.stop()

    def move(self) -> bool:
        return self._server.move()

    def variables(self) -> dict[str, str]:
        return {
            "REDIS_HOST": "127.0.0.1",
            "REDIS_PORT": str(self._server.port),
            "REDIS_USER": "",
            "REDIS_TLS": "false",
            "REDIS_PASSWORD_FILE": str(self._server.folder / "password"),
        }


class RabbitPart:
    """A private RabbitMQ with its management API."""

    name = "rabbitmq"

    def __init__(self, folder: Path) -> None:
        self._server = RabbitServer(folder, user="facerec", password=password_in(folder), outlives=True)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._server.port}, management {self._server.management_url}"

    @property
    def log(self) -> Path:
        return self._server.log

    @property
    def identity(self) -> Identity | None:
        return self._server.identity

    def start(self) -> None:
        if self._server.running:
            return
        self._server.start()
        self._server.enable_feature_flags()

    def stop(self) -> None:
        self._server.stop()

    def move(self) -> bool:
        return self._server.move()

    def variables(self) -> dict[str, str]:
        return {
            "RABBITMQ_HOST": "127.0.0.1",
            "RABBITMQ_PORT": str(self._server.port),
            "RABBITMQ_USER": self._server.user,
            "RABBITMQ_VHOST": "/",
            "RABBITMQ_TLS": "false",
            "RABBITMQ_PASSWORD_FILE": str(self._server.folder / "password"),
            "RABBITMQ_MANAGEMENT_URL": self._server.management_url,
        }


class ForwardPart:
    """A port of this machine that leads to a service of the cluster that kubectl is set to.

    ``settings`` are those of the server behind it; the port comes on top. The password lies in the folder already.
    """

    def __init__(self, name: str, folder: Path, service_port: int, settings: Mapping[str, str]) -> None:
        self.name = name
        self._service_port = service_port
        self._settings = settings
        self._folder = folder
        self._process = BackgroundProcess(name, folder, outlives=True)

    @property
    def port(self) -> int:
        file = self._folder / "port"
        if not file.exists():
            write_private(file, str(free_port()))
        return int(file.read_text(encoding="utf-8"))

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port} leads to {self.name} in the cluster"

    @property
    def log(self) -> Path:
        return self._process.log

    @property
    def identity(self) -> Identity | None:
        return self._process.identity

    def start(self) -> None:
        if self._process.running:
            return
        kubectl = shutil.which("kubectl") or "kubectl"
        command = [kubectl, "port-forward", "--address", "127.0.0.1", f"service/{self.name}"]
        self._process.start([*command, f"{self.port}:{self._service_port}"])
        self._process.wait_ready(lambda: self._process.listens(self.port), 60)

    def stop(self) -> None:
        self._process.stop(10)

    def move(self) -> bool:
        if is_free(self.port):
            return False
        write_private(self._folder / "port", str(free_port()))
        return True

    def variables(self) -> dict[str, str]:
        prefix = self.name.upper()
        password = {f"{prefix}_PASSWORD_FILE": str(self._folder / "password")}
        return {f"{prefix}_HOST": "127.0.0.1", f"{prefix}_PORT": str(self.port), **self._settings, **password}


def server_part(name: str, source: str, folder: Path) -> Part | None:
    """``redis`` or ``rabbitmq`` as a ``private`` server or a ``forward`` into a cluster; None when it is ``given``."""
    if source == "given":
        return None
    if name == "redis":
        if source == "private":
            return RedisPart(folder / "redis")
        return ForwardPart("redis", folder / "forward-redis", 6379, {"REDIS_USER": "", "REDIS_TLS": "false"})
    if source == "private":
        return RabbitPart(folder / "rabbitmq")
    settings = {"RABBITMQ_USER": "facerec", "RABBITMQ_VHOST": "/", "RABBITMQ_TLS": "false"}
    return ForwardPart("rabbitmq", folder / "forward-rabbitmq", 5672, settings)


@dataclass
class ProgramPart:
    """REST or a worker, with ``settings`` that are asked for at its start."""

    name: str
    folder: Path
    address: str
    settings: Callable[[], Mapping[str, str]]
    command: Sequence[str] = ()

    def __post_init__(self) -> None:
        self._process = BackgroundProcess(self.name, self.folder, outlives=True, workplace=ROOT)

    @property
    def log(self) -> Path:
        return self._process.log

    @property
    def identity(self) -> Identity | None:
        return self._process.identity

    def start(self) -> None:
        if self._process.running:
            return
        self._process.start(self.command or [sys.executable, "-m", self.name], self.settings())

    def stop(self) -> None:
        self._process.stop(PROGRAM_STOP_LIMIT)

    def move(self) -> bool:
        return False  # it starts long before it binds: see LocalStack

    def listens(self, port: int) -> bool:
        return self._process.listens(port)

    def tail(self) -> str:
        return self._process.tail()

    def variables(self) -> dict[str, str]:
        return {}


def password_in(folder: Path) -> str:
    """The password of a server, made when there is none."""
    file = folder / "password"
    if not file.exists():
        write_private(file, new_password())
    return file.read_text(encoding="utf-8")


def defaults(folder: Path) -> dict[str, str]:
    """Settings that a local service has unless the user's environment says otherwise."""
    wanted = {"MODEL_CACHE": str(ROOT / ".cache" / "models"), "IMAGE_STORE": (folder / "images").as_uri()}
    return {name: value for name, value in wanted.items() if not is_set(name)}
