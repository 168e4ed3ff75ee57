"""A place for an engine child, and the child that is in it now."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from typing import Any

from facerec.config import child_environment
from facerec.errors import BadParam, ChildDied, EngineFailure, ModelMissing, TimeLimitExceeded, error_for
from facerec.faces import Analysis
from facerec.wire import FramePipe, Task, analysis_of, tell_fds
from worker.child_output import log_output

START_SECONDS = 120.0
"""A child has this long to load its networks; the first one of a machine may have to convert them."""


class Slot:
    """A place for a child, and the child that is in it now."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._killed = False
        self._pipe: FramePipe | None = None
        self._ready = False
        self.process: subprocess.Popen[bytes] | None = None

    def spawn(self) -> None:
        child_reads, we_write = os.pipe()
        we_read, child_writes = os.pipe()
        with self._lock:
            if self._killed:
                raise ChildDied("the pool is closed")
            self.process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                [sys.executable, "-m", "worker.child", tell_fds((child_reads, child_writes)), str(os.getpid())],
                pass_fds=(child_reads, child_writes),
                env=child_environment(),
                stdin=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
            )
        if self.process.stderr:
            log_output(self.process.stderr, self.process.pid)
        os.close(child_reads)
        os.close(child_writes)
        self._pipe = FramePipe(we_read, we_write)
        self._ready = False
        self._pipe.send(self._settings)

    def wait_ready(self) -> str:
        """The device that the child uses. Raises ModelMissing, ChildDied, TimeLimitExceeded."""
        header, _ = self._receive(START_SECONDS)
        if not header["ok"]:
            raise ModelMissing(header["reason"])
        self._ready = True
        return str(header["device"])

    def run(self, task: Task, seconds: float) -> Analysis:
        """Raises what the engine raised, ChildDied, TimeLimitExceeded."""
        if self.process and self.process.poll() is not None:
            # It died idle: no job is to blame.
            self.bury()
        if self._pipe is None:
            self.spawn()
        if not self._ready:
            self.wait_ready()
        try:
            self._end().send(task.header, task.image)
        except ChildDied:
            raise self.bury() from None
        header, body = self._receive(seconds)
        if header["ok"]:
            return analysis_of(header, body)
        if header["code"] == BadParam.code:
            raise BadParam(header["param"], header["reason"])
        raise error_for(header["code"], header["reason"])

    def kill(self) -> None:
        with self._lock:
            self._killed = True
            if self.process and self.process.poll() is None:
                self.process.kill()

    def _end(self) -> FramePipe:
        if self._pipe is None:
            raise EngineFailure("there is no child")
        return self._pipe

    def _receive(self, seconds: float) -> tuple[dict[str, Any], bytes]:
        try:
            return self._end().receive(seconds)
        except TimeLimitExceeded:
            self.bury()
            raise TimeLimitExceeded(f"not done after {seconds:g} s") from None
        except (ChildDied, EngineFailure):
            raise self.bury() from None

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


def _name_of(status: int) -> str:
    return f"signal {signal.Signals(-status).name}" if status < 0 else f"status {status}"
