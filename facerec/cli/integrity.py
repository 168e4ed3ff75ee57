"""``facerec fsck``, ``export`` and ``import``: plain functions that return an exit status.

Status 0: all is well; 1: faults were found (and are still there). Errors are raised; `facerec.cli.errors` tells their status.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

from facerec.adapters.redis import (
    RedisArchive,
    RedisAudit,
    RedisDatabases,
    RedisJournal,
    RedisRepairs,
    RedisRestoration,
    RedisSchema,
    redis_steps,
)
from facerec.cli.output import printable
from facerec.config import Settings
from facerec.services.export import Copied, export_lines, import_lines
from facerec.services.fsck import Fsck, Report
from facerec.services.links import LinkCheck
from facerec.services.migration import SCHEMA, migrate

OK, FAULTY = 0, 1


def run_fsck(settings: Settings, fix: bool = False, as_json: bool = False, quick: bool = False) -> int:
    """Check the store, and with ``fix`` repair it; ``quick`` leaves out what needs distances. Prints the report."""

    def check(databases: RedisDatabases) -> int:
        audit = RedisAudit(databases)
        links = None if quick else LinkCheck(audit, RedisJournal(databases), settings.tolerance)
        report = Fsck(audit, RedisRepairs(databases), links).run(fix)
        _print(json.dumps(report.document(), indent=2) if as_json else _text(report))
        return OK if report.clean else FAULTY

    return _with_databases(settings, check)


def run_export(settings: Settings, to: Path | None, as_json: bool = False) -> int:
    """Copy everything into the file ``to``, or to standard output; the summary goes to standard output or error."""

    def copy(databases: RedisDatabases) -> int:
        copied = Copied()
        lines = export_lines(RedisArchive(databases), copied)
        if to is None:
            sys.stdout.writelines(line + "\n" for line in lines)
        else:
            # What is there is replaced only when the new archive is whole.
            part = to.with_name(to.name + ".part")
            with part.open("w", encoding="utf-8") as out:
                out.writelines(line + "\n" for line in lines)
            part.replace(to)
        return _told(copied, "exported", as_json, sys.stderr if to is None else sys.stdout)

    return _with_databases(settings, copy)


def run_import(settings: Settings, source: Path | None, as_json: bool = False) -> int:
    """Copy an archive (a file, or standard input) into an empty store. Status 1 when some lines were damaged.

    Raises Conflict when the store is not empty.
    """

    def copy(databases: RedisDatabases) -> int:
        restoration = RedisRestoration(databases)
        if source is None:
            copied = import_lines(sys.stdin.buffer, restoration)
        else:
            with source.open("rb") as lines:
                copied = import_lines(lines, restoration)
        return _told(copied, "imported", as_json, sys.stdout)

    return _with_databases(settings, copy)


def run_migrate(settings: Settings, as_json: bool = False) -> int:
    """Bring the store to the schema of this release. Raises ConfigError when it is newer, Conflict."""

    def bring(databases: RedisDatabases) -> int:
        reached = list(migrate(RedisSchema(databases), redis_steps(databases)))
        if as_json:
            _print(json.dumps({"schema": SCHEMA, "steps": len(reached)}))
        else:
            _print(f"schema {SCHEMA}, {len(reached)} steps done")
        return OK

    return _with_databases(settings, bring)


def _told(copied: Copied, what: str, as_json: bool, out: TextIO) -> int:
    if as_json:
        out.write(json.dumps(copied.document()) + "\n")
    else:
        out.writelines(f"{printable(damage)}\n" for damage in copied.damaged)
        out.write(
            f"{copied.images} images with {copied.faces} faces {what}, {copied.skipped} were there, "
            f"{copied.damages} places are damaged\n"
        )
    return FAULTY if copied.damages else OK


def _with_databases(settings: Settings, use: Callable[[RedisDatabases], int]) -> int:
    databases = RedisDatabases(settings.redis)
    try:
        return use(databases)
    finally:
        databases.close()


def _text(report: Report) -> str:
    document = report.document()
    lines = [
        f"{report.images} images, {report.faces} faces, {report.crowded} images in the crowd; "
        f"journal position {report.position}; {report.seconds:.1f} s",
        f"{'invariant':<12}{'faults':>8}{'repaired':>10}{'left':>8}",
    ]
    for name, counts in document["invariants"].items():
        lines.append(f"{name:<12}{counts['faults']:>8}{counts['repaired']:>10}{counts['left']:>8}")
    for fault in document["faults"]:
        who = f"{fault['owner']} {fault['hash'] or fault['subject']}".strip()
        lines.append(f"{fault['invariant']}: {who}: {fault['detail']}{' (repaired)' if fault['repaired'] else ''}")
    lines.append("clean" if report.clean else "NOT CLEAN")
    if not report.distances:
        lines.append("distances were not checked (--quick)")
    return "\n".join(map(printable, lines))


def _print(text: str) -> None:
    sys.stdout.write(text + "\n")
