"""How a connection to RabbitMQ is made and, when nothing answers any more, unmade."""

from __future__ import annotations

import socket
import ssl
from random import shuffle
from typing import Any

import pika
import pika.compat
import pika.data
from pika.connection import Connection
from pika.exceptions import StreamLostError

from facerec.config import RabbitSettings

KEEPALIVE = {"TCP_KEEPIDLE": 30, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 3} if hasattr(socket, "TCP_KEEPIDLE") else {}
"""Seconds and probes; for routers that forget idle connections between two heartbeats. macOS has another name for the first,
which pika does not know: there the heartbeats are all."""


_decode_value = pika.data.decode_value
_SIZES = {b"f": 4, b"d": 8, b"T": 8, b"D": 5}
"""Of the kinds of header values that may hold what Python has not: numbers that are none, and times after the year 9999."""
_LENGTH = 4


def _value_or_none(encoded: bytes, offset: int) -> tuple[Any, int]:
    """What pika reads of a header, and None for what Python cannot hold or that is nested too deep.

    pika would take it for a broken connection: the message would come again for ever, and hold up all that is behind it. Whole
    numbers from 2**31 on it gives as a class of its own, which calls itself ``2147483648L`` wherever it is written down.
    """
    try:
        value, end = _decode_value(encoded, offset)
    except (ValueError, ArithmeticError, OSError, RecursionError):
        kind, begin = encoded[offset : offset + 1], offset + 1
        if kind in _SIZES:
            return None, begin + _SIZES[kind]
        if kind in {b"A", b"F"}:
            return None, begin + _LENGTH + int.from_bytes(encoded[begin : begin + _LENGTH], "big")
        raise
    return int(value) if type(value) is pika.compat.long else value, end


pika.data.decode_value = _value_or_none


def connection_parameters(
    settings: RabbitSettings, name: str, blocked_timeout: float | None = None
) -> list[pika.ConnectionParameters]:
    """pika's parameters for one try to connect to each node within ``settings.timeout``, in an order that chance gives.

    ``name`` is what the broker's listings call the connection. ``blocked_timeout`` ends a connection that a memory or
    disk alarm has blocked for so many seconds.
    """
    nodes = list(settings.nodes)
    shuffle(nodes)
    context = ssl.create_default_context(cafile=settings.ca_file) if settings.tls else None
    return [
        pika.ConnectionParameters(
            host=host,
            port=port,
            virtual_host=settings.vhost,
            credentials=pika.PlainCredentials(settings.user, settings.password.reveal()),
            heartbeat=settings.heartbeat,
            connection_attempts=1,
            socket_timeout=settings.timeout,
            stack_timeout=settings.timeout,
            blocked_connection_timeout=blocked_timeout,
            ssl_options=pika.SSLOptions(context, host) if context else None,
            client_properties={"connection_name": name},
            tcp_options=dict(KEEPALIVE),
        )
        for host, port in nodes
    ]


def abort(connection: Connection, why: str) -> None:
    """End a connection without asking the broker, who may never answer.

    In public pika can only close politely, which waits for the broker's reply until the heartbeat gives up, and which
    pika 1.4 answers with an AssertionError of its own during the handshake; hence the private method.
    """
    if not connection.is_closed:
        connection._terminate_stream(StreamLostError(why))
