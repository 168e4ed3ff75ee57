"""What is seen of a running job: bars on a terminal, JSON lines for programs, only what went wrong in a log."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from datetime import timedelta
from types import TracebackType
from typing import TYPE_CHECKING, Self

from facerec.cli.output import Output, printable
from facerec.cli.scanning.dispatch import Outcome
from facerec.cli.scanning.ledger import FAILURES, REFUSED, SENT
from facerec.client.watch import End

if TYPE_CHECKING:
    from rich.progress import Progress


class ScanReport:
    """Writes one JSON line for each picture that came to its end, or one line for each that failed."""

    def __init__(self, out: Output, *, waiting: bool) -> None:
        self._out = out
        self._waiting = waiting

    def dispatched(self, outcome: Outcome) -> None:
        """A picture is with the service, or was refused."""
        if outcome.state == REFUSED or (outcome.state == SENT and not self._waiting):
            self._tell(outcome.name, outcome.hash, outcome.state, outcome.code, outcome.reason)

    def ended(self, name: str, end: End) -> None:
        """The scan of a picture ended."""
        self._tell(name, end.hash, end.state, end.code, end.reason)

    def _tell(self, name: str, hash_: str | None, state: str, code: str | None, reason: str | None) -> None:
        fields = {"name": name, "hash": hash_, "state": state, "code": code, "reason": reason}
        self._out.line({key: value for key, value in fields.items() if value is not None})
        if state in FAILURES and not self._out.as_json:
            self._complain(f"{state}: {name}: {code or ''} {reason or ''}".rstrip())

    def _complain(self, text: str) -> None:
        self._out.note(text)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing is held open here."""


class BarReport(ScanReport):
    """Two bars on stderr, sent and done, with what failed, the rate and the time left."""

    def __init__(self, out: Output, *, waiting: bool, total: int, known: int) -> None:
        super().__init__(out, waiting=waiting)
        self._bars = _bars()
        self._failed = 0
        self._sent = self._bars.add_task("sent", total=total, failed="", known=0)
        self._done = self._bars.add_task("done", total=total, completed=known, failed="", known=known, visible=waiting)
        self._stack = ExitStack()

    def dispatched(self, outcome: Outcome) -> None:
        super().dispatched(outcome)
        self._bars.advance(self._sent)
        if outcome.state == REFUSED:
            self._count_failure()

    def ended(self, name: str, end: End) -> None:
        super().ended(name, end)
        if end.state in FAILURES:
            self._count_failure()
        else:
            self._bars.advance(self._done)

    def _count_failure(self) -> None:
        self._failed += 1
        for task in (self._sent, self._done):
            self._bars.update(task, failed=f"{self._failed} failed")
        self._bars.advance(self._done)

    def _complain(self, text: str) -> None:
        # Above the bars, which are drawn anew below it.
        self._bars.console.print(printable(text), markup=False, highlight=False)

    def __enter__(self) -> Self:
        self._stack.enter_context(self._bars)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()


def open_report(out: Output, *, waiting: bool, total: int, known: int) -> ScanReport:
    """Bars when a person looks on, else none. ``known`` of the ``total`` pictures ended before."""
    if sys.stderr.isatty():
        return BarReport(out, waiting=waiting, total=total, known=known)
    return ScanReport(out, waiting=waiting)


def _bars() -> Progress:
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    class Pace(ProgressColumn):
        """The mean rate of this run and what it means for the rest; rich's own rate jumps with every batch of answers."""

        def render(self, task: Task) -> Text:
            made = task.completed - task.fields["known"]
            if not made or not task.elapsed:
                return Text()
            rate = made / task.elapsed
            left = timedelta(seconds=round(((task.total or 0) - task.completed) / rate))
            return Text(f"{rate:.0f}/s  {left} left")

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[failed]}", style="red"),
        Pace(),
    )
    return Progress(*columns, console=Console(stderr=True))
