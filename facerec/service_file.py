"""`.facerec/service.env`: how the command `facerec` finds the service that `./deploy-local-dev.sh up` started in a folder.

It holds settings, one NAME=VALUE on a line, passwords and token among them: so it belongs to whoever calls the command, and nobody
else may read it. It is looked for in the current folder and in those above it, as git looks for .git.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path

from facerec.errors import ConfigError
from facerec.files import write_private

PLACE = Path(".facerec") / "service.env"
SERVERS = {
    "FACEREC_": ("FACEREC_URL",),
    "REDIS_": ("REDIS_HOST", "REDIS_PORT", "REDIS_SENTINELS"),
    "RABBITMQ_": ("RABBITMQ_HOST", "RABBITMQ_PORT", "RABBITMQ_HOSTS"),
}
"""How the settings of each server begin, and those that say where it is."""
_OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK


def find(folder: Path) -> Path | None:
    """The file of ``folder``, an absolute path, or of the nearest folder above that has one."""
    places = (above / PLACE for above in (folder, *folder.parents))
    return next((place for place in places if os.path.lexists(place)), None)


def read(path: Path) -> dict[str, str]:
    """What the file says. Raises ConfigError when it is not there, when somebody else could have written or can read it, and for
    a line that is no NAME=VALUE."""
    try:
        descriptor = os.open(path, _OPEN)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from error
    try:
        _check_private(path, os.fstat(descriptor))
    except ConfigError:
        os.close(descriptor)
        raise
    with os.fdopen(descriptor, encoding="utf-8", errors="surrogateescape") as file:
        lines = [line.rstrip("\n") for line in file]
    found = {}
    for number, line in enumerate(lines, 1):
        name, equals, value = line.partition("=")
        if line.startswith("#") or not line:
            continue
        if not equals or not name.isidentifier():
            raise ConfigError(f"{path}, line {number}: must be NAME=VALUE")
        found[name] = value
    return found


def write(path: Path, variables: Mapping[str, str]) -> None:
    """Make or replace the file in one step. Raises ConfigError for a value that is no line."""
    for name, value in variables.items():
        if "\n" in value or "\0" in value:
            raise ConfigError(f"{name}: must be one line")
    lines = [
        "# How the command facerec finds this service; deploy-local-dev.sh makes and removes it.",
        *_pairs(variables),
    ]
    write_private(path, "".join(f"{line}\n" for line in lines))


def under(environ: Mapping[str, str], variables: Mapping[str, str]) -> dict[str, str]:
    """``environ`` over the ``variables`` of a file. A server that it places elsewhere gets nothing of the file: the password of
    one server is not shown to another."""
    elsewhere = tuple(
        prefix
        for prefix, places in SERVERS.items()
        if any(environ.get(place) and environ[place] != variables.get(place) for place in places)
    )
    kept = {name: value for name, value in variables.items() if not name.startswith(elsewhere)}
    return kept | {name: value for name, value in environ.items() if value}


def _pairs(variables: Mapping[str, str]) -> list[str]:
    return [f"{name}={value}" for name, value in sorted(variables.items())]


def _check_private(path: Path, found: os.stat_result) -> None:
    """As ssh is with its keys."""
    if not stat.S_ISREG(found.st_mode):
        raise ConfigError(f"{path}: is no file")
    if found.st_uid != os.geteuid():
        raise ConfigError(
            f"{path}: belongs to another user (number {found.st_uid}), so it is not read; FACEREC_SERVICE_FILE names another, "
            "or none"
        )
    if found.st_mode & 0o077:
        raise ConfigError(f"{path}: others than you can read or change it, so it is not read; chmod 600 '{path}'")
