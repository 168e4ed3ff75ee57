"""`facerec fsck`, `migrate`, `export` and `import`: the commands that work on Redis itself, whether the service runs or not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from facerec.cli.commands import Call, command
from facerec.cli.errors import CommandFailed

Fix = Annotated[bool, typer.Option("--fix", help="Repair what can be repaired.")]
Archive = Annotated[Path | None, typer.Argument(metavar="FILE", help="Without it: standard output or input.")]
Quick = Annotated[bool, typer.Option("--quick", help="Leave out what needs the distances between faces.")]


def register(app: typer.Typer) -> None:
    command(app, "fsck", service=False, examples="facerec fsck\nfacerec fsck --fix")(fsck)
    command(app, "migrate", service=False, examples="facerec migrate")(migrate)
    command(app, "export", service=False, examples="facerec export all.jsonl\nfacerec export | gzip > all.jsonl.gz")(
        export
    )
    command(app, "import", service=False, examples="facerec import all.jsonl\nzcat all.jsonl.gz | facerec import")(
        import_
    )


def fsck(call: Call, fix: Fix = False, quick: Quick = False) -> int:
    """Check that everything in Redis (REDIS_HOST, REDIS_PORT ...) agrees, and repair it with --fix.

    The service may go on working meanwhile. The exit status is 1 when there are faults that were not repaired.
    """
    from facerec.cli.integrity import run_fsck  # noqa: PLC0415
    from facerec.config import load_command_settings  # noqa: PLC0415

    return run_fsck(load_command_settings(), fix, call.out.as_json, quick)


def migrate(call: Call) -> int:
    """Bring what is in Redis to the layout of this release. Stop the workers before; done twice it does nothing.

    A worker refuses to start on another layout than its own and says so. Make a backup first (facerec export).
    """
    from facerec.cli.integrity import run_migrate  # noqa: PLC0415
    from facerec.config import load_command_settings  # noqa: PLC0415

    return run_migrate(load_command_settings(), call.out.as_json)


def export(call: Call, archive: Archive = None) -> int:
    """Copy all that is in Redis, but tokens, into a file of JSON lines.

    The service may go on working meanwhile. Pictures are not in it: the image store has a backup of its own.
    """
    from facerec.cli.integrity import run_export  # noqa: PLC0415
    from facerec.config import load_command_settings  # noqa: PLC0415

    with _file_errors():
        return run_export(load_command_settings(), archive, call.out.as_json)


def import_(call: Call, archive: Archive = None) -> int:
    """Copy a file that `facerec export` wrote into empty databases.

    Workers wait meanwhile. What is damaged is named by its line and left out; the exit status is 1 then. An import that was
    cut off is done again with the same file.
    """
    from facerec.cli.integrity import run_import  # noqa: PLC0415
    from facerec.config import load_command_settings  # noqa: PLC0415

    with _file_errors():
        return run_import(load_command_settings(), archive, call.out.as_json)


@contextmanager
def _file_errors() -> Iterator[None]:
    """A file that is not there, or not to be read or written, is no fault of ours."""
    try:
        yield
    except (FileNotFoundError, PermissionError, IsADirectoryError) as error:
        raise CommandFailed("FILE", f"{error.filename}: {error.strerror}") from error
