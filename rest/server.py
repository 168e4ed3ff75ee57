"""The processes of the front end: gunicorn starts, watches and ends them; each serves by `rest.listener`."""

from __future__ import annotations

import logging
import os
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from flask import Flask
from gunicorn.app.base import BaseApplication
from gunicorn.glogging import Logger
from gunicorn.workers.base import Worker

from facerec.config import RestSettings
from rest.context import EXTENSION, METRICS
from rest.listener import PATIENCE, Listener
from rest.metrics import forget_process
from rest.refusals import Refusals

GRACE = 5.0
"""Seconds beyond the longest answer that a stopping process waits for its requests."""


SWITCH = 0.0002
"""Seconds for which a thread may hold Python's lock while others want it. The event loop lets go of it with each read and write,
and would stand behind the threads for Python's usual 5 ms each time."""


class FrontWorker(Worker):  # type: ignore[misc]
    """One process: an event loop that takes requests and sends answers, and threads for what lies in between."""

    alive: bool
    _listener: Listener | None = None

    def run(self) -> None:
        sys.setswitchinterval(SWITCH)
        made = self.wsgi.extensions
        refusals = Refusals(made[EXTENSION].guesses, self.app.settings.guess_limit, made[METRICS].count_refused)
        listener = self._listener = Listener(
            self.wsgi, self.sockets[0].sock, self.app.settings, self.app.patience, self.notify, refusals
        )
        while self.alive:
            self.notify()
            listener.turn()
            if self.ppid != os.getppid():
                # When the server was killed, this process ends as if it had been told to.
                self.alive = False
                self._end_streams()
        # Who has come is served, and the port left to the next server at once: who comes now is refused, and does not wait for an
        # answer that nobody will give.
        listener.end()
        until = time.monotonic() + self.cfg.graceful_timeout
        while listener.is_busy and time.monotonic() < until:
            self.notify()
            listener.turn()
        listener.shut_down()

    def handle_exit(self, sig: int, frame: Any) -> None:
        self._end_streams()
        super().handle_exit(sig, frame)
        if self._listener is not None:
            self._listener.pull_trigger()

    def _end_streams(self) -> None:
        """Streams of events would keep a stopping process for as long as their clients listen."""
        app = getattr(self, "wsgi", None)
        if isinstance(app, Flask):
            app.extensions[EXTENSION].hub.end()


class PlainLogger(Logger):  # type: ignore[misc]
    """gunicorn's own records go where all others go. Calls are logged by `rest.calls`."""

    def setup(self, cfg: Any) -> None:
        self.error_log.propagate = True
        self.error_log.setLevel(logging.INFO)
        self.cfg = cfg


Make = Callable[[], tuple[Flask, Callable[[], None]]]


class FrontServer(BaseApplication):  # type: ignore[misc]
    """Processes that each make the app for themselves: no connection is shared across a fork.

    ``make`` gives the app of one process and what closes it; it is called after the fork. ``metrics_folder`` is removed at
    the end. ``patience`` is how many seconds a slow client has; see `rest.listener.PATIENCE`.
    """

    def __init__(
        self, settings: RestSettings, make: Make, metrics_folder: Path | None = None, patience: float = PATIENCE
    ) -> None:
        self.settings = settings
        self.patience = patience
        self._make = make
        self._metrics_folder = metrics_folder
        self._close: Callable[[], None] | None = None
        super().__init__()

    def load_config(self) -> None:
        for name, value in self._options().items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        app, self._close = self._make()
        return app

    def _options(self) -> dict[str, Any]:
        settings = self.settings
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        return {
            "bind": f"{host}:{settings.port}",
            "worker_class": FrontWorker,
            "workers": settings.processes,
            "graceful_timeout": int(max(settings.interactive_timeout, settings.fetch_total_timeout) + GRACE),
            "control_socket_disable": True,
            "logger_class": PlainLogger,
            "proc_name": "facerec-rest",
            "worker_exit": self._on_worker_exit,
            "child_exit": self._on_child_exit,
            "on_exit": self._on_exit,
        }

    def _on_worker_exit(self, _server: Any, _worker: Any) -> None:
        if self._close is not None:
            self._close()

    def _on_child_exit(self, _server: Any, worker: Any) -> None:
        if self._metrics_folder is not None:
            forget_process(worker.pid, self._metrics_folder)

    def _on_exit(self, _server: Any) -> None:
        if self._metrics_folder is not None:
            shutil.rmtree(self._metrics_folder, ignore_errors=True)
