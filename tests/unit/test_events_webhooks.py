"""Calls to an owner's own service: what is sent, when it is tried again, when it is given up."""

from __future__ import annotations

import hashlib
import hmac
import json
from itertools import pairwise

import pytest

from facerec.errors import BadParam, FetchFailed, ForbiddenUrl
from facerec.ports import Notice
from facerec.services.webhooks import (
    ATTEMPTS,
    LONGEST_DELAY,
    Courier,
    check_webhook,
    delay_after,
    new_secret,
    signature,
)
from tests.front import HASH, FakeFetcher, FakeWebhooks, Front

NOW = 1_700_000_000.9


class Office:
    """A courier over fakes."""

    def __init__(self) -> None:
        front = Front()
        self.documents = front.admissions.documents
        self.webhooks = FakeWebhooks()
        self.poster = FakeFetcher()
        self.courier = Courier(self.webhooks, front.overview, self.poster, lambda: NOW)


@pytest.fixture
def office() -> Office:
    return Office()


def notice(attempt: int = 1, state: str = "done") -> Notice:
    return Notice("default", HASH, state, attempt, f"{attempt} 7", "https://example.org/hook", "secret")


def test_a_call_tells_of_the_image_and_is_signed(office: Office) -> None:
    office.courier.deliver(notice())

    url, body, headers = office.poster.posted[0]
    assert url == "https://example.org/hook"
    told = json.loads(body)
    assert told["event"] == "image.done"
    assert (told["image"]["hash"], told["image"]["names"]) == (HASH, ["a.jpg"])
    assert headers["X-Facerec-Timestamp"] == "1700000000"
    expected = hmac.new(b"secret", b"1700000000." + body, hashlib.sha256).hexdigest()
    assert headers["X-Facerec-Signature"] == f"sha256={expected}"
    assert office.webhooks.ends == [("settled", HASH, 204, "")]


@pytest.mark.parametrize("status", [301, 400, 404, 500, 503])
def test_any_other_answer_is_tried_again(office: Office, status: int) -> None:
    office.poster.status = status

    office.courier.deliver(notice())

    kind, _, seen, error, seconds = office.webhooks.ends[0]
    assert (kind, seen, error) == ("postponed", status, f"the receiver answered {status}")
    assert 30 <= seconds <= 37.5


def test_no_answer_is_tried_again(office: Office) -> None:
    office.poster.failures["post"] = FetchFailed("no connection")

    office.courier.deliver(notice(attempt=3))

    assert office.webhooks.ends[0][:4] == ("postponed", HASH, None, "no connection")


@pytest.mark.parametrize("error", [FetchFailed("no connection"), ForbiddenUrl("must not be fetched from")])
def test_after_the_last_try_it_is_given_up(office: Office, error: Exception) -> None:
    assert isinstance(error, FetchFailed | ForbiddenUrl)
    office.poster.failures["post"] = error

    office.courier.deliver(notice(attempt=ATTEMPTS))

    assert office.webhooks.ends == [("settled", HASH, None, error.reason)]


def test_an_image_that_was_erased_or_went_on_is_not_told_of(office: Office) -> None:
    office.courier.deliver(notice(state="failed"))
    office.documents.clear()
    office.courier.deliver(notice())

    assert office.poster.posted == []
    assert office.webhooks.ends == [("skipped", HASH)] * 2


def test_delays_grow_to_a_bound() -> None:
    delays = [delay_after(attempt, 0.0) for attempt in range(1, 20)]

    assert all(later >= earlier for earlier, later in pairwise(delays))
    assert (delays[0], delays[-1]) == (30.0, LONGEST_DELAY)
    assert sum(delays[: ATTEMPTS - 1]) < 3 * 3600
    assert delay_after(2, 1.0) == 75.0


@pytest.mark.parametrize("url", ["https://example.org/x?y=1", "http://10.0.0.1:8080/hook"])
def test_what_can_be_called(url: str) -> None:
    assert check_webhook(url) == url


@pytest.mark.parametrize(
    "url", ["", "ftp://example.org", "example.org", "https://", "file:///etc/passwd", "http://a b/"]
)
def test_what_cannot_be_called(url: str) -> None:
    with pytest.raises(BadParam):
        check_webhook(url)


def test_no_credentials_in_the_url() -> None:
    with pytest.raises(ForbiddenUrl):
        check_webhook("https://user:password@example.org")


def test_secrets_are_long_and_new() -> None:
    assert len({new_secret() for _ in range(100)}) == 100
    assert len(new_secret()) >= 43
    assert signature("a", 1, b"x") != signature("b", 1, b"x") != signature("b", 2, b"x")
    assert "secret" not in repr(notice())
