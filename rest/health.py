"""For people, load balancers and monitors: what this is, whether it lives, whether it can work, how it fares."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from flask import Blueprint, Flask, Response, g, jsonify, render_template, request

import facerec
from facerec.errors import FacerecError
from facerec.faces import Model
from rest import models
from rest.auth import authenticate
from rest.context import services
from rest.docs import Operation, describes
from rest.metrics import CONTENT_TYPE, Metrics
from rest.params import no_query
from rest.status import WELL, part_away, workers_part

LINKS = {
    "scan_image": "/scan/image/<name>",
    "scan_url": "/scan/url",
    "match": "/match/<hash>",
    "images": "/images",
    "image": "/images/<hash>",
    "original": "/images/<hash>/original",
    "overlay": "/images/<hash>/overlay",
    "thumbnail": "/faces/<id>/thumbnail",
    "identify": "/identify",
    "events": "/events",
    "status": "/status",
    "dead": "/dead",
    "webhook": "/webhook",
    "health": "/healthz",
    "ready": "/readyz",
    "metrics": "/metrics",
    "openapi": "/openapi.json",
    "docs": "/docs",
}
_PARTS_SHOWN = 1.0
"""Seconds for which the list of workers is not asked for again: `/` must answer fast and always, also without Redis."""


def register_health(app: Flask, metrics: Metrics) -> None:
    health = Blueprint("health", __name__)
    workers = RecentWorkers(time.monotonic)

    @describes(Operation("A page for people, or the service document", answer=models.ServiceDocument, public=True))
    def get_home() -> Response | str:
        document = service_document(workers.get(services().workers.workers))
        if request.accept_mimetypes.best_match(["text/html", "application/json"]) == "application/json":
            return jsonify(document)
        return render_template("page.html", version=document["version"])

    @describes(Operation("The metrics of Prometheus", media=CONTENT_TYPE, errors=(401, 403)))
    def get_metrics() -> Response:
        authenticate()
        return Response(metrics.text(), content_type=CONTENT_TYPE)

    health.get("/")(get_home)
    health.get("/healthz")(get_healthz)
    health.get("/readyz")(get_readyz)
    health.get("/metrics")(get_metrics)
    app.register_blueprint(health)


@describes(Operation("Whether the process lives", answer=dict[str, str], public=True))
def get_healthz() -> Response:
    no_query(request)
    return jsonify({"status": "alive"})


@describes(Operation("Whether work can be done", answer=models.Ready, errors=(503,), public=True))
def get_readyz() -> Response:
    """200 as long as people can look at what is known: who gets 503 as a load balancer sends nobody any more, not even to read.

    So a Redis that takes no writes, and any picture store, are named with ``ok`` false and leave ``ready`` true; uploads say 503
    themselves, or wait in the queue until the picture store takes pictures again.
    """
    no_query(request)
    front = services()
    store = _asked(front.admissions.ping)
    if store["ok"]:
        store = _asked(front.writes.redis.check)
    needed = {"broker": _asked(front.publisher.ping), "redis": store, "workers": _workers(store)}
    parts = needed | {"image_store": _asked(front.writes.pictures.check)}
    ready = all(part["ok"] or part["reads"] for part in needed.values())
    response = jsonify({"ready": ready, "parts": parts})
    response.status_code = 200 if ready else 503
    if not ready:
        g.reason = "; ".join(f"{name}: {part['reason']}" for name, part in parts.items() if not part["ok"])
    return response


def service_document(workers: Mapping[str, Mapping[str, Any]] | None) -> dict[str, Any]:
    """What this service is; ``workers`` is None when the store does not tell."""
    default = services().settings.model
    return {
        "name": "facerec",
        "version": facerec.__version__,
        "models": [
            {"id": model.value, "name": model.name.lower(), "default": model is default}
            for model in sorted(Model, key=lambda model: model.value)
        ],
        "links": LINKS,
        "workers": None if workers is None else _ready_workers(workers),
    }


class RecentWorkers:
    """The list of workers, remembered for some seconds, also that it could not be had."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._until = float("-inf")
        self._known: dict[str, dict[str, Any]] | None = None

    def get(self, ask: Callable[[], dict[str, dict[str, Any]]]) -> dict[str, dict[str, Any]] | None:
        """What ``ask`` gives or gave, None when it fails or failed. One caller asks, the others take what is known."""
        if self._clock() >= self._until and self._lock.acquire(blocking=False):
            try:
                self._known = ask()
            except FacerecError as error:
                part_away(error)
                self._known = None
            finally:
                self._until = self._clock() + _PARTS_SHOWN
                self._lock.release()
        return self._known


def _ready_workers(workers: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Without those that still start."""
    return [
        {"name": name, "device": state.get("device"), "model": state.get("model")}
        for name, state in sorted(workers.items())
        if not state.get("loading")
    ]


def _asked(ping: Callable[[], None]) -> dict[str, Any]:
    try:
        ping()
    except FacerecError as error:
        return part_away(error)
    return WELL


def _workers(store: Mapping[str, Any]) -> dict[str, Any]:
    """Workers tell Redis that they live: without it, waiting for its time limit once is enough."""
    if not store["reads"]:
        return workers_part(None, store)
    try:
        alive = services().workers.workers()
    except FacerecError as error:
        return part_away(error)
    return workers_part(alive, store)
