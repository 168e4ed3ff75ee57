"""The consumer when network and broker fail: it comes back by itself, and what was not acknowledged comes again."""

from __future__ import annotations

import dataclasses
from concurrent.futures import ThreadPoolExecutor

import pika
import pytest

from facerec.adapters.rabbitmq import RabbitConsumer, subscription
from facerec.adapters.rabbitmq.connection import connection_parameters
from facerec.adapters.rabbitmq.subscription import Lane
from facerec.config import RabbitSettings
from facerec.errors import ConfigError, MalformedJob
from facerec.jobs import Reply, ScanJob
from facerec.ports import Delivery
from facerec.topology import INTERACTIVE_QUEUE, SCAN_KEY, SCAN_QUEUE, WORK_EXCHANGE
from tests.brokers import PATIENCE, OverRabbit, Running, request, scan_job, until
from tests.stopwatch import stopwatch

HEARTBEAT_ENDS = 15.0
"""pika looks five seconds after the heartbeat of one second, RabbitMQ after two."""


def connection_to(settings: RabbitSettings) -> pika.BlockingConnection:
    return pika.BlockingConnection(connection_parameters(settings, "test"))


def test_down_at_start_and_up_later(rabbit: OverRabbit) -> None:
    rabbit.proxy.down()
    running = Running(rabbit.consumer(10, 1))
    try:
        assert running.inbox.stays_empty(0.5)
        rabbit.proxy.up()
        rabbit.publisher().publish(scan_job())
        running.ack(running.inbox.take_one())
    finally:
        running.end()


@pytest.mark.parametrize("way", ["upstream", "downstream"])
def test_black_hole_is_found_by_the_heartbeat(rabbit: OverRabbit, way: str) -> None:
    """Upstream, the broker hears no heartbeat and closes; downstream, we hear none. Nobody can send goodbye."""
    publisher = rabbit.publisher()
    publisher.publish(scan_job())
    running = rabbit.run()
    held = running.inbox.take_one()
    with rabbit.proxy.black_hole(**{way: True}):
        until(lambda: not running.consumer.connected, HEARTBEAT_ENDS)
    again = running.inbox.take_one()
    assert again.redelivered
    running.ack(held)
    running.ack(again)
    publisher.publish(scan_job(ticket=2))
    assert running.inbox.take_one().headers["ticket"] == 2


def test_heartbeat_is_kept_while_a_job_takes_long(rabbit: OverRabbit) -> None:
    rabbit.publisher().publish(scan_job())
    running = rabbit.run()
    held = running.inbox.take_one()
    assert running.inbox.stays_empty(5), "a broken heartbeat would deliver it again"
    running.ack(held)
    running.end()
    assert rabbit.run().inbox.stays_empty(0.3)


def test_queue_deleted_under_the_consumer(
    rabbit: OverRabbit, direct: RabbitSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subscription, "RENEW_AFTER", 1.0)
    running = rabbit.run()
    with connection_to(direct) as connection:
        connection.channel().queue_delete(SCAN_QUEUE)
    rabbit.publisher().publish(scan_job())
    running.ack(running.inbox.take_one())
    until(lambda: running.consumer.connected)


def test_idle_consumer_subscribes_anew(rabbit: OverRabbit, monkeypatch: pytest.MonkeyPatch) -> None:
    """For the case that RabbitMQ deleted the queue and did not tell."""
    monkeypatch.setattr(subscription, "RENEW_AFTER", 0.2)
    running = rabbit.run()
    rabbit.publisher().publish(scan_job(ticket=1))
    first = running.inbox.take_one()
    rabbit.publisher().publish(scan_job(ticket=2))
    assert running.inbox.take_one().token.lane is first.token.lane
    running.end()
    running = rabbit.run()
    lanes = {delivery.token.lane for delivery in running.inbox.take(2)}
    assert running.inbox.stays_empty(1.0), "nothing is given back while it is held"
    lane = lanes.pop()
    lane.intake.post(lambda: lane.acknowledge([1, 2]))
    until(lambda: not lane.channel.is_open)
    rabbit.publisher().publish(scan_job(ticket=3))
    assert running.inbox.take_one().headers["ticket"] == 3


def test_channel_closed_by_the_broker_leaves_the_others_alone(rabbit: OverRabbit) -> None:
    """Here for an acknowledgement of something that was never delivered; an over-long job has the same effect."""
    rabbit.publisher().publish(scan_job())
    running = rabbit.run()
    job = running.inbox.take_one()
    lane: Lane = job.token.lane
    lane.intake.post(lambda: lane.channel.basic_ack(999))
    again = running.inbox.take_one()
    assert again.redelivered
    running.ack(again)
    assert again.token.intake is lane.intake, "the connection has stayed"


def test_acknowledged_just_before_the_end_is_not_delivered_again(rabbit: OverRabbit) -> None:
    publisher = rabbit.publisher()
    for ticket in range(1, 101):
        publisher.publish(scan_job(ticket=ticket))
    running = rabbit.run(prefetch=100)
    held = running.inbox.take(100)
    running.consumer.stop()
    running.ack(*held)
    running.consumer.close()
    running.join()
    assert rabbit.run().inbox.stays_empty(0.5)


def test_end_while_the_broker_is_away(rabbit: OverRabbit) -> None:
    running = rabbit.run()
    rabbit.proxy.down()
    until(lambda: not running.consumer.connected)
    with stopwatch() as watch:
        running.end()
    assert watch.seconds < 2


def test_end_in_a_black_hole(rabbit: OverRabbit) -> None:
    running = rabbit.run()
    with rabbit.proxy.black_hole(upstream=True, downstream=True):
        running.end()


def test_stopped_while_the_broker_is_away_consumes_no_more(rabbit: OverRabbit) -> None:
    running = rabbit.run()
    rabbit.proxy.down()
    until(lambda: not running.consumer.connected)
    running.consumer.stop()
    rabbit.proxy.up()
    rabbit.publisher().publish(scan_job())
    assert running.inbox.stays_empty(1.0)


def test_message_that_is_no_job_is_handed_over_and_does_no_harm(rabbit: OverRabbit, direct: RabbitSettings) -> None:
    odd = [
        pika.BasicProperties(),
        pika.BasicProperties(headers={"hash": 7, "facerec-version": [1, {"a": b"\xff"}]}, content_type="x"),
        pika.BasicProperties(headers={"facerec-version": 999}),
    ]
    with connection_to(direct) as connection:
        for properties in odd:
            connection.channel().basic_publish(WORK_EXCHANGE, SCAN_KEY, b"\x00" * 10, properties)
    running = rabbit.run()
    for delivery in running.inbox.take(len(odd)):
        with pytest.raises(MalformedJob):
            ScanJob.from_message(delivery.headers, delivery.body)
        rabbit.publisher().bury(delivery.headers, delivery.body, "MALFORMED_JOB", "no job")
        running.ack(delivery)
    until(lambda: rabbit.dead_letters().count() == len(odd))


def test_queue_with_other_arguments_ends_the_consumer_with_a_clear_error(
    rabbit: OverRabbit, direct: RabbitSettings
) -> None:
    with connection_to(direct) as connection:
        channel = connection.channel()
        channel.queue_delete(INTERACTIVE_QUEUE)
        channel.queue_declare(INTERACTIVE_QUEUE, durable=True)
    with pytest.raises(ConfigError, match=INTERACTIVE_QUEUE):
        RabbitConsumer(rabbit.settings, 1).run(lambda _delivery: None)
    with connection_to(direct) as connection:
        connection.channel().queue_delete(INTERACTIVE_QUEUE)


def test_fault_in_the_handler_is_not_swallowed(rabbit: OverRabbit) -> None:
    def fail(_delivery: Delivery) -> None:
        raise ZeroDivisionError

    rabbit.publisher().publish(scan_job())
    running = Running(rabbit.consumer(1, 1), fail)
    running.join()
    assert isinstance(running.error, ZeroDivisionError)
    assert rabbit.run().inbox.take_one().redelivered


def test_answer_for_a_lost_connection_is_dropped(rabbit: OverRabbit) -> None:
    rabbit.publisher().publish(scan_job())
    running = rabbit.run()
    delivery = dataclasses.replace(running.inbox.take_one(), reply_to="amq.rabbitmq.reply-to.x")
    rabbit.proxy.cut()
    running.inbox.take_one()
    running.consumer.reply(delivery, Reply(True, {}))
    assert not running.consumer.is_awaited(delivery)


def test_made_up_reply_address_does_no_harm(rabbit: OverRabbit) -> None:
    rabbit.publisher().publish(scan_job())
    running = rabbit.run()
    delivery = running.inbox.take_one()
    for address in ("nowhere", "amq.rabbitmq.reply-to.g2dkABFy", "x" * 255):
        odd = dataclasses.replace(delivery, reply_to=address)
        assert not running.consumer.is_awaited(odd)
        running.consumer.reply(odd, Reply(True, {}))
    running.ack(delivery)
    rabbit.publisher().publish(scan_job(ticket=2))
    assert running.inbox.take_one().headers["ticket"] == 2


def test_request_is_sent_again_when_the_connection_is_lost(rabbit: OverRabbit) -> None:
    running = rabbit.run()
    with ThreadPoolExecutor(1) as thread:
        answer = thread.submit(rabbit.requester().call, request())
        running.inbox.take_one()
        rabbit.proxy.cut()
        while not answer.done():
            delivery = running.inbox.take_one()
            if running.consumer.is_awaited(delivery):
                running.consumer.reply(delivery, Reply(True, {"n": 1}))
                assert answer.result(PATIENCE).ok
            running.ack(delivery)
