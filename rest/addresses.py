"""Addresses in answers: made from settings alone, as anybody may write anything into the ``Host`` of a request."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit

from flask import Flask, redirect, request
from werkzeug.routing import RequestRedirect
from werkzeug.wrappers import Response

from facerec.config import RestSettings
from rest.context import services


def address_of(path: str) -> str:
    """Where clients find ``path``, which begins with a slash.

    It begins with PUBLIC_URL. Without that it begins with the address that REST listens at; where that is every address of the
    machine, nobody said by which name clients know us, and ``path`` alone is returned.
    """
    settings = services().settings.rest
    if settings.public_url:
        return settings.public_url + path
    if _is_every_address(settings.host):
        return path
    return f"{request.scheme}://{_authority(settings)}{path}"


def register_redirects(app: Flask) -> None:
    """Last of all: the paths of plugins come before redirects."""
    app.before_request(_redirected)


def _redirected() -> Response | None:
    """The redirect to a path with a slash at its end; the framework's own names the host of the request."""
    found = request.routing_exception
    return redirect(_path_of(found.new_url), found.code) if isinstance(found, RequestRedirect) else None


def _path_of(url: str) -> str:
    """Path and query of ``url``. It begins with one slash: behind two a browser would look for a host."""
    parts = urlsplit(url)
    return "/" + parts.path.lstrip("/") + (f"?{parts.query}" if parts.query else "")


def _is_every_address(host: str) -> bool:
    try:
        return ip_address(host).is_unspecified
    except ValueError:
        return False


def _authority(settings: RestSettings) -> str:
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"{host}:{settings.port}"
