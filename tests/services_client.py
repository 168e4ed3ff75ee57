"""Calls of the front end without a server."""

from __future__ import annotations

from functools import cache
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from rest.app import create_app
from rest.context import EXTENSION
from rest.services import Services
from tests.front import Front


class ServicesClient(FlaskClient):
    """A client of the front end over ``services``.

    All clients share one app, whose 140 routes take a tenth of a second to make; it has no plugins, and its health and its
    metrics tell of every call in this process. A test of these makes an app of its own.
    """

    def __init__(self, services: Services) -> None:
        super().__init__(_app(), _app().response_class)
        self.services = services

    def open(self, *arguments: Any, **named: Any) -> TestResponse:
        self.application.extensions[EXTENSION] = self.services
        return super().open(*arguments, **named)


@cache
def _app() -> Flask:
    return create_app(Front().services)
