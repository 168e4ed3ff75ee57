"""How fast one token may ask."""

from __future__ import annotations

import logging
import re
from dataclasses import replace

import pytest

from facerec.errors import StoreUnavailable
from rest.auth import fingerprint
from rest.services import Services
from tests.front import API_KEY, OTHER_TOKEN, TOKEN, Front
from tests.services_client import ServicesClient


@pytest.fixture
def limited(guarded_client: ServicesClient) -> Services:
    """The services behind the client: two requests at once, and one more every ten seconds."""
    services = guarded_client.services
    limits = replace(services.settings.rest, rate_limit=0.1, rate_burst=2)
    changed = replace(services, settings=replace(services.settings, rest=limits))
    guarded_client.services = changed
    return changed


@pytest.mark.usefixtures("limited")
def test_each_token_has_its_own_limit(guarded_client: ServicesClient) -> None:
    statuses = [guarded_client.get("/images", headers={"x-api-key": TOKEN}) for _ in range(3)]
    assert [answer.status_code for answer in statuses] == [200, 200, 429]
    assert statuses[2].get_json()["code"] == "BACKPRESSURE"
    assert 0 < int(statuses[2].headers["Retry-After"]) <= 10
    assert guarded_client.get("/images", headers={"x-api-key": OTHER_TOKEN}).status_code == 200
    assert guarded_client.get("/images", headers={"x-api-key": "wrong"}).status_code == 401
    assert guarded_client.get("/healthz").status_code == 200


@pytest.mark.usefixtures("limited")
@pytest.mark.parametrize("key", [TOKEN, API_KEY])
def test_a_token_and_the_key_are_counted_where_nextcloud_asks_too(guarded_client: ServicesClient, key: str) -> None:
    statuses = [guarded_client.get("/open", headers={"x-api-key": key}).status_code for _ in range(3)]
    assert statuses == [200, 200, 429]
    for path in ("/detect", "/compute"):
        assert guarded_client.post(path, headers={"x-api-key": key}).status_code == 429
    if key == TOKEN:
        assert guarded_client.get("/images", headers={"x-api-key": key}).status_code == 429


PUBLIC = (
    "/healthz",
    "/readyz",
    "/health",
    "/welcome",
    "/openapi.json",
    "/v0/",
    "/v1/docs",
    "/v1/openapi.json",
    "/static/",
)
"""How the paths begin that are for everybody, as are the page itself and its login."""


@pytest.mark.usefixtures("limited")
def test_every_route_that_wants_a_token_holds_it_to_the_limit(guarded_client: ServicesClient) -> None:
    for _ in range(2):
        guarded_client.get("/images", headers={"x-api-key": TOKEN})
    free = []
    for rule in guarded_client.application.url_map.iter_rules():
        path = re.sub(r"<(?:[^:>]*:)?[^>]*>", "1", rule.rule)
        (method, *_) = sorted(set(rule.methods or ()) - {"HEAD", "OPTIONS"})
        answer = guarded_client.open(path, method=method, headers={"x-api-key": TOKEN})
        if answer.status_code != 429:
            free.append(rule.rule)
    assert sorted(path for path in free if not path.startswith(PUBLIC)) == ["/", "/docs", "/session"]


class NobodyCounts:
    asked = 0

    def take(self, caller: str, rate: float, burst: int) -> float:
        self.asked += 1
        raise StoreUnavailable("Redis: away")


def test_who_cannot_be_counted_is_not_let_in(guarded_client: ServicesClient, limited: Services) -> None:
    guarded_client.services = replace(limited, rates=NobodyCounts())
    answer = guarded_client.get("/images", headers={"x-api-key": TOKEN})
    assert (answer.status_code, answer.get_json()["code"]) == (503, "SERVICE_UNAVAILABLE")
    assert answer.headers["Retry-After"]


def test_without_a_limit_nobody_is_counted(guarded_client: ServicesClient, guarded: Front) -> None:
    rates = NobodyCounts()
    guarded_client.services = replace(guarded.services, rates=rates)
    assert guarded_client.get("/images", headers={"x-api-key": TOKEN}).status_code == 200
    assert rates.asked == 0


@pytest.mark.parametrize("path", ["/images", "/open"])
def test_the_log_says_who_asked_what(
    guarded_client: ServicesClient, caplog: pytest.LogCaptureFixture, path: str
) -> None:
    with caplog.at_level(logging.INFO):
        guarded_client.get(path, headers={"x-api-key": TOKEN})
    (record,) = [found for found in caplog.records if getattr(found, "action", "") == "request"]
    assert (record.token, record.owner, record.client) == (fingerprint(TOKEN), "default", "127.0.0.1")
    assert TOKEN not in str(vars(record))


def test_the_log_names_the_key_of_nextcloud_as_a_token(
    guarded_client: ServicesClient, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        guarded_client.post("/detect", headers={"x-api-key": API_KEY})
    (record,) = [found for found in caplog.records if getattr(found, "action", "") == "request"]
    assert (record.token, record.owner) == (fingerprint(API_KEY), "default")
