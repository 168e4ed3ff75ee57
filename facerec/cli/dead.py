"""`facerec dead`: the jobs that were given up."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from facerec.cli.commands import Call, command
from facerec.cli.errors import FAILED, OK, CommandFailed, UsageError
from facerec.cli.targets import hash_of

Target = Annotated[str, typer.Argument(metavar="HASH|PATH", help="Hash of an image, or its file.")]
Targets = Annotated[list[str] | None, typer.Argument(metavar="HASH|PATH...", help="Hashes of images, or their files.")]
All = Annotated[bool, typer.Option("--all", help="All of them.")]


def register(app: typer.Typer) -> None:
    dead = typer.Typer(no_args_is_help=True, help="The jobs that were given up: why, once more, or away with them.")
    command(dead, "list", names=True, examples="facerec dead list")(list_)
    command(dead, "show", examples="facerec dead show party.jpg")(show)
    command(dead, "redrive", examples="facerec dead redrive --all")(redrive)
    command(dead, "drop", examples="facerec dead drop party.jpg")(drop)
    app.add_typer(dead, name="dead")


def list_(call: Call) -> None:
    """List the jobs that were given up, oldest first."""
    with call.client() as client:
        letters = client.dead()
    call.out.document(letters)
    call.out.table(["HASH", "CODE", "ATTEMPTS", "GIVEN UP", "NAME"], map(_row, letters))


def show(call: Call, target: Target) -> None:
    """Show why the jobs of an image were given up."""
    image_hash = hash_of(target)
    with call.client() as client:
        letters = [letter for letter in client.dead() if letter["hash"] == image_hash]
    if not letters:
        raise CommandFailed("NOT_FOUND", f"no job of image {image_hash} was given up")
    call.out.document(letters)
    for letter in letters:
        call.out.fields(letter)
        call.out.say()


def redrive(call: Call, targets: Targets = None, every: All = False) -> int:
    """Queue given up jobs once more, as first attempts."""
    hashes = _which(targets, every)
    with call.client() as client:
        return _tell(call, client.redrive(hashes), hashes, "queued again")


def drop(call: Call, targets: Targets = None, every: All = False) -> int:
    """Throw given up jobs away for ever. What is known of their images stays."""
    hashes = _which(targets, every)
    with call.client() as client:
        return _tell(call, client.drop(hashes), hashes, "dropped")


def _which(targets: list[str] | None, every: bool) -> list[str] | None:
    if every == bool(targets):
        raise UsageError("say which: some HASH or PATH, or --all")
    return [hash_of(target) for target in targets] if targets else None


def _tell(call: Call, picked: list[str], wished: list[str] | None, what: str) -> int:
    """Say what was done; the exit status, which is 1 when a job that was named is not there."""
    missing = sorted(set(wished or []) - set(picked))
    call.out.document({"hashes": picked, "missing": missing})
    for image_hash in picked:
        call.out.say(f"{what}: {image_hash}")
    for image_hash in missing:
        call.out.note(f"no job of image {image_hash} was given up")
    return FAILED if missing else OK


def _row(letter: dict[str, Any]) -> list[object]:
    return [letter["hash"] or "-", letter["code"], letter["attempts"], letter["buried_at"], letter["name"]]
