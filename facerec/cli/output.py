"""What a command says: JSON for programs, tables for people, tab-separated lines for pipes, or records that end with NUL.

Names are what somebody called a file: they may hold line breaks, tabs, invisible signs, and on Linux bytes that are no text. People
see these escaped, so that a row is a line and a name does not look like another. Programs get them as they are: in JSON, or with
``null`` for `xargs -0` and `cut -z`.
"""

from __future__ import annotations

import json
import sys
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

_WIDEST = 64
"""Of a column that need not be broken: a hash has so many characters."""
_UNSEEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}
"""Categories of what steers a terminal, ends a line, turns the text behind it around, joins, or is no character."""
_BLANK = "\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0"
"""Letters and marks that are drawn as nothing."""


@dataclass(frozen=True, slots=True)
class Output:
    """``as_json``: nothing but JSON goes to stdout, one document or one line for each.

    ``null``: what else were lines ends with NUL, and is not escaped; a name is the last thing in it.
    """

    as_json: bool
    null: bool = False

    def document(self, document: object) -> None:
        """The one JSON document that this command answers with; nothing without ``--json``."""
        if self.as_json:
            _write(json.dumps(document, indent=2 if sys.stdout.isatty() else None))

    def line(self, document: object) -> None:
        """One of several JSON documents, each on its line; nothing without ``--json``."""
        if self.as_json:
            print(json.dumps(document), flush=True)  # noqa: T201 - readers wait for each line

    def say(self, text: str = "") -> None:
        """A line for a person, or a record that ends with NUL; nothing with ``--json``."""
        if self.null:
            _write_record(text)
        elif not self.as_json:
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
        if self.null:
            for row in rows:
                _write_record("\t".join(map(shown, row)))
            return
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
    r"""On one line, with what is not seen written as in Python: ``\n``, ``\x1b``, ``\u200d``; a byte that is no text as ``\xff``.

    Nothing is lost that a person could see: letters of all scripts and all spaces that take room stay as they are.
    """
    return "".join(_escaped(sign) if unicodedata.category(sign) in _UNSEEN or sign in _BLANK else sign for sign in text)


def _escaped(sign: str) -> str:
    number = ord(sign)
    if number < 0x80:
        return sign.encode("unicode_escape").decode()
    if 0xDC80 <= number <= 0xDCFF:  # how Python keeps a byte of a file's name that is no UTF-8
        return f"\\x{number - 0xDC00:02x}"
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def _write(text: str) -> None:
    print(text)  # noqa: T201


def _write_record(text: str) -> None:
    """The very bytes of a name, whatever the locale says."""
    sys.stdout.flush()
    sys.stdout.buffer.write(text.encode("utf-8", "surrogateescape") + b"\0")
    sys.stdout.buffer.flush()


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
