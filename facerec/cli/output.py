"""What a command says: JSON for programs, tables for people, tab-separated lines for pipes."""

from __future__ import annotations

import json
import sys
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

_WIDEST = 64
"""Of a column that need not be broken: a hash has so many characters."""
_STEERING = {"Cc", "Cs", "Zl", "Zp"}
_TURNING = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"


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


def counted(number: int, what: str) -> str:
    """``2 pictures``, ``1 picture``."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def printable(text: str) -> str:
    """Without what steers a terminal: control characters, and those that turn the text after them around.

    Names may hold all others, as the narrow space of macOS' screenshots and the joiners of Persian and of emoji.
    """
    return "".join("\N{REPLACEMENT CHARACTER}" if _steers(sign) else sign for sign in text)


def _steers(sign: str) -> bool:
    return sign not in "\n\t" and (unicodedata.category(sign) in _STEERING or sign in _TURNING)


def _write(text: str) -> None:
    print(text)  # noqa: T201


def _draw(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    # Not at the top: rich takes longer to import than most commands to run.
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold", no_wrap=column == "HASH")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    console = Console()
    if "HASH" in columns:
        console.width = max(console.width, _width(columns, rows))
    console.print(table)


def _width(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> int:
    """What no column is squeezed in, so that on a narrow terminal lines break in the hash, which stays one word to copy."""
    longest = [min(max(map(len, column)), _WIDEST) for column in zip(columns, *rows, strict=True)]
    return sum(longest) + 2 * (len(longest) - 1)
