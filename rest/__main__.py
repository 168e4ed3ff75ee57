"""``python -m rest``: the REST front end under gunicorn."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from ipaddress import ip_address
from pathlib import Path

from facerec import __version__
from facerec.config import Settings, load_settings, share_metrics
from facerec.engine.memory import one_heap
from facerec.errors import ConfigError, FacerecError
from facerec.logs import set_up_logs
from facerec.ports import Tokens


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until stopped. The status of the process."""
    parser = argparse.ArgumentParser(
        prog="python -m rest", description="The REST front end. Settings come from the environment."
    )
    parser.add_argument("--version", action="version", version=f"facerec {__version__}")
    parser.parse_args(arguments)
    try:
        settings = load_settings()
        # The server removes the folder when it ends; a `with` here would end in every forked process, too.
        shared = settings.rest.processes > 1
        serve(settings, Path(tempfile.mkdtemp(prefix="facerec-metrics-")) if shared else None)
    except FacerecError as error:
        print(f"{error.code}: {error.reason}", file=sys.stderr)  # noqa: T201 - logs may not be set up
        return 1
    return 0


def serve(settings: Settings, metrics_folder: Path | None) -> None:
    """Run until stopped; ``metrics_folder`` is where several processes add up their metrics. Raises ConfigError."""
    if metrics_folder is not None:
        share_metrics(metrics_folder)
    one_heap()
    # Not at the top, because prometheus_client must be imported after that.
    from rest import wsgi  # noqa: PLC0415
    from rest.server import FrontServer  # noqa: PLC0415

    set_up_logs("rest", settings.log_level)
    check_exposure(settings, wsgi.build_tokens(settings))
    FrontServer(settings.rest, lambda: wsgi.build(settings, metrics_folder), metrics_folder).run()


def check_exposure(settings: Settings, tokens: Tokens) -> None:
    """Without a token only loopback is served. Raises ConfigError for another address, StoreUnavailable."""
    if is_loopback(settings.rest.host) or tokens.any():
        return
    raise ConfigError(
        f"REST_HOST={settings.rest.host!r}: no token is configured, so only 127.0.0.1, ::1 or localhost can be served; "
        "make a token with 'facerec token create', or name a file of them in TOKENS_FILE"
    )


def is_loopback(host: str) -> bool:
    """Whether ``host`` can be reached from this machine alone; any name but localhost counts as open to others."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


if __name__ == "__main__":
    sys.exit(main())
