"""Every error of pika and of sockets comes out as one of ours, with its cause."""

from __future__ import annotations

import inspect
import socket
import ssl

import pika.adapters.utils.connection_workflow as workflow
import pika.exceptions
import pytest

from facerec.adapters.rabbitmq.errors import broker_errors, describe
from facerec.errors import BrokerUnavailable

ARGUMENTS = {
    "ConnectionClosed": (320, "text"),
    "ConnectionClosedByBroker": (320, "text"),
    "ConnectionClosedByClient": (200, "text"),
    "ChannelClosed": (404, "text"),
    "ChannelClosedByBroker": (404, "text"),
    "ChannelClosedByClient": (200, "text"),
    "UnroutableError": ([],),
    "NackError": ([],),
    "AMQPConnectionWorkflowFailed": ([OSError("inner")],),
    "AMQPConnectorPhaseErrorBase": (OSError("inner"),),
    "AMQPConnectorSocketConnectError": (OSError("inner"),),
    "AMQPConnectorTransportSetupError": (OSError("inner"),),
    "AMQPConnectorAMQPHandshakeError": (OSError("inner"),),
}


def raised_by(module: object) -> list[type[Exception]]:
    return [kind for _name, kind in inspect.getmembers(module, inspect.isclass) if issubclass(kind, Exception)]


@pytest.mark.parametrize(
    "kind",
    sorted({*raised_by(pika.exceptions), *raised_by(workflow)}, key=lambda kind: kind.__name__),
    ids=lambda kind: kind.__name__,
)
def test_no_error_of_pika_gets_through(kind: type[Exception]) -> None:
    foreign = kind(*ARGUMENTS.get(kind.__name__, ("text",)))
    with pytest.raises(BrokerUnavailable) as caught, broker_errors():
        raise foreign
    assert caught.value.__cause__ is foreign
    assert caught.value.retry_after > 0


@pytest.mark.parametrize(
    "foreign",
    [ConnectionRefusedError(111, "refused"), TimeoutError(), socket.gaierror(-2, "unknown"), ssl.SSLError("bad")],
)
def test_no_error_of_a_socket_gets_through(foreign: Exception) -> None:
    with pytest.raises(BrokerUnavailable), broker_errors():
        raise foreign


def test_own_errors_pass() -> None:
    with pytest.raises(ZeroDivisionError), broker_errors():
        raise ZeroDivisionError


def test_the_innermost_cause_is_told() -> None:
    refused = ConnectionRefusedError(111, "Connection refused")
    wrapped = workflow.AMQPConnectionWorkflowFailed([workflow.AMQPConnectorSocketConnectError(refused)])
    assert describe(pika.exceptions.AMQPConnectionError(wrapped)) == "[Errno 111] Connection refused"
    assert describe(TimeoutError()) == "TimeoutError"
