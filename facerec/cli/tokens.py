"""`facerec token`: who may call. Works on Redis itself, because a service without tokens cannot be asked for one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from facerec.cli.commands import Call, command
from facerec.cli.errors import CommandFailed

if TYPE_CHECKING:
    from facerec.adapters.redis import RedisTokens

Owner = Annotated[str, typer.Argument(help="Whose data the token opens; a-z, 0-9, _ and -.")]
Note = Annotated[str, typer.Option("--note", help="What the token is for; shown in the list.")]
Digest = Annotated[str, typer.Argument(metavar="HASH", help="Hash of the token, or how it begins; see the list.")]


def register(app: typer.Typer) -> None:
    tokens = typer.Typer(
        no_args_is_help=True, help="Make, list and revoke tokens (in Redis: REDIS_HOST, REDIS_PORT ...)."
    )
    command(tokens, "create", service=False, examples="facerec token create default --note 'phone app'")(create)
    command(tokens, "list", service=False)(list_)
    command(tokens, "revoke", service=False, examples="facerec token revoke 3fa2")(revoke)
    app.add_typer(tokens, name="token")


@contextmanager
def _tokens() -> Iterator[RedisTokens]:
    from facerec.adapters.redis import RedisDatabases, RedisTokens  # noqa: PLC0415
    from facerec.config import load_command_settings  # noqa: PLC0415

    settings = load_command_settings()
    databases = RedisDatabases(settings.redis)
    try:
        yield RedisTokens(databases, settings.rest.tokens_file)
    finally:
        databases.close()


def create(call: Call, owner: Owner = "default", note: Note = "") -> None:
    """Make a token and print it. It is shown now and never again: only its hash is kept."""
    with _tokens() as tokens:
        token = tokens.create(owner, note)
    call.out.document({"token": token, "owner": owner, "note": note})
    call.out.say(token)


def list_(call: Call) -> None:
    """List the tokens in Redis by their hashes."""
    with _tokens() as tokens:
        known = sorted(tokens.list().items(), key=lambda item: item[1]["created_at"])
    call.out.document([{"hash": digest, **entry} for digest, entry in known])
    rows = [[digest[:12], entry["owner"], entry["created_at"], entry["note"]] for digest, entry in known]
    call.out.table(["HASH", "OWNER", "CREATED", "NOTE"], rows)


def revoke(call: Call, digest: Digest) -> None:
    """Make a token worthless from now on."""
    with _tokens() as tokens:
        if not tokens.revoke(digest):
            raise CommandFailed("NOT_FOUND", f"no token's hash, or more than one, begins with {digest}")
    call.out.document({"revoked": digest})
    call.out.say("revoked")
