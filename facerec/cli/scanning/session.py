"""One run of `facerec scan`, from finding the pictures to the summary."""

from __future__ import annotations

import signal
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, nullcontext

from facerec.cli.commands import Call
from facerec.cli.errors import FAILED, OK, CommandFailed
from facerec.cli.output import Output, counted
from facerec.cli.scanning.dispatch import Dispatch, FileRefused, stat_of
from facerec.cli.scanning.job import Job, Options
from facerec.cli.scanning.job_file import JobFile
from facerec.cli.scanning.ledger import FAILURES, SENDING, Action, Ledger, decide
from facerec.cli.scanning.report import open_report
from facerec.cli.scanning.run import Run, count_states
from facerec.cli.scanning.sources import Found, Item, find_items
from facerec.client import Client, ClientError


def carry_out(call: Call, job: Job, options: Options) -> int:
    """Do the job as far as it is not done; the exit status.

    Raises UsageError, CommandFailed, ClientError (ServiceAway, AccessDenied, BadAnswer), OSError for the job file.
    """
    found = find_pictures(call.out, job)
    began = time.monotonic()
    with call.client(options.patience, options.jobs) as client:
        file, ledger = job.open(resume=options.resume)
        items = wanted(found.items, ledger, only_failed=options.only_failed)
        with file:
            try:
                with _ended_by_sigterm():
                    _send(call.out, client, file, ledger, items, options)
            except (ClientError, KeyboardInterrupt, OSError):
                again = "--failed" if options.only_failed else "--resume"
                call.out.note(f"interrupted; the same command with {again} goes on (job file {job.file})")
                raise
            finally:
                counts = count_states(ledger, items)
                _summarize(call.out, job, counts, found, time.monotonic() - began)
    return FAILED if found.unreadable or any(counts[state] for state in FAILURES) else OK


def show_plan(out: Output, job: Job, options: Options) -> int:
    """Name what would be sent; ``check`` means that it may have arrived and the service would be asked. The exit status.

    Raises UsageError.
    """
    found = find_pictures(out, job)
    refused = 0
    ledger = job.ledger() if options.resume else Ledger()
    for item in wanted(found.items, ledger, only_failed=options.only_failed):
        try:
            size, changed = stat_of(item)
        except FileRefused as error:
            out.note(f"{item.name}: {error}")
            refused += 1
            continue
        action = decide(ledger.entries.get(item.name), size, changed, only_failed=options.only_failed)
        if action is not Action.SKIP:
            out.line({"name": item.name, "action": action.value, "size": size})
            out.say(item.name)
    return FAILED if refused or found.unreadable else OK


def find_pictures(out: Output, job: Job) -> Found:
    """Says which folders cannot be looked into. Raises CommandFailed when there are no pictures, UsageError."""
    found = find_items(job.sources, job.base, recursive=job.recursive, exclude=job.exclude)
    for folder, reason in found.unreadable.items():
        out.line({"folder": folder, "state": "unreadable", "reason": reason})
        out.note(f"passed over: {folder}: {reason}")
    if not found.items:
        hint = "" if job.recursive else "; --recursive looks into folders inside folders"
        raise CommandFailed("NOTHING_FOUND", f"there are no pictures{hint}")
    return found


def wanted(items: Sequence[Item], ledger: Ledger, *, only_failed: bool) -> list[Item]:
    """All items, or those that failed or may not have arrived."""
    if not only_failed:
        return list(items)
    names = {name for name, entry in ledger.entries.items() if entry.failed or entry.state == SENDING}
    return [item for item in items if item.name in names]


def _send(out: Output, client: Client, file: JobFile, ledger: Ledger, items: Sequence[Item], options: Options) -> None:
    before = count_states(ledger, items)
    known = 0 if options.only_failed else sum(before[state] for state in ("done", *FAILURES))
    dispatch = Dispatch(client, file, ledger, only_failed=options.only_failed, largest=options.largest)
    promised = ledger.waiting()
    with (
        open_report(out, waiting=options.waiting, total=len(items), known=known) as report,
        closing(client.watch()) if options.waiting else nullcontext() as watch,
    ):
        Run(dispatch, watch, report, options.jobs, client.end_patience).run(items, promised)


def _summarize(out: Output, job: Job, counts: Counter[str], found: Found, seconds: float) -> None:
    """Say how many pictures are in which state."""
    total = counts.total()
    out.line(
        {
            "summary": dict(counts),
            "pictures": total,
            "passed_over": found.passed_over,
            "unreadable_folders": len(found.unreadable),
            "seconds": round(seconds, 2),
            "job_file": str(job.file),
        }
    )
    states = ", ".join(f"{count} {state}" for state, count in sorted(counts.items())) or "nothing to do"
    out.say(f"{counted(total, 'picture')}: {states} ({seconds:.1f} s)")
    if found.passed_over:
        out.note(f"passed over, because they do not look like pictures: {counted(found.passed_over, 'file')}")
    if found.unreadable:
        out.note(f"passed over, because they cannot be read: {counted(len(found.unreadable), 'folder')}")


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """SIGTERM ends the scan as an interrupt from the keyboard does."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
