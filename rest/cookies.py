"""Sessions for browsers: a token shown once opens a session, whose secret lives in a cookie that no script can read.

A cookie goes along with requests that other pages cause, so a request that changes something must also carry the session's
CSRF token in a header, which other pages can neither know nor send. ``SameSite=Strict`` is the second wall, the check of
``Origin`` and ``Sec-Fetch-Site`` the third.
"""

from __future__ import annotations

import hashlib
import hmac

from flask import Request

from facerec.errors import Forbidden
from facerec.ports import Sessions

COOKIE = "facerec_session"
CSRF_HEADER = "X-CSRF-Token"
_SAFE = {"GET", "HEAD", "OPTIONS"}


def session_of(call: Request, sessions: Sessions) -> tuple[str, str] | None:
    """Owner and secret of the session that ``call`` belongs to, None without one. Raises Forbidden, StoreUnavailable."""
    secret = call.cookies.get(COOKIE)
    owner = sessions.owner_of(secret) if secret else None
    if secret is None or owner is None:
        return None
    if call.method not in _SAFE:
        check_same_origin(call)
        _check_csrf(call, secret)
    return owner, secret


def csrf_of(secret: str) -> str:
    """The CSRF token of a session; it does not give the session's secret away."""
    return hashlib.sha256(f"csrf:{secret}".encode()).hexdigest()


def check_same_origin(call: Request) -> None:
    """Raises Forbidden for what a page of another origin makes a browser send."""
    origin = call.headers.get("Origin")
    # Behind a proxy that ends TLS the scheme differs, so the host alone is compared.
    foreign = origin is not None and origin.partition("://")[2] != call.headers.get("Host")
    if foreign or call.headers.get("Sec-Fetch-Site") not in {None, "same-origin", "none"}:
        raise Forbidden("this does not come from the page of this service")


def _check_csrf(call: Request, secret: str) -> None:
    sent = call.headers.get(CSRF_HEADER, "")
    if not hmac.compare_digest(sent.encode("latin-1"), csrf_of(secret).encode()):
        raise Forbidden(f"the header {CSRF_HEADER} is missing or wrong")
