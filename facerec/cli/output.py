"""What a command says: JSON for programs, tables for people, tab-separated lines for pipes."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Output:
    """``as_json``: nothing but JSON goes to stdout, one document or one line for each."""

    as_json: bool

    def document(self, document: object) -> None:
        """The one JSON document that this command answers with; nothing without ``--json``."""
        if self.as_json:
            _write(json.dumps(document, indent=2 if sys.stdout.isatty() else None))

    def line(self, document: object) -> None:
        """One of several JSON documents, each on its line; nothing without ``--json``."""
        if self.as_json:
            print(json.dumps(document), flush=True)  # noqa: T201 - readers wait for each line

    def say(self, text: str = "") -> None:
        """A line for a person; nothing with ``--json``."""
        if not self.as_json:
            _write(printable(text))

    def note(self, text: str) -> None:
        """A remark beside the answer, on stderr, so that it never gets into a pipe."""
        print(f"facerec: {printable(text)}", file=sys.stderr)  # noqa: T201

    def error(self, code: str, reason: str, **more: object) -> None:
        """Why the command failed, in the service's error shape with ``--json``."""
        if self.as_json:
            _write(json.dumps({"code": code, "reason": reason} | {k: v for k, v in more.items() if v is not None}))
        else:
            self.note(reason)

    def fields(self, fields: Mapping[str, object]) -> None:
        """Names and values, one pair on a line."""
        width = max(map(len, fields), default=0)
        for name, value in fields.items():
            self.say(f"{name.ljust(width)}  {shown(value)}")

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """A table on a terminal; else lines with tabs, without a heading, for grep and cut."""
        if self.as_json:
            return
        cells = [[printable(shown(value)) for value in row] for row in rows]
        if sys.stdout.isatty():
            _draw(columns, cells)
        else:
            for row in cells:
                _write("\t".join(row))


def shown(value: object) -> str:
    """A value for a person."""
    if value is None or value == []:
        return "-"
    if isinstance(value, float):
        return f"{value:.4f}"
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return str(value)


def printable(text: str) -> str:
    """Without control characters: what others called their pictures must not steer this terminal."""
    return "".join(sign if sign.isprintable() or sign in "\n\t" else "\N{REPLACEMENT CHARACTER}" for sign in text)


def _write(text: str) -> None:
    print(text)  # noqa: T201


def _draw(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    # Not at the top: rich takes longer to import than most commands to run.
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold", no_wrap=column == "HASH")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    Console().print(table)
