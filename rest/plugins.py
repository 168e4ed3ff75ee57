"""Plugins in the front end: their paths come before all others, behind the same tokens."""

from __future__ import annotations

import asyncio
import inspect
import logging
import re
from collections.abc import Iterable, Iterator
from typing import Any

from flask import Blueprint, Flask, Response, g, jsonify, request

from facerec.errors import FacerecError, InternalError, NotFound
from facerec.plugins.context import Context, make_context
from facerec.plugins.handlers import BaseHandler
from facerec.plugins.host import activate_plugins, find_plugins
from rest.auth import authenticate
from rest.findface.params import read_params
from rest.services import Services

log = logging.getLogger(__name__)
_METHODS = ("get", "post", "put", "delete")


class _Route:
    def __init__(self, plugin: str, host: str, path: str, handler: type[BaseHandler]) -> None:
        self.plugin = plugin
        self.handler = handler
        self._host = re.compile(host)
        self._path = re.compile(path)

    def match(self) -> re.Match[str] | None:
        """Whether the request is for this route."""
        if not self._host.fullmatch(request.host.partition(":")[0]):
            return None
        return self._path.fullmatch(request.path)


class _App:
    """The ``app`` of one plugin."""

    def __init__(self, app: Flask, routes: list[_Route], plugin: str) -> None:
        self._app = app
        self._routes = routes
        self._plugin = plugin

    def add_handlers(self, host: str, handlers: Iterable[tuple[str, type[BaseHandler]]]) -> None:
        """Those that were added first are asked first."""
        for path, handler in handlers:
            self._routes.append(_Route(self._plugin, host, path, handler))

    def register_blueprint(self, blueprint: Blueprint) -> None:
        """Its views need a token like all others."""
        blueprint.before_request(authenticate)
        self._app.register_blueprint(blueprint)


def register_plugins(app: Flask, services: Services) -> None:
    """Activate the plugins of the settings. Raises ConfigError for one that is not there."""
    settings = services.settings.findface
    plugins = find_plugins(settings.plugins_dirs, settings.plugins_enabled)
    ctx = make_context(
        book=services.findface,
        lookup=services.lookup,
        enrolments=services.enrolments,
        identification=services.identification,
        attributing=services.attributing,
        persons=services.persons,
        tokens=services.tokens,
        removal=services.removal,
        uploads=services.uploads,
        pictures=services.pictures,
        hooks=services.hooks,
    )
    routes: list[_Route] = []
    activate_plugins(plugins, lambda name: _App(app, routes, name), ctx, settings)

    @app.before_request
    def serve_plugins() -> Response | None:
        for route in routes:
            found = route.match()
            if found:
                return _serve(route, found, ctx, services)
        return None


def _serve(route: _Route, found: re.Match[str], ctx: Context, services: Services) -> Response:
    authenticate()
    method = request.method.lower()
    if method not in _METHODS or not hasattr(route.handler, method):
        raise NotFound("this path does not know this method")
    params = read_params(request, 1, services.settings.rest.max_upload_bytes)
    files = {name: body for name, (_, body) in params.files.items()}
    handler = route.handler(ctx, g.owner, params.values, files)
    try:
        answer = getattr(handler, method)(*found.groups())
        if inspect.isawaitable(answer):
            answer = asyncio.run(_awaited(answer))
    except FacerecError:
        raise
    except (Exception, SystemExit) as error:
        log.exception("plugin %s failed", route.plugin, extra={"action": "plugin_failed", "plugin": route.plugin})
        raise InternalError(f"plugin {route.plugin} failed") from error
    return _response(handler, answer)


async def _awaited(answer: Any) -> Any:
    return await answer


def _response(handler: BaseHandler, answer: Any) -> Response:
    if answer is None:
        answer = b"".join(piece.encode() if isinstance(piece, str) else piece for piece in handler.written)
    if isinstance(answer, dict | list):
        response = jsonify(answer)
    elif isinstance(answer, str | bytes):
        response = Response(answer, content_type=handler.content_type or "text/html; charset=utf-8")
    else:
        response = Response(_pieces(answer), content_type=handler.content_type or "text/event-stream")
    response.status_code = handler.status
    return response


def _pieces(answer: Iterable[str | bytes]) -> Iterator[bytes]:
    for piece in answer:
        yield piece.encode() if isinstance(piece, str) else piece
