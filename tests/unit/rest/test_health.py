"""What people, load balancers and monitors ask."""

from __future__ import annotations

import logging

import pytest
from flask.testing import FlaskClient

from facerec.errors import BrokerUnavailable, FacerecError, StoreRefusesWrites, StoreUnavailable
from rest import models
from rest.app import create_app
from rest.health import RecentWorkers
from tests.front import Front, picture


@pytest.fixture
def client(front: Front) -> FlaskClient:
    """A client of an app of its own."""
    return create_app(front.services).test_client()


def test_the_service_document(client: FlaskClient) -> None:
    document = client.get("/", headers={"Accept": "application/json"}).get_json()

    models.ServiceDocument.model_validate(document, strict=True)
    assert document["workers"] == [{"name": "w-1", "device": "cpu", "model": "hog"}]
    assert [model["name"] for model in document["models"] if model["default"]] == ["hog"]


@pytest.mark.parametrize("accept", ["*/*", "text/html,application/xhtml+xml,*/*;q=0.8"])
def test_a_page_for_people(client: FlaskClient, accept: str) -> None:
    answer = client.get("/", headers={"Accept": accept})

    assert answer.content_type == "text/html; charset=utf-8"
    assert '<main id="main"' in answer.text


def test_home_answers_without_redis(client: FlaskClient, front: Front) -> None:
    front.workers.failures["workers"] = StoreUnavailable("Redis: away")

    assert client.get("/", headers={"Accept": "application/json"}).get_json()["workers"] is None
    assert client.get("/").status_code == 200


def test_the_workers_are_asked_for_now_and_then() -> None:
    now = [0.0]
    asked = []

    def ask() -> dict[str, dict[str, object]]:
        asked.append(now[0])
        if now[0] == 1:
            raise StoreUnavailable("Redis: away")
        return {"w": {}}

    recent = RecentWorkers(lambda: now[0])
    seen = []
    for now[0] in (0, 0.5, 0.9, 1, 1.5, 2):
        seen.append(recent.get(ask))

    assert asked == [0, 1, 2]
    assert seen == [{"w": {}}, {"w": {}}, {"w": {}}, None, None, {"w": {}}]


def test_ready(client: FlaskClient) -> None:
    answer = client.get("/readyz")

    models.Ready.model_validate(answer.get_json(), strict=True)
    assert answer.status_code == 200
    assert answer.get_json()["ready"] is True


@pytest.mark.parametrize(
    ("part", "method", "failure", "failed"),
    [
        ("publisher", "ping", BrokerUnavailable("RabbitMQ: away"), {"broker"}),
        ("admissions", "ping", StoreUnavailable("Redis: away"), {"redis", "workers"}),
        ("workers", "workers", StoreUnavailable("Redis: away"), {"workers"}),
    ],
)
def test_not_ready(
    client: FlaskClient, front: Front, part: str, method: str, failure: FacerecError, failed: set[str]
) -> None:
    getattr(front, part).failures[method] = failure

    answer = client.get("/readyz")

    models.Ready.model_validate(answer.get_json(), strict=True)
    assert answer.status_code == 503
    assert {name for name, state in answer.get_json()["parts"].items() if not state["ok"]} == failed


def test_not_ready_without_a_worker(client: FlaskClient, front: Front) -> None:
    front.workers.states.clear()

    answer = client.get("/readyz")

    assert answer.status_code == 503
    assert answer.get_json()["parts"]["workers"] == {"ok": False, "reason": "no worker lives", "reads": False}
    assert client.get("/healthz").status_code == 200


def test_not_ready_while_the_only_worker_loads(client: FlaskClient, front: Front) -> None:
    front.workers.states = {"w": {"loading": "300 of 1000 images"}}

    parts = client.get("/readyz").get_json()["parts"]

    assert parts["workers"] == {"ok": False, "reason": "loading 300 of 1000 images", "reads": False}
    assert client.get("/", headers={"Accept": "application/json"}).get_json()["workers"] == []
    front.workers.states["other"] = {}
    assert client.get("/readyz").get_json()["ready"] is True


def test_metrics_count_by_route(client: FlaskClient) -> None:
    client.post("/scan/image/a.jpg", data=picture())
    client.post("/scan/image/b.jpg", data=b"")
    client.get("/nowhere")

    text = client.get("/metrics").text

    post = 'facerec_rest_requests_total{method="POST",route="/scan/image/<name:name>",status='
    assert f'{post}"202"}} 1.0' in text
    assert f'{post}"415"}} 1.0' in text
    assert 'route="none",status="404"} 1.0' in text
    assert 'facerec_rest_request_seconds_count{method="POST"' in text


@pytest.mark.parametrize("path", ["/", "/images", "/nowhere", "/metrics"])
def test_security_headers(client: FlaskClient, path: str) -> None:
    headers = client.get(path).headers

    policy = dict(part.strip().split(" ", 1) for part in headers["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cache-Control"] == "no-store"
    assert "Access-Control-Allow-Origin" not in headers


def test_each_call_is_logged_once_with_its_outcome(client: FlaskClient, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="rest")

    client.post("/scan/image/a%1b%5B2Jb.jpg", data=picture())
    client.post("/scan/image/ok.jpg", data=picture())

    bad, good = [record for record in caplog.records if record.name == "rest.calls"]
    assert (bad.__dict__["outcome"], bad.__dict__["status"]) == ("BAD_PARAM", 400)
    assert "\x1b" not in bad.getMessage()
    assert (good.__dict__["outcome"], good.__dict__["status"], good.levelname) == ("ok", 202, "INFO")
    assert good.__dict__["owner"] == "default"
    assert len(good.__dict__["image_hash"]) == 64
    assert good.__dict__["reason"] is None
    assert "control characters" in bad.__dict__["reason"]


def test_the_log_says_why_a_call_was_refused(
    client: FlaskClient, front: Front, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="rest")
    front.publisher.failures = {
        "depth": BrokerUnavailable("RabbitMQ did not answer in time"),
        "ping": BrokerUnavailable("RabbitMQ is not available: refused"),
    }

    client.post("/scan/image/a.jpg", data=picture())
    client.get("/readyz")

    posted, ready = [record.__dict__["reason"] for record in caplog.records if record.name == "rest.calls"]
    assert posted == "RabbitMQ did not answer in time"
    assert ready == "broker: RabbitMQ is not available: refused"


def test_the_log_does_not_repeat_an_address(client: FlaskClient, caplog: pytest.LogCaptureFixture) -> None:
    """It may be signed, or hold a password."""
    caplog.set_level(logging.INFO, logger="rest")

    client.post("/scan/url", json={"url": "https://anna:secret\N{FULLWIDTH NUMBER SIGN}@example.org"})

    [record] = [record for record in caplog.records if record.name == "rest.calls"]
    assert record.__dict__["outcome"] == "BAD_PARAM"
    assert "secret" not in str(record.__dict__)


def test_ready_though_nothing_can_be_written(client: FlaskClient, front: Front) -> None:
    """Who only reads would get nothing any more from a load balancer that hears 503."""
    front.admissions.failures["check_writes"] = StoreRefusesWrites(
        "Redis takes no writes, because its memory is full: OOM"
    )
    front.workers.states.clear()

    answer = client.get("/readyz")

    models.Ready.model_validate(answer.get_json(), strict=True)
    assert (answer.status_code, answer.get_json()["ready"]) == (200, True)
    told = {name: (part["ok"], part["reads"]) for name, part in answer.get_json()["parts"].items()}
    assert told == {
        "broker": (True, True),
        "redis": (False, True),
        "workers": (False, True),
        "image_store": (True, True),
    }
