"""Server-sent events: who gets which, how many may listen, how they end."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from flask.testing import FlaskClient

import rest.events
from facerec.errors import Backpressure, InternalError, StoreUnavailable
from facerec.ports import Change
from rest.app import create_app
from rest.hub import BACKLOG, EventHub
from tests.front import HASH, OTHER_TOKEN, TOKEN, FakeChanges, Front

OTHER = "cd" * 32
LONGEST = 20.0


class Listener:
    """A client that reads events one after the other."""

    def __init__(self, client: FlaskClient, path: str = "/events", address: str = "127.0.0.1", **headers: str) -> None:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.answer = client.get(path, headers=named, environ_base={"REMOTE_ADDR": address})
        assert self.answer.status_code == 200, self.answer.text
        self._lines = self._read()

    def _read(self) -> Iterator[str]:
        for piece in self.answer.iter_encoded():
            yield from piece.decode().splitlines()

    def next(self) -> tuple[str, dict[str, Any]]:
        """The next event and its data; comments are passed over."""
        kind = ""
        for line in self._lines:
            name, _, value = line.partition(": ")
            if name == "event":
                kind = value
            if name == "data":
                return kind, json.loads(value)
        return "end", {}

    def rest(self) -> list[tuple[str, dict[str, Any]]]:
        events = []
        while (event := self.next())[0] != "end":
            events.append(event)
        return events

    def close(self) -> None:
        self.answer.close()


def test_a_stream_begins_when_nothing_can_be_missed(client: FlaskClient, front: Front) -> None:
    listener = Listener(client)

    assert listener.answer.content_type == "text/event-stream; charset=utf-8"
    assert listener.answer.headers["Cache-Control"] == "no-store"
    assert len(front.changes.subscriptions) == 1
    assert listener.next() == ("ready", {"counts": {"queued": 0, "processing": 0, "failed": 0, "done": 1}})
    listener.close()


def test_changes_are_told(client: FlaskClient, front: Front) -> None:
    listener = Listener(client)
    listener.next()

    for state in ("queued", "processing", "done", "erased"):
        front.changes.put(Change("default", HASH, state))
        assert listener.next() == ("state", {"hash": HASH, "state": state})
    listener.close()


def test_an_owner_hears_of_its_own_alone(guarded_client: FlaskClient, guarded: Front) -> None:
    mine = Listener(guarded_client, x_api_key=TOKEN)
    theirs = Listener(guarded_client, x_api_key=OTHER_TOKEN)
    mine.next(), theirs.next()

    guarded.changes.put(Change("other", OTHER, "done"))
    guarded.changes.put(Change("default", HASH, "done"))

    assert mine.next()[1]["hash"] == HASH
    assert theirs.next()[1]["hash"] == OTHER
    assert guarded_client.get("/events").status_code == 401
    mine.close()
    theirs.close()


def test_hashes_begin_with_their_present_state(client: FlaskClient, front: Front) -> None:
    listener = Listener(client, f"/events?hash={HASH}&hash={OTHER}")
    listener.next()
    assert listener.next() == ("state", {"hash": HASH, "state": "done"})

    front.changes.put(Change("default", "ef" * 32, "done"))
    front.changes.put(Change("default", OTHER, "failed"))

    assert listener.next() == ("state", {"hash": OTHER, "state": "failed"})
    listener.close()


@pytest.mark.parametrize("query", ["hash=x", "name=a", "hash=" + "&hash=".join(["ab" * 32] * 101)])
def test_wrong_parameters_are_named(client: FlaskClient, query: str) -> None:
    assert client.get(f"/events?{query}").get_json()["code"] == "BAD_PARAM"


def test_streams_are_bounded(front: Front) -> None:
    front.hub = EventHub(front.changes, 4)
    client = create_app(front.services).test_client()
    first, second = Listener(client), Listener(client)

    refused = client.get("/events")
    assert (refused.status_code, refused.get_json()["code"]) == (429, "BACKPRESSURE")
    assert int(refused.headers["Retry-After"]) > 0

    first.close()
    third = Listener(client)
    assert third.next()[0] == "ready"
    second.close()
    third.close()


def test_an_owner_who_takes_all_streams_that_he_can_leaves_some_to_others(guarded: Front) -> None:
    guarded.hub = EventHub(guarded.changes, 4)
    client = create_app(guarded.services).test_client()
    greedy = [Listener(client, x_api_key=TOKEN) for _ in range(2)]

    refused = client.get("/events", headers={"x-api-key": TOKEN})
    assert (refused.status_code, refused.get_json()["code"]) == (429, "BACKPRESSURE")
    assert "2 streams of events are yours" in refused.get_json()["reason"]
    assert "close some, or ask for the states" in refused.get_json()["reason"]
    theirs = Listener(client, address="192.0.2.1", x_api_key=OTHER_TOKEN)
    assert theirs.next()[0] == "ready"

    greedy.pop().close()
    greedy.append(Listener(client, x_api_key=TOKEN))
    for listener in (*greedy, theirs):
        listener.close()


@pytest.mark.parametrize("limit", [1, 2, 5, 64])
def test_whoever_comes_gets_a_stream_while_one_is_free(limit: int) -> None:
    hub = EventHub(FakeChanges(), limit)
    taken = []
    while sum(taken) < limit:
        owner = f"owner{len(taken)}"
        taken.append(take_all(hub, owner))
        assert taken[-1] > 0
    assert taken == sorted(taken, reverse=True)
    with pytest.raises(Backpressure, match=f"all {limit} streams"):
        hub.open("one more")
    hub.end()


def test_an_address_that_takes_all_streams_that_it_can_leaves_some_to_others() -> None:
    hub = EventHub(FakeChanges(), 8)
    for owner in ("ann", "bob", "cem", "dan"):
        hub.open(owner, "192.0.2.1")
    with pytest.raises(Backpressure, match="kept for others"):
        hub.open("eve", "192.0.2.1")
    hub.open("eve", "192.0.2.2")
    hub.open("eve", "")
    hub.end()


def take_all(hub: EventHub, owner: str) -> int:
    """How many streams an owner gets."""
    taken = 0
    with suppress(Backpressure):
        while True:
            hub.open(owner)
            taken += 1
    return taken


def test_no_stream_at_all_is_a_setting(front: Front) -> None:
    front.hub = EventHub(front.changes, 0)
    refused = create_app(front.services).test_client().get("/events")
    assert (refused.status_code, refused.get_json()["code"]) == (429, "BACKPRESSURE")


def test_a_client_that_goes_is_forgotten(client: FlaskClient, front: Front) -> None:
    listener = Listener(client)
    listener.next()
    listener.close()

    assert front.changes.subscriptions[0].closed.wait(10), "the subscription ends with its last stream"
    again = Listener(client)
    assert len(front.changes.subscriptions) == 2
    again.close()


def test_an_interruption_ends_the_streams(client: FlaskClient, front: Front) -> None:
    listener = Listener(client)
    listener.next()

    front.changes.put(StoreUnavailable("cut"))

    assert listener.rest() == []
    again = Listener(client)
    assert again.next()[0] == "ready"
    again.close()


def test_without_redis_there_is_no_stream(client: FlaskClient, front: Front) -> None:
    front.changes.failures["subscribe"] = StoreUnavailable("away")
    assert client.get("/events").status_code == 503

    front.changes.failures.clear()
    front.overview.failures["counts"] = StoreUnavailable("away")
    assert client.get("/events").status_code == 503
    assert front.changes.subscriptions[0].closed.wait(10), "no stream was left open"


def test_a_server_that_ends_lets_its_streams_go(client: FlaskClient, front: Front) -> None:
    listener = Listener(client)
    listener.next()

    front.hub.close()

    assert listener.rest() == []
    assert client.get("/events").status_code == 503


def test_silence_is_broken_now_and_then(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rest.events, "HEARTBEAT", 0.01)
    answer = client.get("/events")
    pieces = iter(answer.iter_encoded())
    next(pieces)

    assert next(pieces) == b": still here\n\n"
    answer.close()


def test_a_stream_does_not_live_for_ever(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rest.events, "LONGEST", 0.0)

    assert [kind for kind, _ in Listener(client).rest()] == ["ready"]


def test_a_client_that_reads_too_slowly_is_cut_off() -> None:
    changes = FakeChanges()
    hub = EventHub(changes, 4)
    slow, quick = hub.open("default"), hub.open("default")
    for _ in range(BACKLOG + 1):
        changes.put(Change("default", HASH, "done"))
        assert quick.next(10)

    assert slow.ended
    assert not quick.ended
    hub.leave(slow)
    hub.leave(quick)


def test_streams_may_come_and_go_at_once() -> None:
    changes = FakeChanges()
    hub = EventHub(changes, 64)
    failures = []

    def come_and_go() -> None:
        for _ in range(50):
            stream = hub.open("default")
            if stream.ended:
                failures.append("ended at once")
            hub.leave(stream)

    threads = [threading.Thread(target=come_and_go) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


@pytest.mark.parametrize("error", [InternalError("Redis refused a command"), ZeroDivisionError()])
def test_streams_end_when_the_events_break_and_others_begin_anew(error: Exception) -> None:
    """Else they would wait for ever for a thread that is dead."""
    changes = FakeChanges()
    hub = EventHub(changes, 2)
    stream = hub.open("default")
    changes.put(error)
    assert stream.next(LONGEST) is None
    assert stream.ended
    assert changes.subscriptions[0].closed.wait(LONGEST)

    following = hub.open("default")
    changes.put(Change("default", HASH, "done"))

    assert following.next(LONGEST) == Change("default", HASH, "done")
    hub.close()
