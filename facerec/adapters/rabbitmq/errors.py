"""The one door through which pika's and the socket's errors become ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pika.adapters.utils.connection_workflow import AMQPConnectionWorkflowFailed, AMQPConnectorException
from pika.exceptions import (
    AMQPError,
    ChannelClosedByBroker,
    ChannelError,
    ProbableAccessDeniedError,
    ProbableAuthenticationError,
    ReentrancyError,
)

from facerec.errors import BrokerUnavailable, ConfigError

_SLOW_RETRY_AFTER = 5
CLIENT_ERRORS = (AMQPError, AMQPConnectorException, ChannelError, ReentrancyError, OSError)
"""Everything that pika raises, and everything that a socket, a name lookup or TLS does (all of them are OSError)."""

NOT_FOUND = 404
RESOURCE_LOCKED = 405
PRECONDITION_FAILED = 406


class ConnectionLost(BrokerUnavailable):
    """The connection ended while an answer was awaited; the same again on a new one may work."""


class Refused(BrokerUnavailable):
    """The broker did not keep the message; on another channel it may."""


class Unroutable(BrokerUnavailable):
    """The broker took the message and found no queue for it."""


@contextmanager
def broker_errors() -> Iterator[None]:
    """Turns the errors of pika and of sockets into BrokerUnavailable."""
    try:
        yield
    except CLIENT_ERRORS as error:
        raise unavailable(error) from error


def unavailable(error: BaseException) -> BrokerUnavailable:
    """The error of ours that stands for ``error``, with ``error`` as its cause."""
    mine = BrokerUnavailable(f"RabbitMQ is not available: {describe(error)}")
    mine.__cause__ = error
    return mine


def lost(error: BaseException) -> ConnectionLost:
    """As `unavailable`, for a connection that had been good."""
    mine = ConnectionLost(f"the connection to RabbitMQ was lost: {describe(error)}")
    mine.__cause__ = error
    return mine


def too_slow() -> BrokerUnavailable:
    """The broker takes what was sent to it before more slowly than more comes."""
    return BrokerUnavailable("RabbitMQ takes messages more slowly than they come", _SLOW_RETRY_AFTER)


def wrong_topology(error: ChannelClosedByBroker) -> ConfigError:
    """An exchange or queue exists with other arguments than ours: nothing but an operator can help."""
    mine = ConfigError(
        "RabbitMQ has an exchange or queue with arguments other than this version's; drain and delete it, or use another "
        f"vhost: {error.reply_text}"
    )
    mine.__cause__ = error
    return mine


def is_closed_with(error: BaseException, code: int) -> bool:
    """Whether the broker closed a channel for the reason ``code``."""
    return isinstance(error, ChannelClosedByBroker) and error.reply_code == code


def describe(error: BaseException) -> str:
    """The innermost cause in words: pika wraps what happened in up to three exceptions."""
    inner = innermost(error)
    if isinstance(inner, ProbableAuthenticationError):
        return "it refused the user or the password"
    if isinstance(inner, ProbableAccessDeniedError):
        return f"it refused the virtual host: {inner}"
    return str(inner) or type(inner).__name__


def innermost(error: BaseException) -> BaseException:
    """What pika's connection workflow wrapped."""
    wrapped: object = None
    if isinstance(error, AMQPConnectionWorkflowFailed) and error.exceptions:
        wrapped = error.exceptions[-1]
    elif isinstance(getattr(error, "exception", None), BaseException):
        wrapped = getattr(error, "exception", None)
    elif error.args and isinstance(error.args[0], BaseException):
        wrapped = error.args[0]
    return innermost(wrapped) if isinstance(wrapped, BaseException) else error
