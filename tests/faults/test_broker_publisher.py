"""The publisher when network and broker fail. A job is either confirmed or refused, in time, and the next one has its chance."""

from __future__ import annotations

import dataclasses
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pika
import pytest

from facerec.adapters.rabbitmq import RabbitJobPublisher
from facerec.adapters.rabbitmq.confirms import Message, Publish
from facerec.adapters.rabbitmq.connection import connection_parameters
from facerec.adapters.rabbitmq.errors import Unroutable, too_slow
from facerec.adapters.rabbitmq.link import Link
from facerec.adapters.rabbitmq.session import UNSENT
from facerec.config import RabbitSettings
from facerec.errors import BrokerUnavailable
from facerec.jobs import ScanJob
from facerec.local.servers import RabbitServer
from facerec.topology import DEAD_QUEUE, SCAN_QUEUE, WORK_EXCHANGE
from facerec.values import Secret
from tests.brokers import PATIENCE, TIMEOUT, OverRabbit, scan_job, until
from tests.stopwatch import stopwatch


def count(settings: RabbitSettings, queue: str = SCAN_QUEUE) -> int:
    with pika.BlockingConnection(connection_parameters(settings, "test")) as connection:
        return int(connection.channel().queue_declare(queue, passive=True).method.message_count)


def on_channel(
    settings: RabbitSettings, action: Callable[[pika.adapters.blocking_connection.BlockingChannel], object]
) -> None:
    with pika.BlockingConnection(connection_parameters(settings, "test")) as connection:
        action(connection.channel())


def refused_within(publisher: RabbitJobPublisher, seconds: float) -> BrokerUnavailable:
    with stopwatch() as watch, pytest.raises(BrokerUnavailable) as caught:
        publisher.publish(scan_job())
    assert watch.seconds < seconds
    return caught.value


def test_down_is_told_at_once_and_up_again_needs_nothing_new(rabbit: OverRabbit, direct: RabbitSettings) -> None:
    rabbit.proxy.down()
    publisher = rabbit.publisher()
    error = refused_within(publisher, 1.0)
    assert error.retry_after > 0
    assert "refused" in error.reason
    with pytest.raises(BrokerUnavailable):
        publisher.ping()
    rabbit.proxy.up()
    publisher.publish(scan_job())
    assert count(direct) == 1
    until(lambda: _answers(publisher))


def _answers(publisher: RabbitJobPublisher) -> bool:
    try:
        publisher.ping()
    except BrokerUnavailable:
        return False
    return True


def test_idle_connection_cut(rabbit: OverRabbit, direct: RabbitSettings) -> None:
    """A router forgot the connection: the next job goes by a new one, and nobody notices."""
    publisher = rabbit.publisher()
    publisher.publish(scan_job(ticket=1))
    assert rabbit.proxy.cut() == 1
    publisher.publish(scan_job(ticket=2))
    assert count(direct) == 2


@pytest.mark.parametrize("way", ["upstream", "downstream"])
def test_black_hole(rabbit: OverRabbit, way: str) -> None:
    """Nothing arrives any more, or no confirm does: refused in time, and the dead connection is not used again."""
    publisher = rabbit.publisher()
    publisher.publish(scan_job(ticket=1))
    with rabbit.proxy.black_hole(**{way: True}):
        refused_within(publisher, TIMEOUT + 1)
    publisher.publish(scan_job(ticket=3))


def test_black_hole_while_connecting(rabbit: OverRabbit) -> None:
    publisher = rabbit.publisher()
    with rabbit.proxy.black_hole(upstream=True, downstream=True):
        refused_within(publisher, TIMEOUT + 1)
    publisher.publish(scan_job())


def test_slow_network(rabbit: OverRabbit, direct: RabbitSettings) -> None:
    publisher = rabbit.publisher()
    publisher.publish(scan_job(ticket=1))
    with rabbit.proxy.slow(0.3):
        publisher.publish(scan_job(os.urandom(300_000), ticket=2))
    assert count(direct) == 2


def test_connections_cut_again_and_again_lose_no_confirmed_job(rabbit: OverRabbit) -> None:
    publisher = rabbit.publisher()
    confirmed: list[int] = []

    def publish(ticket: int) -> None:
        try:
            publisher.publish(scan_job(ticket=ticket))
        except BrokerUnavailable:
            return
        confirmed.append(ticket)

    with ThreadPoolExecutor(8) as threads:
        jobs = [threads.submit(publish, ticket) for ticket in range(1, 2001)]
        for share in range(1, 10):
            until(lambda share=share: len(confirmed) > 150 * share or all(job.done() for job in jobs))  # type: ignore[misc]
            rabbit.proxy.cut()
    running = rabbit.run(prefetch=500)
    missing = set(confirmed)
    assert missing
    while missing:
        delivery = running.inbox.take_one()
        missing.discard(delivery.headers["ticket"])
        running.ack(delivery)


def test_queue_deleted_is_declared_again(rabbit: OverRabbit, direct: RabbitSettings) -> None:
    publisher = rabbit.publisher()
    publisher.publish(scan_job(ticket=1))
    on_channel(direct, lambda channel: channel.queue_delete(SCAN_QUEUE))
    publisher.publish(scan_job(ticket=2))
    assert count(direct) == 1
    on_channel(direct, lambda channel: channel.exchange_delete(WORK_EXCHANGE))
    publisher.publish(scan_job(ticket=3))
    assert count(direct) == 2


def write_down_a_dead_leader(server: RabbitServer) -> None:
    """Have the register say that a node which is away leads the scan queue, as it does from a leader's death until the others
    have written down whom they elected. The queue puts it right by itself within five seconds."""
    queue = f'rabbit_misc:r(<<"/">>, queue, <<"{SCAN_QUEUE}">>)'
    move = "fun(Q) -> {Name, _} = amqqueue:get_pid(Q), amqqueue:set_pid(Q, {Name, 'dead@localhost'}) end"
    server.ctl("eval", f"rabbit_misc:execute_mnesia_transaction(fun() -> rabbit_amqqueue:update({queue}, {move}) end).")


def test_a_leader_that_is_dead_when_a_channel_is_new(rabbit: OverRabbit, rabbit_server: RabbitServer) -> None:
    """RabbitMQ 3.10 refuses whatever comes by a channel that met a dead leader first, although another one leads since."""
    if not rabbit_server.ctl("version").startswith("3.10."):
        pytest.skip("a fault of RabbitMQ 3.10")

    def refused(publisher: RabbitJobPublisher) -> bool:
        publisher.ping()
        write_down_a_dead_leader(rabbit_server)
        return not _publishes(publisher)

    # The register may be put right in between; a channel that published once is not deceived any more.
    publisher = next(publisher for publisher in (rabbit.publisher() for _ in range(10)) if refused(publisher))
    until(lambda: _publishes(publisher))


def test_depth_of_a_deleted_queue(rabbit: OverRabbit, direct: RabbitSettings) -> None:
    on_channel(direct, lambda channel: channel.queue_delete(SCAN_QUEUE))
    assert rabbit.publisher().depth() == 0


def test_unroutable_message_is_refused(direct: RabbitSettings) -> None:
    link = Link(direct, "test")
    nowhere = Message(WORK_EXCHANGE, "nowhere", pika.BasicProperties(message_id="1"), b"")
    somewhere = Message(WORK_EXCHANGE, "scan", pika.BasicProperties(message_id="1"), b"")
    for message, routed in ((nowhere, False), (somewhere, True), (nowhere, False)):
        if routed:
            link.call(Publish(message), time.monotonic() + TIMEOUT)
        else:
            with pytest.raises(Unroutable):
                link.call(Publish(message), time.monotonic() + TIMEOUT)
    link.close()


def test_what_the_broker_takes_too_slowly_is_refused_before_it_fills_the_memory(rabbit: OverRabbit) -> None:
    publisher = rabbit.publisher()
    publisher.ping()
    jobs = [dataclasses.replace(scan_job(ticket=ticket), body=bytes(8_000_000)) for ticket in range(12)]

    def refusal(job: ScanJob) -> str:
        try:
            publisher.publish(job)
        except BrokerUnavailable as error:
            return error.reason
        return ""

    with rabbit.proxy.slow(0.005), ThreadPoolExecutor(len(jobs)) as threads:
        reasons = list(threads.map(refusal, jobs))
    refused = reasons.count(too_slow().reason)
    # Another is begun while no more than UNSENT bytes wait.
    assert refused >= len(jobs) - UNSENT // 8_000_000 - 1
    until(lambda: _publishes(publisher))


def test_memory_alarm(rabbit: OverRabbit, direct: RabbitSettings, rabbit_server: RabbitServer) -> None:
    """The broker stops reading: nothing is confirmed, everybody is told at once; afterwards everything goes on."""
    publisher, late = rabbit.publisher(), rabbit.publisher()
    publisher.publish(scan_job(ticket=1))
    with rabbit_server.memory_alarm():
        with ThreadPoolExecutor(4) as threads:
            jobs = [threads.submit(publisher.publish, scan_job(ticket=ticket)) for ticket in range(2, 6)]
            errors = [job.exception(TIMEOUT + 1) for job in jobs]
        assert all(isinstance(error, BrokerUnavailable) for error in errors)
        error = refused_within(publisher, 0.5)
        assert "memory" in error.reason
        assert error.retry_after >= 5
        with pytest.raises(BrokerUnavailable):
            publisher.ping()
        refused_within(late, TIMEOUT + 1)
    until(lambda: _publishes(publisher) and _publishes(late))


def _publishes(publisher: RabbitJobPublisher) -> bool:
    try:
        publisher.publish(scan_job(ticket=9))
    except BrokerUnavailable:
        return False
    return True


def test_broker_restarts(rabbit: OverRabbit, direct: RabbitSettings, rabbit_server: RabbitServer) -> None:
    """What was confirmed is there afterwards; publisher and consumer go on by themselves."""
    publisher = rabbit.publisher()
    running = rabbit.run()
    publisher.publish(scan_job(ticket=1))
    running.inbox.take_one()
    publisher.bury({}, b"x", "X", "kept")
    rabbit_server.stop_app()
    refused_within(publisher, TIMEOUT + 1)
    assert not running.consumer.connected
    rabbit_server.start_app()
    until(lambda: _publishes(publisher))
    assert [delivery.headers["ticket"] for delivery in running.inbox.take(2)] == [1, 9]
    assert count(direct, DEAD_QUEUE) == 1


def test_wrong_password_is_named(direct: RabbitSettings) -> None:
    publisher = RabbitJobPublisher(dataclasses.replace(direct, password=Secret("wrong")))
    assert "refused the user or the password" in refused_within(publisher, TIMEOUT + 1).reason
    publisher.close()


def test_wrong_virtual_host_is_named(direct: RabbitSettings) -> None:
    publisher = RabbitJobPublisher(dataclasses.replace(direct, vhost="/nowhere"))
    assert "nowhere" in refused_within(publisher, TIMEOUT + 1).reason
    publisher.close()


def test_unknown_host_is_named(direct: RabbitSettings) -> None:
    publisher = RabbitJobPublisher(dataclasses.replace(direct, host="broker.invalid"))
    assert "not available" in refused_within(publisher, TIMEOUT + 1).reason
    publisher.close()


def test_queue_with_other_arguments_is_named(rabbit: OverRabbit, direct: RabbitSettings) -> None:
    def replace(channel: pika.adapters.blocking_connection.BlockingChannel) -> None:
        channel.queue_delete(SCAN_QUEUE)
        channel.queue_declare(SCAN_QUEUE, durable=True)

    on_channel(direct, replace)
    publisher = rabbit.publisher()
    assert SCAN_QUEUE in refused_within(publisher, TIMEOUT).reason
    on_channel(direct, lambda channel: channel.queue_delete(SCAN_QUEUE))
    publisher.publish(scan_job())


def test_forked_child_makes_its_own_connection(rabbit: OverRabbit, direct: RabbitSettings) -> None:
    """gunicorn forks; a child must not write to its parent's socket."""
    publisher = rabbit.publisher()
    publisher.publish(scan_job(ticket=1))
    child = os.fork()
    if child == 0:
        try:
            publisher.publish(scan_job(ticket=2))
            os._exit(0)
        finally:
            os._exit(1)
    _pid, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    publisher.publish(scan_job(ticket=3))
    assert count(direct) == 3


def test_close_waits_for_confirms_and_then_refuses(rabbit: OverRabbit, direct: RabbitSettings) -> None:
    publisher = rabbit.publisher()
    publisher.publish(scan_job(ticket=1))
    with rabbit.proxy.slow(0.3), ThreadPoolExecutor(1) as thread:
        sending = threading.Event()

        def publish() -> None:
            sending.set()
            publisher.publish(scan_job(ticket=2))

        job = thread.submit(publish)
        sending.wait(PATIENCE)
        until(lambda: bool(publisher._link._running and publisher._link._running._begun))
        publisher.close()
        job.result(PATIENCE)
    assert count(direct) == 2
    with pytest.raises(BrokerUnavailable):
        publisher.publish(scan_job(ticket=3))
