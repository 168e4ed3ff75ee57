"""What one scan is about, and where its story is written."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from facerec.cli.errors import UsageError
from facerec.cli.scanning.job_file import JobFile, read_events
from facerec.cli.scanning.ledger import Ledger
from facerec.cli.scanning.sources import is_url
from facerec.config import ClientSettings


@dataclass(frozen=True, slots=True)
class Options:
    """How a job is done. ``patience`` is in seconds, ``largest`` in bytes; ``only_failed`` implies ``resume``."""

    resume: bool
    only_failed: bool
    waiting: bool
    jobs: int
    patience: float
    largest: int


@dataclass(frozen=True, slots=True)
class Job:
    """Sources and base are absolute, so that a job is the same job from every folder.

    ``named``: the user chose the job file, so that it must not be overwritten.
    """

    url: str
    base: Path
    sources: tuple[str, ...]
    recursive: bool
    exclude: tuple[str, ...]
    file: Path
    named: bool

    def start(self) -> dict[str, Any]:
        """The first line of the job file."""
        return _start(self.url, self.base, self.sources, recursive=self.recursive, exclude=self.exclude)

    def open(self, *, resume: bool) -> tuple[JobFile, Ledger]:
        """The job file and what it tells. Raises UsageError."""
        if resume:
            file, events = JobFile.resume(self.file)
            return file, Ledger(events)
        if self.named and self.file.exists() and self.file.stat().st_size:
            raise UsageError(f"{self.file} holds an earlier job: --resume goes on with it")
        return JobFile.create(self.file, self.start()), Ledger()

    def ledger(self) -> Ledger:
        """What the job file tells, without opening it for writing. Raises UsageError."""
        return Ledger(read_events(self.file)[1])


def find_job(
    settings: ClientSettings,
    sources: Sequence[str],
    base: Path | None,
    file: Path | None,
    *,
    recursive: bool,
    resume: bool,
    exclude: Sequence[str] = (),
) -> Job:
    """The job that the command line means; without sources the job file tells. Raises UsageError."""
    if sources:
        where = (settings.url, _absolute(base or Path()), tuple(map(_absolute_source, sources)))
        start = _start(*where, recursive=recursive, exclude=exclude)
    elif resume and file is not None:
        start = read_events(file)[1][0]
    else:
        raise UsageError("say what to scan: files, folders, addresses; or --resume or --failed with a --job-file")
    # A job of its own for each service and set of sources, found again without being named.
    key = hashlib.sha256(json.dumps(start).encode()).hexdigest()[:16]
    return Job(
        settings.url,
        Path(start["base"]),
        tuple(start["sources"]),
        bool(start["recursive"]),
        tuple(start.get("exclude", ())),
        file or settings.state_folder / f"scan-{key}.jsonl",
        named=file is not None,
    )


def _start(
    url: str, base: Path, sources: tuple[str, ...], *, recursive: bool, exclude: Sequence[str]
) -> dict[str, Any]:
    start = {"url": url, "base": str(base), "sources": list(sources), "recursive": recursive}
    # Without patterns it is the same job as for the release that knew none.
    return start | ({"exclude": list(exclude)} if exclude else {})


def _absolute(path: Path) -> Path:
    return Path(os.path.normpath(Path.cwd() / path))


def _absolute_source(source: str) -> str:
    return source if is_url(source) else str(_absolute(Path(source)))
