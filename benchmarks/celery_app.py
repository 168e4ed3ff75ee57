"""The least that a Celery user would write, for comparison: a Flask view that sends a task, a task that writes once.

Durable queue, persistent message, confirmed publish, late acknowledgement, redelivery when a worker is lost, prefetch 32 as
ours has: the same durability.
"""

from __future__ import annotations

import hashlib
import http.client
import os

import redis
from celery import Celery
from flask import Flask, jsonify, request
from kombu import Queue

RESULTS = 7


def make_app() -> Celery:
    """An application with the durability of our queues."""
    made = Celery("benchmark", broker=os.environ.get("CELERY_BROKER", "memory://"))
    made.conf.update(
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        task_ignore_result=True,
        task_serializer="pickle",
        accept_content=["pickle"],
        broker_transport_options={"confirm_publish": True},
        broker_connection_retry_on_startup=True,
        worker_prefetch_multiplier=32,
        task_queues=[Queue("benchmark", durable=True, queue_arguments={"x-queue-type": "quorum"})],
        task_default_queue="benchmark",
        worker_detect_quorum_queues=True,
    )
    return made


def make_front() -> Flask:
    """A front end that says when it serves."""
    made = Flask("benchmark")
    made.add_url_rule("/healthz", view_func=lambda: "ok", endpoint="healthz")
    return made


app = make_app()
front = make_front()
store = redis.Redis.from_url(os.environ.get("CELERY_REDIS", "redis://127.0.0.1:1"), db=RESULTS)


@front.post("/scan/image/<path:name>")
def scan(name: str) -> tuple[object, int]:
    """Hash the picture and send it to a worker."""
    body = request.get_data()
    key = hashlib.sha256(body).hexdigest()
    write.delay(key, name, body)
    return jsonify({"hash": key}), 202


@app.task
def write(key: str, name: str, body: bytes) -> None:
    """What is left of the work with an engine that returns at once: one durable write."""
    store.hset(key, mapping={"name": name, "state": "done", "size": len(body)})


def serves(port: int) -> bool:
    """Whether the front end answers."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()
