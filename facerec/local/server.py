"""What the private servers have in common."""

from __future__ import annotations

import json
from pathlib import Path
from types import TracebackType
from typing import Self

from facerec.errors import FacerecError
from facerec.files import write_private
from facerec.local.process import BackgroundProcess, Identity

START_LIMIT = 60.0
"""Seconds a server may take to start; RabbitMQ needs two to six."""
STOP_LIMIT = 30.0


class ServerMissing(FacerecError):
    """A server's program is not installed."""

    code = "SERVER_MISSING"


class Server:
    """What both have in common; ``facts`` is what the folder remembers."""

    program = ""

    def __init__(self, folder: Path, *, outlives: bool) -> None:
        self.folder = folder.absolute()
        self.folder.mkdir(parents=True, exist_ok=True)
        self._facts_file = self.folder / "server.json"
        self._process = BackgroundProcess(self.program, self.folder, outlives=outlives)

    def _remember(self, facts: dict[str, int | str]) -> None:
        write_private(self._facts_file, json.dumps(facts, indent=2))

    def _remembered(self) -> dict[str, int | str]:
        try:
            facts: dict[str, int | str] = json.loads(self._facts_file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        return facts

    @property
    def log(self) -> Path:
        return self._process.log

    @property
    def identity(self) -> Identity | None:
        """The server's process, whoever started it."""
        return self._process.identity

    @property
    def running(self) -> bool:
        return self._process.running

    def start(self) -> None:
        raise NotImplementedError

    def move(self) -> bool:
        """Choose other ports for those that somebody else has, where it did not start; False when nobody has one."""
        raise NotImplementedError

    def stop(self) -> None:
        raise NotImplementedError

    def kill(self) -> None:
        """SIGKILL, as a power cut would."""
        self._process.kill()

    def close(self) -> None:
        """End at once, for those who need the data no more."""
        self._process.kill()

    def pause(self) -> None:
        """SIGSTOP: connections stay open, nothing is answered."""
        self._process.pause()

    def resume(self) -> None:
        self._process.resume()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
