"""Changes of state, by publish and subscribe."""

from __future__ import annotations

import logging
import time
from typing import Any

from facerec.adapters.redis.connection import RedisDatabases, mapped_errors
from facerec.adapters.redis.layout import EVENTS, OWN, STATES
from facerec.errors import BadParam, StoreUnavailable
from facerec.identity import check_hash, check_owner
from facerec.nesting import parse_shallow_json
from facerec.ports import Change

log = logging.getLogger(__name__)
_SUBSCRIBE_SECONDS = 5.0


class RedisChanges:
    """`facerec.ports.Changes` over the channel ``events``."""

    def __init__(self, databases: RedisDatabases) -> None:
        self._databases = databases

    def subscribe(self) -> RedisSubscription:
        pubsub = self._databases.client(OWN).pubsub()
        try:
            with mapped_errors():
                pubsub.subscribe(EVENTS)
                _await_confirmation(pubsub)
        except StoreUnavailable:
            pubsub.close()
            raise
        return RedisSubscription(pubsub)


class RedisSubscription:
    """`facerec.ports.Subscription` over a connection of its own."""

    def __init__(self, pubsub: Any) -> None:
        self._pubsub = pubsub

    def next(self, seconds: float) -> Change | None:
        with mapped_errors():
            message = self._pubsub.get_message(timeout=seconds)
        if message is None:
            return None
        if message["type"] != "message":
            # The client has connected anew by itself and subscribed again: what came meanwhile is lost.
            raise StoreUnavailable("the connection was cut; changes may have been missed")
        return _change(message["data"])

    def close(self) -> None:
        self._pubsub.close()


def _change(text: bytes) -> Change | None:
    """A change, or None when another program has said something: channels belong to the server, not to a database of it."""
    try:
        told = parse_shallow_json(text.decode())
        owner, image_hash, state = (str(told[name]) for name in ("owner", "hash", "state"))
        if state not in (*STATES, "erased"):
            raise ValueError("an unknown state")
        return Change(check_owner(owner), check_hash(image_hash), state)
    except (KeyError, TypeError, ValueError, BadParam) as error:
        log.warning("no change of ours on the channel %s: %r", EVENTS, error, extra={"action": "foreign_event"})
        return None


def _await_confirmation(pubsub: Any) -> None:
    """Until the server has said that we are subscribed: what is published before that does not reach us."""
    until = time.monotonic() + _SUBSCRIBE_SECONDS
    while time.monotonic() < until:
        message = pubsub.get_message(timeout=until - time.monotonic())
        if message is not None and message["type"] == "subscribe":
            return
    raise StoreUnavailable("Redis does not confirm the subscription")
