"""A background process with a log file and a pid file, so that another process can find and stop it later.

A pid is given to new processes again and again; the pid file therefore also holds the start time, and a process with the
same pid and another start time is somebody else's and left alone.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from facerec.errors import FacerecError
from facerec.files import write_private
from facerec.local.ports import listens

POLL = 0.02
"""Seconds between two looks at something that cannot tell us when it changes."""

_OUTLIVING: list[subprocess.Popen[bytes]] = []
"""Kept until this process ends: Python complains about a running child that nobody holds any more."""


class ProcessFailed(FacerecError):
    """A background process did not start, died, or did not become ready in time; the reason ends with its log's tail."""

    code = "PROCESS_FAILED"


@dataclass(frozen=True, slots=True)
class Identity:
    """One process and no later one with the same pid."""

    pid: int
    started: str

    @classmethod
    def of(cls, pid: int) -> Identity | None:
        """None when no such process runs (a zombie does not run)."""
        started = _start_time(pid)
        return None if started is None else cls(pid, started)

    @property
    def alive(self) -> bool:
        return _start_time(self.pid) == self.started


def wait_until(condition: Callable[[], bool], seconds: float, every: float = POLL) -> bool:
    """Wait until ``condition`` holds, at most ``seconds``; tells whether it does. Looks again after ``every`` seconds."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(every)
    return True


class BackgroundProcess:
    """``folder`` gets ``<name>.pid`` and ``<name>.log``; ``workplace`` is where the process runs, by default there.

    Unless ``outlives`` is set the process group ends with this Python process, however that dies: a small shell waits for
    the end of a pipe that only this process holds open.
    """

    def __init__(self, name: str, folder: Path, *, outlives: bool = False, workplace: Path | None = None) -> None:
        self.name = name
        self._workplace = workplace or folder
        self.log = folder / f"{name}.log"
        self.pid_file = folder / f"{name}.pid"
        self._outlives = outlives
        self._child: subprocess.Popen[bytes] | None = None
        self._release: Callable[[], object] = lambda: None

    @property
    def identity(self) -> Identity | None:
        """The process that runs now, whoever started it."""
        try:
            found = Identity(**json.loads(self.pid_file.read_text(encoding="utf-8")))
        except (FileNotFoundError, ValueError, TypeError):
            return None
        if self._child is not None:
            self._child.poll()  # takes a dead child off the process table
        return found if found.alive else None

    @property
    def running(self) -> bool:
        return self.identity is not None

    def start(self, command: Sequence[str], variables: Mapping[str, str] | None = None) -> None:
        """Start ``command`` with more environment ``variables``. No secret belongs there: they show in process lists."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        prefix = ["/usr/bin/env", *(f"{key}={value}" for key, value in variables.items())] if variables else []
        with self.log.open("ab") as log:
            self._child = subprocess.Popen(  # noqa: S603 - our own commands, no shell
                [*prefix, *command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self._workplace,
                start_new_session=True,
            )
        identity = Identity.of(self._child.pid)
        if identity is not None:
            write_private(self.pid_file, json.dumps({"pid": identity.pid, "started": identity.started}))
        if self._outlives:
            _OUTLIVING.append(self._child)
        else:
            self._release = weakref.finalize(self, _end, self._child, _guard(self._child.pid))

    def wait_ready(self, ready: Callable[[], bool], seconds: float) -> None:
        """Wait until ``ready``; raises ProcessFailed at once when the process dies before, and after ``seconds``."""
        if not wait_until(lambda: not self.running or ready(), seconds):
            raise ProcessFailed(f"{self.name} was not ready within {seconds:g} s. {self.tail()}")
        if not self.running:
            raise ProcessFailed(f"{self.name} ended while starting. {self.tail()}")

    def listens(self, port: int) -> bool:
        """Whether it, or a process that it started, listens on ``port`` of this machine."""
        identity = self.identity
        return identity is not None and listens(identity.pid, port)

    def stop(self, seconds: float) -> None:
        """SIGTERM, and SIGKILL for what still runs after ``seconds``. Nothing to stop is fine."""
        identity = self.identity
        if identity is not None:
            self._signal(identity, signal.SIGCONT)
            self._signal(identity, signal.SIGTERM)
            if not wait_until(lambda: not self.running, seconds):
                _kill_group_of(identity.pid)
        self._forget()

    def kill(self) -> None:
        """SIGKILL for the process and its children: no time for last words."""
        identity = self.identity
        if identity is not None:
            _kill_group_of(identity.pid)
        self._forget()

    def pause(self) -> None:
        """SIGSTOP: the process stays, holds its connections and answers nothing."""
        self._signal(self._required(), signal.SIGSTOP)

    def resume(self) -> None:
        self._signal(self._required(), signal.SIGCONT)

    def tail(self, lines: int = 20) -> str:
        """The end of the log, for a message to a person."""
        try:
            text = self.log.read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return f"There is no log {self.log}."
        return "\n".join([f"The end of {self.log}:", *text.splitlines()[-lines:]])

    def _required(self) -> Identity:
        identity = self.identity
        if identity is None:
            raise ProcessFailed(f"{self.name} does not run. {self.tail()}")
        return identity

    @staticmethod
    def _signal(identity: Identity, number: signal.Signals) -> None:
        if identity.alive:
            with contextlib.suppress(ProcessLookupError):
                os.kill(identity.pid, number)

    def _forget(self) -> None:
        self._release()
        if self._child is not None:
            self._child.wait()
            self._child = None
        elif (identity := self.identity) is not None:
            wait_until(lambda: not identity.alive, 10)
        self.pid_file.unlink(missing_ok=True)


def _guard(group: int) -> subprocess.Popen[bytes]:
    script = 'read -r line || kill -9 "-$0"'
    command = ["/bin/sh", "-c", script, str(group)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True)  # noqa: S603


def _end(child: subprocess.Popen[bytes], guard: subprocess.Popen[bytes]) -> None:
    if child.poll() is None:
        _kill_group_of(child.pid)
        child.wait()
    guard.kill()
    guard.communicate()


def _kill_group_of(pid: int) -> None:
    # macOS answers EPERM for a group of which only zombies are left.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def _start_time(pid: int) -> str | None:
    if sys.platform != "linux":
        return _start_time_by_ps(pid)
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    # proc(5): the command's name in parentheses may hold anything, the fields after it are state (3) ... starttime (22).
    fields = text.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else fields[19]


def _start_time_by_ps(pid: int) -> str | None:
    """ps(1) writes times in the user's language and time zone, and both may differ from those of an earlier call."""
    found = subprocess.run(  # noqa: S603
        ["/bin/ps", "-o", "stat=", "-o", "lstart=", "-p", str(pid)],
        capture_output=True,
        text=True,
        check=False,
        env={"LC_ALL": "C", "TZ": "UTC"},
    )
    state, _, started = found.stdout.strip().partition(" ")
    return None if state.startswith("Z") else started.strip() or None
