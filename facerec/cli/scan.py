"""`facerec scan`: the options of the command; `facerec.cli.scanning` does the work."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from facerec.cli.commands import Call, command
from facerec.cli.errors import UsageError

MIB = 1024 * 1024
EXAMPLES = """
facerec scan party.jpg
facerec scan --recursive ~/Pictures
facerec scan --recursive --exclude '*_original.*' --exclude 'private/*' ~/Pictures
facerec scan --resume --recursive ~/Pictures
facerec scan --failed --job-file holiday.jsonl
facerec scan --json https://example.org/team.jpg
"""

Sources = Annotated[
    list[str] | None,
    typer.Argument(metavar="PATH|URL...", help="Pictures, folders of pictures, addresses of pictures."),
]
Recursive = Annotated[bool, typer.Option("--recursive", "-r", help="Folders inside folders, too.")]
Exclude = Annotated[
    list[str] | None,
    typer.Option(
        metavar="GLOB", help="Leave out files and folders of this name, or of this path when it has a /; repeatable."
    ),
]
Resume = Annotated[bool, typer.Option("--resume", help="Go on with the job that was interrupted.")]
Failed = Annotated[bool, typer.Option("--failed", help="Send again what failed in the job, and only that.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would be sent.")]
Wait = Annotated[bool, typer.Option("--wait/--no-wait", help="Wait until the pictures are scanned, or only sent.")]
Jobs = Annotated[int, typer.Option("--jobs", "-j", min=1, max=64, help="How many are sent at a time.")]
JobFileOption = Annotated[
    Path | None,
    typer.Option("--job-file", metavar="FILE", help="Where to note what was sent (by itself: one file for each job)."),
]
Base = Annotated[
    Path | None,
    typer.Option("--base", metavar="DIR", help="Names of pictures are relative to this (else to the current folder)."),
]
Patience = Annotated[
    float,
    typer.Option("--patience", min=0, metavar="SECONDS", help="How long to wait for a service that is away or full."),
]
MaxBytes = Annotated[int, typer.Option("--max-bytes", min=1, help="Larger files are not read.")]


def register(app: typer.Typer) -> None:
    command(app, "scan", names=True, examples=EXAMPLES)(scan)


def scan(
    call: Call,
    sources: Sources = None,
    recursive: Recursive = False,
    exclude: Exclude = None,
    resume: Resume = False,
    failed: Failed = False,
    dry_run: DryRun = False,
    wait: Wait = True,
    jobs: Jobs = 8,
    job_file: JobFileOption = None,
    base: Base = None,
    patience: Patience = 600.0,
    max_bytes: MaxBytes = 64 * MIB,
) -> int:
    """Have pictures scanned: files, folders and addresses, many at a time.

    Each is sent once. When the scan is interrupted, --resume goes on where it stopped. A full queue or an absent service is
    waited for. A picture is called by its path relative to the current folder (see --base), with / between the parts. Hidden files
    and folders are left out, and folders in which network storage keeps thumbnails or what was thrown away, as @eaDir and #recycle.
    """
    from facerec.cli.scanning.job import Options, find_job  # noqa: PLC0415
    from facerec.cli.scanning.session import carry_out, show_plan  # noqa: PLC0415

    if call.out.null and not dry_run:
        raise UsageError("--null is for --dry-run, which lists names")
    options = Options(resume or failed, failed, wait, jobs, patience, max_bytes)
    job = find_job(
        call.settings(),
        sources or [],
        base,
        job_file,
        recursive=recursive,
        resume=options.resume,
        exclude=exclude or [],
    )
    if dry_run:
        return show_plan(call.out, job, options)
    return carry_out(call, job, options)
