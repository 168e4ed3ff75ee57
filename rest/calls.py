"""Around every call: its time, one log record with the outcome, the metrics, the security headers."""

from __future__ import annotations

import logging
import time

from flask import Flask, Response, g, request

from rest.metrics import Metrics

log = logging.getLogger(__name__)

DEFAULT_HEADERS = {
    # blob: is a picture that the page shows before it sends it.
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
    "connect-src 'self'; manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
"""What every answer has that does not say otherwise."""


def register_calls(app: Flask, metrics: Metrics) -> None:
    """Measure and log every call of ``app``."""

    @app.before_request
    def start() -> None:
        g.started = time.monotonic()

    @app.after_request
    def finish(response: Response) -> Response:
        # Headers.setdefault raises and catches an error of HTTP for each name that is not there.
        there = set(response.headers.keys(lower=True))
        for name, value in DEFAULT_HEADERS.items():
            if name.lower() not in there:
                response.headers.add(name, value)
        seconds = time.monotonic() - g.started
        rule = request.url_rule
        metrics.count(_method(), rule.rule if rule else "none", response.status_code, seconds)
        _log_call(response.status_code, seconds)
        return response


def _method() -> str:
    """The method as a label: a caller may send any word."""
    return request.method if request.method in {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"} else "other"


def _log_call(status: int, seconds: float) -> None:
    """The path is quoted: it comes from outside and may hold what moves a terminal's cursor.

    ``reason`` is what a caller was told who did not get what he wanted: it names the part that is away, and no secret.
    """
    outcome = g.get("outcome", "ok")
    fields = {
        "action": "request",
        "method": request.method,
        "path": request.path,
        "status": status,
        "outcome": outcome,
        "reason": g.get("reason"),
        "owner": g.get("owner"),
        "token": g.get("token"),
        "client": request.remote_addr,
        "image_hash": g.get("image_hash"),
        "seconds": round(seconds, 6),
    }
    log.info("%s %a -> %d %s in %.1f ms", request.method, request.path, status, outcome, seconds * 1000, extra=fields)
