"""How fast one token may ask."""

from __future__ import annotations

import logging
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
def test_a_token_is_counted_where_nextcloud_asks_too_and_its_key_is_not(guarded_client: ServicesClient) -> None:
    statuses = [guarded_client.get("/open", headers={"x-api-key": TOKEN}).status_code for _ in range(3)]
    assert statuses == [200, 200, 429]
    assert guarded_client.get("/images", headers={"x-api-key": TOKEN}).status_code == 429
    statuses = [guarded_client.get("/open", headers={"x-api-key": API_KEY}).status_code for _ in range(3)]
    assert statuses == [200, 200, 200]


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
