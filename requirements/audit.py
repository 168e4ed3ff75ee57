"""Looks every package of every lock up among the known vulnerabilities, with pip-audit.

    python requirements/audit.py

0: nothing is known but what `audit-exceptions.toml` lets pass. 1: something is. 75: the service that knows cannot be asked from
here, so nothing was looked up. No package is installed or changed.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
EXCEPTIONS = FOLDER / "audit-exceptions.toml"
NOT_ASKED = 75
"""What sysexits.h calls a failure that may pass."""
_NETWORK = re.compile(r"requests\.exceptions\.\w+|ServiceError|ConnectionError|[Cc]ould not connect")


class ServiceAway(Exception):
    """Nobody here tells what is known of packages."""


class AuditBroken(Exception):
    """pip-audit did not do its work, and not for want of a network."""


@dataclass(frozen=True, slots=True)
class Vulnerability:
    """``names`` are all under which it is known; ``fixed_in`` the versions without it, oldest first."""

    package: str
    version: str
    names: frozenset[str]
    fixed_in: tuple[str, ...]

    def __str__(self) -> str:
        remedy = f"fixed in {', '.join(self.fixed_in)}" if self.fixed_in else "no fixed version yet"
        return f"{self.package} {self.version}: {', '.join(sorted(self.names))}; {remedy}"


@dataclass(frozen=True, slots=True)
class Pass:
    """A vulnerability that somebody has looked at; it counts up to and on the day ``until``."""

    package: str
    name: str
    until: date

    def covers(self, found: Vulnerability) -> bool:
        return self.package == found.package and self.name in found.names


def read_passes(text: str) -> list[Pass]:
    """Raises ValueError for one without package, id, reason and date."""
    passes = []
    for entry in tomllib.loads(text)["exception"]:
        if entry.keys() != {"package", "id", "reason", "until"}:
            raise ValueError(f"an exception has package, id, reason and until, and not {sorted(entry)}")
        if not str(entry["reason"]).strip() or not isinstance(entry["until"], date):
            raise ValueError(f"the exception of {entry['package']} lacks a reason, or its date is none")
        passes.append(Pass(entry["package"], entry["id"], entry["until"]))
    return passes


def report_of(output: str, messages: str) -> Mapping[str, Any]:
    """What pip-audit printed, once it has asked. Raises ServiceAway, AuditBroken."""
    try:
        report: Mapping[str, Any] = json.loads(output)
    except json.JSONDecodeError as error:
        if found := _NETWORK.search(messages):
            raise ServiceAway(found[0]) from error
        raise AuditBroken(messages[-2000:]) from error
    packages = report["dependencies"]
    if packages and all("skip_reason" in package for package in packages):
        raise ServiceAway("it knows none of the packages")
    return report


def faults(report: Mapping[str, Any], passes: Sequence[Pass], today: date) -> Iterator[str]:
    """What must be mended, a line each."""
    found = list(_vulnerabilities(report))
    valid = [each for each in passes if each.until >= today]
    for vulnerability in found:
        if not any(each.covers(vulnerability) for each in valid):
            yield str(vulnerability)
    for each in passes:
        if not any(each.covers(vulnerability) for vulnerability in found):
            yield f"{each.package}: the exception {each.name} is not needed any more"
    for package in report["dependencies"]:
        if "skip_reason" in package:
            yield f"{package['name']}: could not be looked up: {package['skip_reason']}"


def _vulnerabilities(report: Mapping[str, Any]) -> Iterator[Vulnerability]:
    for package in report["dependencies"]:
        for entry in package.get("vulns", []):
            names = frozenset([entry["id"], *entry.get("aliases", [])])
            yield Vulnerability(package["name"], package["version"], names, tuple(entry["fix_versions"]))


def audit(locks: Sequence[Path], timeout: float = 300) -> list[str]:
    """The faults of these locks. Raises ServiceAway, AuditBroken."""
    files = [part for lock in locks for part in ("-r", str(lock))]
    options = ["--format", "json", "--progress-spinner", "off", "--disable-pip", "--require-hashes"]
    command = [sys.executable, "-m", "pip_audit", *options, *files]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=timeout)
    except subprocess.TimeoutExpired as error:
        raise ServiceAway(f"no answer within {timeout:g} s") from error
    report = report_of(done.stdout, done.stderr)
    return list(faults(report, read_passes(EXCEPTIONS.read_text(encoding="utf-8")), date.today()))  # noqa: DTZ011 - a day


def main() -> int:
    locks = sorted(FOLDER.glob("*.lock"))
    try:
        found = audit(locks)
    except ServiceAway as error:
        print(f"dependency audit SKIPPED, nothing was looked up: the service of known vulnerabilities is away: {error}")
        return NOT_ASKED
    for fault in found:
        print(fault)
    print(f"{len(locks)} locks looked up, {len(found)} faults")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
