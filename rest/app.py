"""The Flask app. Nothing connects here: the services it is given connect when they are first asked."""

from __future__ import annotations

from pathlib import Path

from flask import Flask

from rest.addresses import register_redirects
from rest.calls import register_calls
from rest.contacts import register_contacts
from rest.context import EXTENSION, METRICS
from rest.core import register_core
from rest.dead import register_dead
from rest.docs import register_docs
from rest.errors import register_errors
from rest.events import register_events
from rest.findface import register_findface
from rest.finite import FiniteJson
from rest.health import register_health
from rest.identify import register_identify
from rest.login import register_login
from rest.metrics import Metrics
from rest.nextcloud import register_nextcloud
from rest.page import register_page
from rest.people import register_people
from rest.pictures import register_pictures
from rest.plugins import register_plugins
from rest.regenerate import register_regenerate
from rest.services import Services
from rest.status import register_status
from rest.webhook import register_webhook


def create_app(services: Services, metrics_folder: Path | None = None) -> Flask:
    """An app over ``services``. ``metrics_folder`` is where the processes of one front end add up their metrics."""
    app = Flask("rest", static_folder=None)
    app.extensions[EXTENSION] = services
    app.json = FiniteJson(app)
    metrics = app.extensions[METRICS] = Metrics(metrics_folder)
    register_errors(app)
    register_calls(app, metrics)
    register_core(app)
    register_pictures(app)
    register_events(app)
    register_identify(app)
    register_people(app)
    register_dead(app)
    register_status(app)
    register_regenerate(app)
    register_webhook(app)
    register_login(app)
    register_page(app)
    register_contacts(app)
    register_nextcloud(app)
    register_findface(app)
    register_health(app, metrics)
    register_docs(app)
    register_plugins(app, services)
    register_redirects(app)
    return app
