"""What a view finds around it: the services of its app and the owner of its request."""

from __future__ import annotations

from flask import current_app, g

from rest.services import Services

EXTENSION = "facerec"
METRICS = "facerec.metrics"
AUTHENTICATED = "facerec.authenticated"
"""In the environment of a request when its key, or its session, turned out to be somebody's."""


def services() -> Services:
    """The services of the running app."""
    found: Services = current_app.extensions[EXTENSION]
    return found


def owner() -> str:
    """On whose behalf the request is made."""
    name: str = g.owner
    return name
