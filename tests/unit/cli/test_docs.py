"""docs/command.md speaks of commands and options that exist, and of all commands."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

import pytest
import typer.main

from facerec.cli.app import build_app
from tests.stack import ROOT

DOCUMENT = (ROOT / "docs" / "command.md").read_text(encoding="utf-8")
CALLS = re.findall(r"^\$ (facerec .*?)(?: [|&>].*)?$", DOCUMENT, re.MULTILINE)


def commands(command: object, path: str = "facerec") -> Iterator[tuple[str, object]]:
    """Every command that can be called, with its path."""
    inner = getattr(command, "commands", None)
    if inner is None:
        yield path, command
        return
    for name, each in inner.items():
        yield from commands(each, f"{path} {name}")


COMMANDS = dict(commands(typer.main.get_command(build_app())))


@pytest.mark.parametrize("path", COMMANDS)
def test_every_command_has_an_example(path: str) -> None:
    assert any(call == path or call.startswith(f"{path} ") for call in CALLS), path


@pytest.mark.parametrize("call", CALLS)
def test_every_example_can_be_called(call: str) -> None:
    path = max((path for path in COMMANDS if f"{call} ".startswith(f"{path} ")), key=len)
    known = {option for parameter in COMMANDS[path].params for option in [*parameter.opts, *parameter.secondary_opts]}
    used = {word for word in shlex.split(call.removeprefix(path)) if word.startswith("-")}
    assert used <= known
