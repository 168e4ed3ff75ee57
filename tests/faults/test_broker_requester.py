"""Requests when network and broker fail: an answer or an error, in time."""

from __future__ import annotations

import dataclasses
from concurrent.futures import ThreadPoolExecutor
from unittest.mock import Mock

import pika
import pytest

from facerec.adapters.rabbitmq import RabbitRequester
from facerec.adapters.rabbitmq.connection import connection_parameters
from facerec.adapters.rabbitmq.requester import _Call
from facerec.config import RabbitSettings
from facerec.errors import BrokerUnavailable, DeadlineExceeded, InternalError
from facerec.jobs import Reply
from facerec.local.servers import RabbitServer
from facerec.topology import INTERACTIVE_QUEUE
from tests.brokers import PATIENCE, TIMEOUT, OverRabbit, request, until
from tests.stopwatch import stopwatch


def test_down_and_up_again(rabbit: OverRabbit) -> None:
    requester = rabbit.requester()
    rabbit.proxy.down()
    with stopwatch() as watch, pytest.raises(BrokerUnavailable):
        requester.call(request())
    assert watch.seconds < 1
    rabbit.proxy.up()
    with pytest.raises(DeadlineExceeded):
        requester.call(request(seconds=0.5))


@pytest.mark.parametrize("way", ["upstream", "downstream"])
def test_black_hole(rabbit: OverRabbit, way: str) -> None:
    requester = rabbit.requester()
    with pytest.raises(DeadlineExceeded):
        requester.call(request(seconds=0.3))
    with rabbit.proxy.black_hole(**{way: True}), stopwatch() as watch, pytest.raises(BrokerUnavailable):
        requester.call(request())
    assert watch.seconds < TIMEOUT + 1.5
    with pytest.raises(DeadlineExceeded):
        requester.call(request(seconds=0.5))


def test_queue_deleted_is_declared_again(rabbit: OverRabbit, direct: RabbitSettings) -> None:
    requester = rabbit.requester()
    with pytest.raises(DeadlineExceeded):
        requester.call(request(seconds=0.3))
    with pika.BlockingConnection(connection_parameters(direct, "test")) as connection:
        connection.channel().queue_delete(INTERACTIVE_QUEUE)
    with ThreadPoolExecutor(1) as thread:
        answer = thread.submit(requester.call, request())
        running = rabbit.run()
        delivery = running.inbox.take_one()
        running.consumer.reply(delivery, Reply(True, {}))
        assert answer.result(PATIENCE).ok
        running.ack(delivery)


def test_memory_alarm(rabbit: OverRabbit, rabbit_server: RabbitServer) -> None:
    requester = rabbit.requester()
    with rabbit_server.memory_alarm(), pytest.raises((BrokerUnavailable, DeadlineExceeded)):
        requester.call(request(seconds=TIMEOUT))

    def answers() -> bool:
        try:
            requester.call(request(seconds=0.3))
        except BrokerUnavailable:
            return False
        except DeadlineExceeded:
            return True
        return True

    until(answers)


def test_answer_that_is_none(rabbit: OverRabbit) -> None:
    running = rabbit.run()
    with ThreadPoolExecutor(1) as thread:
        answer = thread.submit(rabbit.requester().call, request())
        delivery = running.inbox.take_one()
        running.consumer.reply(delivery, Reply(True, ["no object"]))  # type: ignore[arg-type]
        with pytest.raises(InternalError):
            answer.result(PATIENCE)
        running.ack(delivery)


def test_a_request_that_the_broker_refuses_is_sent_again(direct: RabbitSettings) -> None:
    """It gives no confirm, or a bad one, while it elects a leader of the queue; without one the person would wait for nobody."""
    requester = RabbitRequester(direct)
    sent: list[_Call] = []

    def submit(call: _Call) -> None:
        sent.append(call)
        if len(sent) > 1:
            call.finish(Reply(True, {}))
            return
        call._session = Mock(progress=0)
        call._on_confirm(Mock(method=Mock(NAME="Basic.Nack")))

    requester._link = Mock(submit=submit)
    assert requester.call(request()).ok
    assert len(sent) == 2


def test_a_request_that_is_not_confirmed_in_time_says_that_the_broker_is_away(direct: RabbitSettings) -> None:
    requester = RabbitRequester(dataclasses.replace(direct, timeout=0.2))
    requester._link = Mock()
    with stopwatch() as watch, pytest.raises(BrokerUnavailable):
        requester.call(request())
    assert watch.seconds < PATIENCE / 2
