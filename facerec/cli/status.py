"""`facerec status` and `logs`: how the service fares."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from facerec.cli.commands import Call, command
from facerec.cli.errors import AWAY, OK

Keys = Annotated[
    list[str] | None,
    typer.Option("--key", metavar="PATTERN", help="Routing keys to show, as '*.worker.info'; may be given often."),
]
Follow = Annotated[
    bool,
    typer.Option(
        "--follow", "-f", help="Understood for habit's sake: lines come as they are logged, there is no past."
    ),
]
Patience = Annotated[
    float,
    typer.Option(
        "--patience",
        min=0,
        metavar="SECONDS",
        help="How long to wait for a RabbitMQ that is away, also in between; inf: for ever.",
    ),
]


def register(app: typer.Typer) -> None:
    command(app, "status", examples="facerec status\nfacerec status --json | jq .parts")(status)
    command(app, "logs", service=False, examples="facerec logs --follow --key '*.worker.info'")(logs)


def status(call: Call) -> int:
    """Show whether all parts answer, what waits and who works. The exit status is 3 when a part is away, or takes no writes."""
    with call.client() as client:
        document = client.status()
    call.out.document(document)
    call.out.fields({name: _part(part) for name, part in document["parts"].items()})
    call.out.say()
    call.out.fields(_numbers(document))
    if document["workers"]:
        call.out.say()
        columns = ("name", "model", "device", "processes", "faces", "jobs")
        rows = [[worker.get(column) for column in columns] for worker in document["workers"]]
        call.out.table(["WORKER", *(column.upper() for column in columns[1:])], rows)
    return OK if all(part["ok"] for part in document["parts"].values()) else AWAY


def logs(call: Call, key: Keys = None, _follow: Follow = False, patience: Patience = 60.0) -> int:
    """Print what REST and the workers log, as it happens, until interrupted (from RabbitMQ: RABBITMQ_HOST ...)."""
    from facerec.cli.logs import print_logs  # noqa: PLC0415

    return print_logs(key or ["#"], call.out.as_json, patience)


def _part(part: dict[str, Any]) -> str:
    if part["ok"]:
        return "ok"
    # A service of the release before does not tell whether reading goes on.
    return str(part["reason"]) if part.get("reads") else f"away: {part['reason']}"


def _numbers(document: dict[str, Any]) -> dict[str, object]:
    """What there is of each kind; what nobody could tell is left open."""
    images = {f"images {state}": count for state, count in (document["images"] or {}).items()}
    return images | {"jobs waiting": document["waiting"], "dead letters": document["dead"]}
