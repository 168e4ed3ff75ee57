"""GET /events: changes of state as server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html).

The first event is ``ready``: from then on no change is missed, so a client that asks for the states after it, and listens on,
knows everything. With ``hash`` the present states follow by themselves. A stream that ends is opened again by the browser,
and begins with ``ready`` again.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from typing import Any

from flask import Blueprint, Flask, Response, request
from pydantic import BaseModel, ConfigDict, Field

from facerec.errors import BadParam
from facerec.identity import check_hash
from rest.auth import authenticate
from rest.context import owner, services
from rest.docs import Operation, describes
from rest.hub import Stream
from rest.models import Hash, State
from rest.peers import is_proxy, peer_of

HEARTBEAT = 10.0
"""Seconds of silence after which a comment is sent, which also finds out whether the client is still there."""
LONGEST = 600.0
"""Seconds after which a stream ends, so that a revoked token is noticed; browsers come again by themselves."""
AGAIN_MS = 2000
MAX_HASHES = 100


class EventsQuery(BaseModel):
    """``hash`` may be repeated."""

    model_config = ConfigDict(extra="forbid")

    hash: str | None = Field(None, description="only this image; may be given up to 100 times")


class StateEvent(BaseModel):
    """The ``data`` of an event."""

    hash: str = Hash
    state: State | str = Field(description="one of the states, or erased")


def register_events(app: Flask) -> None:
    events = Blueprint("events", __name__)
    events.before_request(authenticate)
    events.get("/events")(get_events)
    app.register_blueprint(events)


@describes(
    Operation(
        "Changes of state as server-sent events",
        query=EventsQuery,
        media="text/event-stream",
        errors=(400, 401, 403, 429, 503),
    )
)
def get_events() -> Response:
    hashes = _hashes()
    hub = services().hub
    stream = hub.open(owner(), _peer(), hashes)
    try:
        first = [_event("ready", {"counts": services().overview.counts(owner())})]
        first += [_state(summary) for summary in services().overview.summaries(owner(), hashes)]
    except BaseException:
        hub.leave(stream)
        raise
    response = Response(_told(stream, first), content_type="text/event-stream; charset=utf-8")
    response.headers["X-Accel-Buffering"] = "no"
    response.call_on_close(lambda: hub.leave(stream))
    return response


def _peer() -> str:
    """Whose streams are counted together, beside those of an owner."""
    host = request.remote_addr or ""
    return "" if is_proxy(host, services().settings.rest.trusted_proxies) else peer_of(host)


def _hashes() -> list[str]:
    for name in request.args:
        if name != "hash":
            raise BadParam(name[:100], "this parameter is not known here")
    hashes = [check_hash(text) for text in request.args.getlist("hash")]
    if len(hashes) > MAX_HASHES:
        raise BadParam("hash", f"at most {MAX_HASHES} images; without any, all are told")
    return hashes


def _told(stream: Stream, first: list[str]) -> Iterator[str]:
    yield f"retry: {AGAIN_MS}\n\n" + "".join(first)
    until = time.monotonic() + LONGEST
    while not stream.ended and time.monotonic() < until:
        change = stream.next(HEARTBEAT)
        if change is not None:
            yield _state({"hash": change.hash, "state": change.state})
        elif not stream.ended:
            yield ": still here\n\n"


def _state(summary: Mapping[str, Any]) -> str:
    return _event("state", {"hash": summary["hash"], "state": summary["state"]})


def _event(kind: str, told: Mapping[str, Any]) -> str:
    return f"event: {kind}\ndata: {json.dumps(told)}\n\n"
