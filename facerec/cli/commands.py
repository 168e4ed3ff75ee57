"""How every command is made: its options for address, token and JSON, and what its errors mean to the shell.

Heavy modules are imported inside the commands, so that help and completion answer at once.
"""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

from facerec.cli.errors import AWAY, FAILED, INTERRUPTED, OK, USAGE, CommandFailed, UsageError
from facerec.cli.output import Output

if TYPE_CHECKING:
    from facerec.client import Client
    from facerec.config import ClientSettings

Json = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")]
Null = Annotated[
    bool,
    typer.Option("--null", "-0", help="End each line with NUL and escape nothing, for xargs -0; the name comes last."),
]
Url = Annotated[
    str | None,
    typer.Option(
        "--url", metavar="URL", help="Address of the service (FACEREC_URL; else the one started in this folder)."
    ),
]
Token = Annotated[
    str | None,
    typer.Option("--token", metavar="TOKEN", help="Token to call with; other users of this machine can see it."),
]
TokenFile = Annotated[
    Path | None,
    typer.Option("--token-file", metavar="FILE", help="File that holds the token (FACEREC_TOKEN_FILE, FACEREC_TOKEN)."),
]


@dataclass(frozen=True, slots=True)
class Call:
    """What every command gets: where to write, and how to reach the service."""

    out: Output
    url: str | None = None
    token: str | None = None
    token_file: Path | None = None

    def settings(self) -> ClientSettings:
        """Those of the command line over those of the environment. Raises ConfigError."""
        from facerec.config import load_client_settings  # noqa: PLC0415

        return load_client_settings(self.url, self.token, self.token_file)

    def client(self, patience: float = 0.0, connections: int = 1) -> Client:
        """A client of the service. Raises UsageError, ConfigError."""
        from facerec.client import Client  # noqa: PLC0415

        settings = self.settings()
        try:
            return Client(
                settings.url,
                settings.token.reveal(),
                patience=patience,
                connections=connections,
                ca_file=settings.ca_file,
            )
        except ValueError as error:
            raise UsageError(str(error)) from error


def command(
    app: typer.Typer, name: str, *, examples: str = "", service: bool = True, names: bool = False
) -> Callable[[Callable[..., int | None]], Callable[..., int | None]]:
    """Make a function a command. Its first parameter is the `Call`; the options that all commands have are added.

    ``examples`` are shown below the help. ``service`` False: the command does not call the service. ``names``: it lists names.
    """
    form = {"as_json": Json} | ({"null": Null} if names else {})
    common = form | ({"url": Url, "token": Token, "token_file": TokenFile} if service else {})

    def decorate(function: Callable[..., int | None]) -> Callable[..., int | None]:
        @wraps(function)
        def run(*arguments: Any, as_json: bool, **options: Any) -> None:
            out = Output(as_json, options.pop("null", False))
            access = {key: options.pop(key) for key in common if key not in form}
            call = Call(out, **access)
            sys.exit(_status_of(call, lambda: function(call, *arguments, **options)))

        run.__signature__ = _signature(function, common)  # type: ignore[attr-defined]
        run.__annotations__ = {p.name: p.annotation for p in run.__signature__.parameters.values()}  # type: ignore[attr-defined]
        epilog = f"Examples:\n{examples.strip()}" if examples else None
        return app.command(name, help=_unwrapped(function.__doc__ or ""), epilog=epilog)(run)

    return decorate


def _unwrapped(text: str) -> str:
    """Paragraphs as one line each: the terminal's width, not the source's, says where they break."""
    return "\n\n".join(paragraph.replace("\n", " ") for paragraph in inspect.cleandoc(text).split("\n\n"))


def _signature(function: Callable[..., int | None], common: dict[str, Any]) -> inspect.Signature:
    """That of ``function`` without its first parameter and with the common options."""
    hints = get_type_hints(function, include_extras=True)
    _, *own = inspect.signature(function).parameters.values()
    parameters = [each.replace(annotation=hints[each.name], kind=inspect.Parameter.KEYWORD_ONLY) for each in own]
    for name, annotation in common.items():
        default = None if annotation in (Url, Token, TokenFile) else False
        parameters.append(
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
        )
    return inspect.Signature(parameters)


def _status_of(call: Call, action: Callable[[], int | None]) -> int:
    """Carry out a command; its exit status, as `facerec.cli.errors` lists them."""
    out = call.out
    try:
        if out.as_json and out.null:
            raise UsageError("either --json or --null, not both")
        status = action() or OK
        sys.stdout.flush()
        return status
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has seen enough; nothing more can be written, not even by Python's own end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK
    except OSError as error:
        out.error("OS_ERROR", f"{error.filename}: {error.strerror}" if error.filename else str(error))
        return FAILED
    except (UsageError, CommandFailed) as error:
        usage = isinstance(error, UsageError)
        out.error("USAGE" if usage else error.code, str(error))  # type: ignore[union-attr]
        return USAGE if usage else FAILED
    except Exception as error:
        meant = _status_of_error(error)
        if meant is None:
            raise
        more = {name: getattr(error, name, None) for name in ("param", "status", "retry_after")}
        out.error(getattr(error, "code", "FAILED"), _words(error, out.as_json) + _origin(call, error), **more)
        return meant


def _words(error: Exception, as_json: bool) -> str:
    """What went wrong. JSON has fields of their own for the code and the parameter, which people read with the reason."""
    from facerec.errors import BadParam  # noqa: PLC0415

    if as_json:
        return str(getattr(error, "reason", error))
    return f"{error} ({error.param})" if isinstance(error, BadParam) else str(error)


def _origin(call: Call, error: Exception) -> str:
    """Why it was this server that was called, when that may be the mistake: nobody answers there, or refuses what was sent."""
    from facerec.client import errors  # noqa: PLC0415
    from facerec.config import origin  # noqa: PLC0415
    from facerec.errors import BrokerUnavailable, StoreUnavailable  # noqa: PLC0415

    rest = (errors.Unreachable, errors.ServiceAway, errors.BadAnswer, errors.AccessDenied)
    kinds = {"FACEREC_": () if call.url else rest, "REDIS_": StoreUnavailable, "RABBITMQ_": BrokerUnavailable}
    return next((f" (where it is: {origin(prefix)})" for prefix, kind in kinds.items() if isinstance(error, kind)), "")


def _status_of_error(error: Exception) -> int | None:
    """The exit status for an error of the client or of the shared package; None for one that is our own mistake."""
    from facerec.client import errors  # noqa: PLC0415
    from facerec.errors import BadParam, ConfigError, FacerecError, InputError, InternalError, ServiceUnavailable  # noqa: PLC0415

    meanings: list[tuple[type[Exception] | tuple[type[Exception], ...], int]] = [
        ((errors.AccessDenied, ConfigError, BadParam), USAGE),
        ((errors.Busy, errors.Unavailable, errors.Unreachable, errors.ServiceAway, errors.BadAnswer), AWAY),
        ((errors.ClientError, InputError), FAILED),
        (ServiceUnavailable, AWAY),
    ]
    for kinds, status in meanings:
        if isinstance(error, kinds):
            return status
    return FAILED if isinstance(error, FacerecError) and not isinstance(error, InternalError) else None
