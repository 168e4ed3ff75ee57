"""The command `facerec`, put together."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from facerec import __version__
from facerec.cli import dead, enroll, identify, images, people, regenerate, scan, status, tokens, upkeep

HELP = """Finds which pictures show the same people.

The service is found at --url or FACEREC_URL, the token in --token-file, FACEREC_TOKEN_FILE or FACEREC_TOKEN; else both are those
of the service that ./deploy-local-dev.sh started in this folder or above it.

Exit status: 0 done, 1 something failed, 2 wrong usage, 3 the service is away, 130 interrupted.
"""


def build_app() -> typer.Typer:
    """All commands."""
    app = typer.Typer(name="facerec", help=HELP, no_args_is_help=True, pretty_exceptions_enable=False)
    app.callback()(_global_options)
    for part in (scan, images, people, identify, enroll, dead, status, tokens, upkeep, regenerate):
        part.register(app)
    return app


def run(arguments: list[str] | None = None) -> None:
    """Run the command with ``arguments`` (default: those of the process); always ends with SystemExit."""
    _open_what_was_closed()
    for stream in (sys.stdout, sys.stderr):
        # Names of files may hold bytes that are no text.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    build_app()(arguments, prog_name="facerec")


def _open_what_was_closed() -> None:
    """Python has no stream where the caller closed one, as `>&-` does; what would be written there goes nowhere."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115 - open until the end


def _show_version(wished: bool) -> None:
    if wished:
        typer.echo(f"facerec {__version__}")
        raise typer.Exit


def _global_options(
    _version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_show_version, help="Show the version and end.")
    ] = False,
) -> None:
    pass
