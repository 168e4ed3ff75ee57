"""Who calls: a token's owner, a browser's session, or, while no token is configured, whoever sits at this machine."""

from __future__ import annotations

import hashlib
import math
from urllib.parse import urlsplit

from flask import Request, g, request
from werkzeug.datastructures import Headers

from facerec.errors import AuthFailed, Backpressure, Forbidden
from facerec.identity import DEFAULT_OWNER
from facerec.ports import Tokens
from rest.context import AUTHENTICATED, services
from rest.cookies import session_of

_LOCAL_CLIENTS = ("127.", "::1", "::ffff:127.")
_LOCAL_HOSTS = {"localhost", "127.0.0.1", "::1"}
_PROXY_HEADERS = ("HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_HOST", "HTTP_X_REAL_IP", "HTTP_FORWARDED", "HTTP_VIA")
"""As WSGI calls them."""


def authenticate() -> None:
    """Before a request: find its owner. Raises AuthFailed, Forbidden, Backpressure, StoreUnavailable."""
    token = token_in(request.headers)
    session = session_of(request, services().sessions) if token is None else None
    if session is None:
        g.owner = owner_of(request, token, services().tokens)
    else:
        g.owner, g.session = session
    g.token = None if token is None else fingerprint(token)
    bound_rate(g.token or f"session of {g.owner}")


def bound_rate(caller: str) -> None:
    """Count a request of this caller, who is known.

    Raises Backpressure, and StoreUnavailable while Redis is away: hardly a route could answer without it anyhow. While it only
    takes no writes, each process counts for itself, so that what only reads goes on within the limit.
    """
    request.environ[AUTHENTICATED] = True
    limits = services().settings.rest
    if not limits.rate_limit:
        return
    wait = services().rates.take(caller, limits.rate_limit, limits.rate_burst)
    if wait > 0:
        raise Backpressure("more requests than this token may make", math.ceil(wait))


def fingerprint(token: str) -> str:
    """What names a token in the log: how its hash begins, as `facerec token list` shows it."""
    return hashlib.sha256(token.encode()).hexdigest()[:12]


def owner_of(call: Request, token: str | None, tokens: Tokens) -> str:
    """The owner on whose behalf ``call`` is made. Raises AuthFailed, Forbidden, StoreUnavailable."""
    if token is not None:
        owner = tokens.owner_of(token)
        if owner is None:
            raise AuthFailed("nobody has this token")
        return owner
    if tokens.any():
        raise AuthFailed("send a token: 'Authorization: Token ...' or 'x-api-key: ...'")
    _check_local(call)
    return DEFAULT_OWNER


def token_in(headers: Headers) -> str | None:
    """The token that a request carries, or None. Raises AuthFailed for a header of another kind."""
    key = headers.get("x-api-key")
    if key is not None:
        return key
    authorization = headers.get("Authorization")
    if authorization is None:
        return None
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() not in {"token", "bearer"} or not token.strip():
        raise AuthFailed("the Authorization header must be 'Token ...' or 'Bearer ...'")
    return token.strip()


def _check_local(call: Request) -> None:
    """Without tokens only this machine is served, and no web page from elsewhere through this machine's browser.

    A page can make the browser call us: its ``Origin`` betrays it, and when it makes its own name point here (DNS
    rebinding) the ``Host`` does. A proxy's headers say that the real client sits elsewhere.
    """
    if not (call.remote_addr or "").startswith(_LOCAL_CLIENTS):
        raise Forbidden("no token is configured, so only this machine itself is served")
    if any(name in call.environ for name in _PROXY_HEADERS):
        raise Forbidden("no token is configured, so nothing is served through a proxy")
    host = call.headers.get("Host", "")
    if _host_name(host) not in _LOCAL_HOSTS:
        raise Forbidden("no token is configured, so only the host names localhost, 127.0.0.1 and [::1] are served")
    origin = call.headers.get("Origin")
    foreign = origin is not None and origin != f"{call.scheme}://{host}"
    if foreign or call.headers.get("Sec-Fetch-Site") == "cross-site":
        raise Forbidden("no token is configured, so no web page from elsewhere is served")


def _host_name(host: str) -> str:
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""
