"""`facerec regenerate` and `facerec reindex`: moving everything to another model, and making every index anew."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from facerec.cli.commands import Call, command
from facerec.cli.errors import UsageError

WORDS = ("start", "status", "pause", "resume", "cut-over", "roll-back", "cancel", "finish", "report")
Action = Annotated[str, typer.Argument(metavar="ACTION", help=f"One of {', '.join(WORDS)}.")]
Parts = Annotated[
    str, typer.Option("--regenerate", metavar="LIST", help="Comma list of encodings, thumbnails, normalized.")
]
Model = Annotated[str, typer.Option("--model", metavar="MODEL", help="Model to move to, name or number 1 to 4.")]
Detector = Annotated[str, typer.Option("--detector", metavar="NAME", help="Detector to move to: hog, cnn, cnn_hog.")]
MinId = Annotated[int, typer.Option("--min-id", min=0, help="Face ids from here, inclusive.")]
MaxId = Annotated[int, typer.Option("--max-id", min=0, help="Face ids up to here, inclusive.")]
Every = Annotated[int, typer.Option("--every-other", min=1, help="Only every so many-th face id.")]
Offset = Annotated[int, typer.Option("--every-other-offset", min=0, help="Those that leave this modulo --every-other.")]
Workers = Annotated[int, typer.Option("--workers", min=0, help="Jobs at once; 0: what the workers can take.")]
Size = Annotated[
    str,
    typer.Option("--encoding-size", metavar="N|MODEL", help="Skip faces whose encoding has N numbers or is of MODEL."),
]
Keep = Annotated[float, typer.Option("--keep-days", min=0.0, help="Keep the old set for so long after the cut-over.")]
Dry = Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")]
NoWait = Annotated[bool, typer.Option("--no-wait", help="Do not wait until all is done.")]
Config = Annotated[
    Path | None, typer.Option("--config", help="File of settings, NAME=VALUE lines, over the environment.")
]
Debug = Annotated[bool, typer.Option("--debug", help="Say on stderr what is done.")]

MAX_ID = (1 << 63) - 1


def register(app: typer.Typer) -> None:
    examples = "facerec regenerate --model cnn\nfacerec regenerate cut-over\nfacerec regenerate report --json"
    command(app, "regenerate", service=False, examples=examples)(regenerate)
    command(app, "reindex", service=False, examples="facerec reindex")(reindex)


def regenerate(
    call: Call,
    action: Action = "start",
    parts: Parts = "encodings",
    model: Model = "",
    detector: Detector = "",
    min_id: MinId = 0,
    max_id: MaxId = MAX_ID,
    every_other: Every = 1,
    every_other_offset: Offset = 0,
    workers: Workers = 0,
    encoding_size: Size = "",
    keep_days: Keep = 7.0,
    dry_run: Dry = False,
    no_wait: NoWait = False,
    config: Config = None,
    debug: Debug = False,
) -> int:
    """Move all faces to another model while the service works on (in Redis: REDIS_HOST ...).

    The workers do it. This command starts it and shows how far it is; it may be stopped at any time. When all is done,
    cut-over switches to the new encodings in one step, and roll-back back again; the old ones are dropped later, or by finish.
    """
    from facerec.cli.regeneration import run_action, run_start, set_up  # noqa: PLC0415
    from facerec.services.regeneration import Wishes  # noqa: PLC0415

    if action not in WORDS:
        raise UsageError(f"ACTION must be one of {', '.join(WORDS)}")
    settings = set_up(config, debug)
    if action != "start":
        return run_action(settings, call.out, action)
    wishes = Wishes(
        regenerate=parts,
        model=model,
        detector=detector,
        min_id=min_id,
        max_id=max_id,
        every_other=every_other,
        every_other_offset=every_other_offset,
        workers=workers,
        encoding_size=encoding_size,
        keep_days=keep_days,
    )
    return run_start(settings, call.out, wishes, dry_run=dry_run, wait=not no_wait)


def reindex(call: Call, config: Config = None, debug: Debug = False) -> int:
    """Have every worker make its index of known faces anew from Redis, and verify each.

    The exit status is 1 when a worker's index is not what Redis holds, or when one did not answer.
    """
    from facerec.cli.regeneration import run_reindex, set_up  # noqa: PLC0415

    return run_reindex(set_up(config, debug), call.out)
