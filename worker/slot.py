"""A place for an engine child, and the child that is in it now."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from facerec.config import child_environment
from facerec.errors import (
    BadParam,
    ChildDied,
    EngineFailure,
    EngineUnavailable,
    FacerecError,
    InputError,
    InternalError,
    ModelMissing,
    TimeLimitExceeded,
    error_for,
)
from facerec.faces import Analysis
from facerec.wire import FramePipe, Task, analysis_of, tell_fds
from worker.child_output import log_output

_LONGEST_REASON = 10_000
CHILD = "worker.child"
START_SECONDS = 120.0
"""A child has this long to load its networks; the first one of a machine may have to convert them."""


class Slot:
    """A place for a child, and the child that is in it now."""

    def __init__(self, settings: Mapping[str, Any], crashed: Callable[[], None]) -> None:
        self._settings = settings
        self._crashed = crashed
        self._lock = threading.Lock()
        self._killed = False
        self._pipe: FramePipe | None = None
        self._ready = False
        self.process: subprocess.Popen[bytes] | None = None

    def spawn(self) -> None:
        """Start a child, which gets ready by itself. Raises EngineUnavailable."""
        try:
            self._spawn()
            self._end().send(self._settings, seconds=START_SECONDS)
        except (OSError, EngineFailure) as error:
            died = self.bury()
            reason = died.reason if isinstance(error, ChildDied) else str(error)
            raise EngineUnavailable(f"no engine process can be started: {reason}") from error

    def _spawn(self) -> None:
        with contextlib.ExitStack() as opened:
            child_reads, we_write = _pipe(opened)
            we_read, child_writes = _pipe(opened)
            with self._lock:
                if self._killed:
                    raise ChildDied("the pool is closed")
                self.process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                    [sys.executable, "-m", CHILD, tell_fds((child_reads, child_writes)), str(os.getpid())],
                    pass_fds=(child_reads, child_writes),
                    env=child_environment(),
                    stdin=subprocess.DEVNULL,
                    stderr=subprocess.PIPE,
                )
            opened.pop_all()
        if self.process.stderr:
            log_output(self.process.stderr, self.process.pid, self._crashed)
        os.close(child_reads)
        os.close(child_writes)
        self._pipe = FramePipe(we_read, we_write)
        self._ready = False

    def wait_ready(self) -> str:
        """The device that the child uses. Raises ModelMissing, EngineUnavailable."""
        try:
            header, _ = self._end().receive(START_SECONDS)
            if not header.get("ok"):
                raise self._refused(header)
        except FacerecError as error:
            died = self.bury()
            if isinstance(error, ModelMissing):
                raise
            reason = died.reason if isinstance(error, ChildDied) else error.reason
            raise EngineUnavailable(f"an engine process did not start: {reason}") from error
        self._ready = True
        return str(header.get("device", ""))

    def make_ready(self) -> None:
        """Have a child that is ready, a new one when the last is gone. Raises EngineUnavailable."""
        if self.process and self.process.poll() is not None:
            # It died idle: no job is to blame.
            self.bury()
        if self._pipe is None:
            self.spawn()
        if not self._ready:
            try:
                self.wait_ready()
            except ModelMissing as error:
                # It was there when the worker started: the operator must act, and no picture is to blame.
                raise EngineUnavailable(error.reason) from error

    @property
    def ready(self) -> bool:
        """Whether there is a child that has told so."""
        return self._ready

    def run(self, task: Task, seconds: float) -> Analysis:
        """Raises what the engine raised, ChildDied, TimeLimitExceeded, EngineUnavailable.

        A child that answers what cannot be is killed: a hostile picture may have taken it over.
        """
        self.make_ready()
        until = time.monotonic() + seconds
        try:
            self._end().send(task.header, task.image, seconds)
            header, body = self._end().receive(max(0.0, until - time.monotonic()))
            if header.get("ok") is True:
                return analysis_of(header, body, task)
            error = self._refused(header)
        except TimeLimitExceeded:
            self.bury()
            raise TimeLimitExceeded(f"not done after {seconds:g} s") from None
        except ChildDied:
            raise self.bury() from None
        except EngineFailure as nonsense:
            self.bury()
            raise ChildDied(nonsense.reason) from None
        raise error

    def _refused(self, header: Mapping[str, Any]) -> FacerecError:
        """The error that a child tells of. Raises EngineFailure when it is none that an engine has."""
        code, reason, param = (header.get(name, "") for name in ("code", "reason", "param"))
        if not all(isinstance(text, str) and len(text) <= _LONGEST_REASON for text in (code, reason, param)):
            raise EngineFailure("a child told of no error of ours")
        if code == BadParam.code:
            return BadParam(param, reason)
        error = error_for(code, reason)
        known = isinstance(error, InputError | EngineFailure | ModelMissing) or code == InternalError.code
        if header.get("ok") is not False or not known:
            raise EngineFailure("a child told of no error of ours")
        return error

    def kill(self) -> None:
        with self._lock:
            self._killed = True
            if self.process and self.process.poll() is None:
                self.process.kill()

    def _end(self) -> FramePipe:
        if self._pipe is None:
            raise EngineFailure("there is no child")
        return self._pipe

    def bury(self) -> ChildDied:
        """Make sure that the child is gone, and say how it went; the next task gets a new one."""
        process, pipe = self.process, self._pipe
        self.process, self._pipe, self._ready = None, None, False
        if pipe:
            pipe.close()
        if process is None:
            return ChildDied("there is no child")
        # A child that closed its pipe is about to end; one that hangs is not.
        try:
            status = process.wait(0.2)
        except subprocess.TimeoutExpired:
            process.kill()
            status = process.wait()
        return ChildDied(f"the engine process ended with {_name_of(status)}")


def _pipe(opened: contextlib.ExitStack) -> tuple[int, int]:
    """A pipe that is closed with ``opened``. Raises OSError."""
    ends = os.pipe()
    for end in ends:
        opened.callback(os.close, end)
    return ends


def _name_of(status: int) -> str:
    return f"signal {signal.Signals(-status).name}" if status < 0 else f"status {status}"
