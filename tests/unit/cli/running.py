"""The command as tests call it: in this process, with what it writes and how it ends."""

from __future__ import annotations

import contextlib
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from facerec.cli.app import run


@dataclass(frozen=True)
class Ended:
    """``out`` and ``err`` are what the command wrote."""

    status: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """The one JSON document on stdout."""
        return json.loads(self.out)

    @property
    def lines(self) -> list[dict[str, Any]]:
        """The JSON lines on stdout."""
        return [json.loads(line) for line in self.out.splitlines()]


class Facerec:
    """Calls the command in ``folder``, which is the current one."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, *arguments: str, status: int = 0) -> Ended:
        """Run it; ``status`` is the exit status to insist on."""
        out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", newline="", write_through=True) for _ in range(2))
        ended = 0
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                run(list(arguments))
            except SystemExit as end:
                ended = end.code if isinstance(end.code, int) else 0
        result = Ended(ended, *(stream.buffer.getvalue().decode() for stream in (out, err)))
        assert result.status == status, (result.status, result.out, result.err)
        return result

    def put(self, name: str, content: bytes = b"") -> Path:
        """A file; by default its name is its content."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content or name.encode())
        return path
