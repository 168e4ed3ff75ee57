"""How fast one token may ask."""

from __future__ import annotations

import logging
from dataclasses import replace

import pytest
from flask.testing import FlaskClient

from facerec.errors import Backpressure
from rest.auth import fingerprint
from rest.rates import FORGET_AT, Rates
from tests.front import OTHER_TOKEN, TOKEN, Front


def test_a_bucket_empties_and_fills_again() -> None:
    now = [0.0]
    rates = Rates(lambda: now[0])
    for _ in range(3):
        rates.take("a", 0.5, 3)
    with pytest.raises(Backpressure) as refused:
        rates.take("a", 0.5, 3)
    assert refused.value.retry_after == 2
    rates.take("b", 0.5, 3)
    now[0] = 2.0
    rates.take("a", 0.5, 3)
    with pytest.raises(Backpressure):
        rates.take("a", 0.5, 3)


def test_callers_who_ask_no_more_are_forgotten() -> None:
    now = [0.0]
    rates = Rates(lambda: now[0])
    for number in range(FORGET_AT):
        rates.take(str(number), 1, 2)
    now[0] = 10.0
    rates.take("new", 1, 2)
    assert len(rates._buckets) == 1


def test_each_token_has_its_own_limit(guarded_client: FlaskClient, guarded: Front) -> None:
    services = guarded_client.application.extensions["facerec"]
    limits = replace(services.settings.rest, rate_limit=0.1, rate_burst=2)
    limited = replace(services, settings=replace(services.settings, rest=limits))
    guarded_client.application.extensions["facerec"] = limited
    statuses = [guarded_client.get("/images", headers={"x-api-key": TOKEN}) for _ in range(3)]
    assert [answer.status_code for answer in statuses] == [200, 200, 429]
    assert statuses[2].get_json()["code"] == "BACKPRESSURE"
    assert 0 < int(statuses[2].headers["Retry-After"]) <= 10
    assert guarded_client.get("/images", headers={"x-api-key": OTHER_TOKEN}).status_code == 200
    assert guarded_client.get("/images", headers={"x-api-key": "wrong"}).status_code == 401
    assert guarded_client.get("/healthz").status_code == 200


def test_the_log_says_who_asked_what(guarded_client: FlaskClient, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        guarded_client.get("/images", headers={"x-api-key": TOKEN})
    (record,) = [found for found in caplog.records if getattr(found, "action", "") == "request"]
    assert (record.token, record.owner, record.client) == (fingerprint(TOKEN), "default", "127.0.0.1")
    assert TOKEN not in str(vars(record))
