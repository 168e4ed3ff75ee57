"""What `facerec regenerate` and `facerec reindex` do: plain functions that return an exit status."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from facerec.adapters.redis import RedisDatabases, RedisJournal, RedisRegeneration, RedisWorkers
from facerec.cli.errors import FAILED, OK, CommandFailed
from facerec.cli.output import Output
from facerec.config import Settings, load_command_settings
from facerec.errors import ConfigError
from facerec.services.regeneration import Regeneration, Wishes
from facerec.services.reindex import Reindex

EVERY = 0.5
Step = Callable[[Mapping[str, Any]], None]


def set_up(config: Path | None, debug: bool) -> Settings:
    """The settings of the environment, under those of the file. Raises ConfigError, CommandFailed."""
    if debug:
        logging.basicConfig(level=logging.DEBUG, stream=sys.stderr)
    return load_command_settings(_settings_in(config) if config else {})


def _settings_in(path: Path) -> dict[str, str]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise CommandFailed("FILE", f"{path}: {error.strerror}") from error
    found = {}
    for number, line in enumerate(lines, 1):
        name, equals, value = line.strip().partition("=")
        if not name or name.startswith("#"):
            continue
        if not equals:
            raise ConfigError(f"{path}, line {number}: must be NAME=VALUE")
        found[name.strip()] = value.strip()
    return found


def run_start(settings: Settings, out: Output, wishes: Wishes, *, dry_run: bool, wait: bool) -> int:
    """Begin a regeneration, or add a share to the one under way, and follow it until all that is asked for is done."""
    with _opened(settings) as (regeneration, _):
        if dry_run:
            return _tell(out, regeneration.preview(wishes))
        status = regeneration.start(wishes)
        if wait:
            with _bar(out) as show:
                status = _followed(regeneration, status, show)
        _tell(out, status)
        if wait and status.get("phase") == "ready":
            out.say("all is done; `facerec regenerate cut-over` switches to it")
        return OK


def run_action(settings: Settings, out: Output, action: str) -> int:
    with _opened(settings) as (regeneration, _):
        if action == "status":
            return _tell(out, regeneration.status() or {"phase": "none"})
        if action == "report":
            report = regeneration.report()
            if report is None:
                raise CommandFailed("NOT_FOUND", "there was no regeneration")
            return _tell_report(out, report)
        status = regeneration.act(action.replace("-", " "))
        while status.get("phase") in {"switching", "settling", "dropping"}:
            time.sleep(EVERY)
            status = regeneration.status() or {"phase": "none"}
        _tell(out, status)
        switched = {"cut-over": True, "roll-back": False}.get(action, status.get("switched"))
        return OK if switched == status.get("switched") else FAILED


def run_reindex(settings: Settings, out: Output) -> int:
    with _opened(settings) as (_, databases):
        found = Reindex(RedisJournal(databases), RedisWorkers(databases)).run()
        out.document(found)
        for worker, verdict in found["workers"].items():
            out.say(f"{worker}: {verdict}")
        out.say(f"{found['faces']} faces, journal position {found['position']}")
        return OK if found["ok"] else FAILED


@contextmanager
def _opened(settings: Settings) -> Iterator[tuple[Regeneration, RedisDatabases]]:
    databases = RedisDatabases(settings.redis)
    try:
        yield Regeneration(RedisRegeneration(databases), RedisWorkers(databases)), databases
    finally:
        databases.close()


def _followed(regeneration: Regeneration, status: Mapping[str, Any], show: Step) -> dict[str, Any]:
    """The status once nothing is left to do for it, or somebody paused or ended it."""
    while True:
        show(status)
        found = regeneration.status() or {"phase": "none"}
        if found["phase"] != "running" or (found["looked_at"] and not found["waiting"]):
            show(found)
            return found
        time.sleep(EVERY)
        status = found


@contextmanager
def _bar(out: Output) -> Iterator[Step]:
    """Shows how far it is: a bar on a terminal, nothing elsewhere."""
    if out.as_json or not sys.stderr.isatty():
        yield lambda _status: None
        return
    # Not at the top: rich takes longer to import than most commands to run.
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn  # noqa: PLC0415

    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[rate]} a second"), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task("images", rate="-")

        def show(status: Mapping[str, Any]) -> None:
            rate = "-" if status.get("rate") is None else f"{status['rate']:.1f}"
            progress.update(task, total=status.get("images"), completed=status.get("done", 0), rate=rate)

        yield show


def _tell(out: Output, status: Mapping[str, Any]) -> int:
    out.document(status)
    out.fields(status)
    return OK


def _tell_report(out: Output, report: Mapping[str, Any]) -> int:
    out.document(report)
    out.fields({name: value for name, value in report.items() if name != "notes"})
    for note in report["notes"]:
        told = "; ".join(
            f"{name.replace('_', ' ')} {value}" for name, value in note.items() if name not in {"owner", "hash"}
        )
        out.say(f"{note['owner']} {note['hash']}: {told}")
    return OK
