"""``python -m facerec.local up | down | status | logs | facerec``: the service on this machine, without containers."""

from __future__ import annotations

import argparse
import logging
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import NoReturn

from facerec import service_file
from facerec.errors import FacerecError
from facerec.local.keeper import Keeper
from facerec.local.parts import ROOT
from facerec.local.stack import LocalStack, readiness

NOT_RUNNING = 3
"""Exit status of `status` when a part does not run, as with service(8)."""

FIRST_STEPS = """
The service runs at {url}

Scan two pictures, then ask which others show the same people (the answer to a scan holds the picture's hash):
  curl --data-binary @first.jpg {url}/scan/image/first.jpg
  curl --data-binary @second.jpg {url}/scan/image/second.jpg
  curl {url}/match/HASH

./deploy-local-dev.sh status | logs | down
./deploy-local-dev.sh facerec token create OWNER   (facerec with the settings of this service; --help has all commands)"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m facerec.local", description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path(".facerec"), help="where data, logs and passwords are kept")
    parser.add_argument("--forward", action="store_true", help="use the Redis and RabbitMQ of the cluster")
    parser.add_argument("--workplace", type=Path, default=Path(), help="where the command `facerec` runs")
    parser.add_argument("command", nargs="?", default="up", choices=["up", "down", "status", "logs", "keep", "facerec"])
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="those of the command `facerec`")
    given = parser.parse_args(arguments)
    stack = LocalStack(given.folder)
    commands: dict[str, Callable[[LocalStack], int]] = {
        "up": partial(up, forward=given.forward),
        "down": down,
        "status": status,
        "logs": follow_logs,
        "keep": keep,
        "facerec": partial(facerec, workplace=given.workplace, arguments=given.arguments),
    }
    try:
        return commands[given.command](stack)
    except FacerecError as error:
        print(f"{error.code}: {error.reason}", file=sys.stderr)
        return 1


say = partial(print, flush=True)
"""Whoever waits reads each line when it is said, also at the other end of a pipe."""


def up(stack: LocalStack, *, forward: bool) -> int:
    if stack.up(say, forward=forward):
        print(FIRST_STEPS.format(url=stack.url))
    else:
        print(f"It runs already at {stack.url}")
    return 0


def down(stack: LocalStack) -> int:
    print(f"stopped; the data stay in {stack.folder}" if stack.down(say) else "nothing runs")
    return 0


def status(stack: LocalStack) -> int:
    """One line for each part, and one for the whole."""
    if not stack.exists:
        print("nothing was started here yet")
        return NOT_RUNNING
    well = True
    for part in stack.parts():
        identity = part.identity
        well = well and identity is not None
        state = f"runs  pid {identity.pid}" if identity else "does not run"
        print(f"{part.name:<9} {state:<15} {part.address or f'log {part.log}'}")
    code, reason = readiness(stack.port)
    print(f"{'service':<9} {'ready' if code == 200 else 'not ready':<15} {reason or stack.url}")
    return 0 if well and code == 200 else NOT_RUNNING


def follow_logs(stack: LocalStack) -> int:
    """Print every part's log as it grows, until interrupted."""
    if not stack.exists:
        print("nothing was started here yet")
        return NOT_RUNNING
    logs = [str(part.log) for part in stack.parts() if part.log.exists()]
    try:
        return subprocess.call([shutil.which("tail") or "/usr/bin/tail", "-n", "20", "-F", *logs])  # noqa: S603
    except KeyboardInterrupt:
        return 0


def facerec(stack: LocalStack, *, workplace: Path, arguments: Sequence[str]) -> int:
    """Become the command `facerec` in ``workplace``, with the settings of the service, whatever the environment says of others."""
    if stack.service_file.exists():
        _become_facerec(stack.service_file, workplace, arguments)
    never = "nothing was started here yet"
    print("the service does not run; ./deploy-local-dev.sh starts it" if stack.exists else never)
    return NOT_RUNNING


def _become_facerec(file: Path, workplace: Path, arguments: Sequence[str]) -> NoReturn:
    places = [place for group in service_file.SERVERS.values() for place in group]
    said = [*places, *service_file.read(file)]
    hidden = [word for name in said for end in ("", "_FILE") for word in ("-u", f"{name}{end}")]
    pairs = [f"PYTHONPATH={ROOT}", f"FACEREC_SERVICE_FILE={file}"]
    os.chdir(workplace)
    # -P: a json.py among somebody's pictures is no module of ours.
    command = [sys.executable, "-P", "-m", "facerec", *arguments]
    os.execv("/usr/bin/env", ["env", *hidden, *pairs, *command])  # noqa: S606


def keep(stack: LocalStack) -> int:
    """Start again what dies, until SIGTERM; `up` starts this in the background."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    Keeper(stack, stop).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
