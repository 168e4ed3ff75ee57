"""What every broker does, in memory and for real."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from facerec.errors import DeadlineExceeded
from facerec.jobs import Reply, Request, ScanJob
from facerec.ports import QueueState
from facerec.topology import ABANDONED_QUEUE, DELIVERY_LIMIT, INTERACTIVE_QUEUE, SCAN_QUEUE
from tests.brokers import PATIENCE, Broker, request, scan_job, until
from tests.stopwatch import stopwatch


def test_job_arrives_as_it_was_sent(broker: Broker) -> None:
    job = scan_job(bytes(range(256)) * 100, name="Käthe & José/😀.jpg", ticket=(1 << 51) - 1)
    broker.publisher().publish(job)
    running = broker.run()
    delivery = running.inbox.take_one()
    assert delivery.queue == SCAN_QUEUE
    assert not delivery.redelivered
    assert ScanJob.from_message(delivery.headers, delivery.body) == scan_job(
        job.body, name=job.name, ticket=job.ticket, queued_at=float(f"{job.queued_at:.6f}")
    )
    running.ack(delivery)


def test_many_threads_publish_at_once_and_nothing_is_lost(broker: Broker) -> None:
    publisher = broker.publisher()
    with ThreadPoolExecutor(16) as threads:
        list(threads.map(lambda ticket: publisher.publish(scan_job(ticket=ticket)), range(1, 501)))
    running = broker.run(prefetch=100)
    tickets = set()
    for _ in range(10):
        deliveries = running.inbox.take(50)
        tickets.update(delivery.headers["ticket"] for delivery in deliveries)
        running.ack(*deliveries)
    assert tickets == set(range(1, 501))


def test_no_more_than_prefetch_is_held(broker: Broker) -> None:
    publisher = broker.publisher()
    for ticket in range(1, 6):
        publisher.publish(scan_job(ticket=ticket))
    running = broker.run(prefetch=3)
    held = running.inbox.take(3)
    assert running.inbox.stays_empty(0.3)
    running.ack(*held)
    assert len(running.inbox.take(2)) == 2


def test_acknowledged_job_does_not_come_again(broker: Broker) -> None:
    publisher = broker.publisher()
    publisher.publish(scan_job(ticket=1))
    publisher.publish(scan_job(ticket=2))
    first = broker.run()
    one, _two = first.inbox.take(2)
    first.ack(one)
    first.end()
    again = broker.run().inbox.take_one()
    assert (again.headers["ticket"], again.redelivered) == (2, True)


def test_acknowledgement_by_a_lost_connection_is_dropped_and_the_job_comes_again(broker: Broker) -> None:
    broker.publisher().publish(scan_job())
    running = broker.run()
    before = running.inbox.take_one()
    broker.cut()
    after = running.inbox.take_one()
    assert after.redelivered
    running.ack(before)
    running.ack(after)
    broker.publisher().publish(scan_job(ticket=2))
    assert running.inbox.take_one().headers["ticket"] == 2


def test_stopped_consumer_takes_nothing_and_still_acknowledges(broker: Broker) -> None:
    publisher = broker.publisher()
    publisher.publish(scan_job(ticket=1))
    first = broker.run()
    held = first.inbox.take_one()
    first.consumer.stop()
    until(lambda: not first.consumer.connected)
    publisher.publish(scan_job(ticket=2))
    assert first.inbox.stays_empty(0.2)
    first.ack(held)
    first.end()
    second = broker.run()
    assert second.inbox.take_one().headers["ticket"] == 2
    assert second.inbox.stays_empty(0.1)


def test_depth_counts_what_waits(broker: Broker) -> None:
    publisher = broker.publisher()
    publisher.ping()
    for ticket in range(1, 4):
        publisher.publish(scan_job(ticket=ticket))
    until(lambda: publisher.depth() == 3)


def test_the_state_of_the_queues_counts_jobs_wherever_they_wait_and_who_takes_them(broker: Broker) -> None:
    publisher = broker.publisher()
    assert publisher.queue_state() == QueueState(0, 0)
    publisher.publish(scan_job(ticket=1))
    publisher.retry(scan_job(ticket=2), 60)
    until(lambda: publisher.queue_state() == QueueState(2, 0))
    running = broker.run()
    held = running.inbox.take_one()
    until(lambda: publisher.queue_state() == QueueState(1, 1))
    running.ack(held)
    running.end()
    until(lambda: publisher.queue_state() == QueueState(1, 0))


@pytest.mark.parametrize("delay", [0.0, 0.4, 2.2])
def test_retry_comes_after_its_delay(broker: Broker, delay: float) -> None:
    running = broker.run()
    begin = time.monotonic()
    with stopwatch() as watch:
        broker.publisher().retry(scan_job(attempt=2), delay)
        delivery = running.inbox.take_one()
    assert delay <= time.monotonic() - begin
    assert watch.seconds < delay + 1.5
    assert delivery.queue == SCAN_QUEUE
    assert ScanJob.from_message(delivery.headers, delivery.body).attempt == 2


def test_long_wait_does_not_hold_up_a_short_one(broker: Broker) -> None:
    publisher = broker.publisher()
    publisher.retry(scan_job(ticket=1), 60)
    publisher.retry(scan_job(ticket=2), 0.1)
    assert broker.run().inbox.take_one(5).headers["ticket"] == 2


def test_job_delivered_too_often_is_abandoned(broker: Broker) -> None:
    broker.publisher().publish(scan_job())
    running = broker.run()
    for _ in range(DELIVERY_LIMIT + 1):
        assert running.inbox.take_one().queue == SCAN_QUEUE
        broker.cut()
    abandoned = running.inbox.take_one()
    assert abandoned.queue == ABANDONED_QUEUE
    assert ScanJob.from_message(abandoned.headers, abandoned.body).ticket == 1


@pytest.mark.parametrize("ticket", [1, 2**31 - 1, 2**31, 2**41])
def test_a_number_is_the_same_number_behind_the_broker_however_large(broker: Broker, ticket: int) -> None:
    broker.publisher().publish(scan_job(ticket=ticket))
    delivery = broker.run().inbox.take_one()
    assert repr(ScanJob.from_message(delivery.headers, delivery.body).ticket) == str(ticket)


def test_request_is_answered(broker: Broker) -> None:
    running = broker.run()
    with ThreadPoolExecutor(1) as thread:
        answer = thread.submit(broker.requester().call, request(b"probe"))
        delivery = running.inbox.take_one()
        assert delivery.queue == INTERACTIVE_QUEUE
        received = Request.from_message(delivery.headers, delivery.body, 0.0)
        assert received.body == b"probe"
        assert 0 < received.deadline <= PATIENCE
        assert running.consumer.is_awaited(delivery)
        running.consumer.reply(delivery, Reply(True, {"faces": [{"x": 1.5}], "name": "é"}))
        running.ack(delivery)
        assert answer.result(PATIENCE) == Reply(True, {"faces": [{"x": 1.5}], "name": "é"})


def test_many_requests_get_each_its_own_answer(broker: Broker) -> None:
    running = broker.run(interactive_prefetch=20)
    requester = broker.requester()
    with ThreadPoolExecutor(20) as threads:
        bodies = [str(number).encode() for number in range(60)]
        answers = [threads.submit(requester.call, request(body)) for body in bodies]
        for _ in bodies:
            delivery = running.inbox.take_one()
            running.consumer.reply(delivery, Reply(False, {"code": "X", "reason": delivery.body.decode()}))
            running.ack(delivery)
        assert [answer.result(PATIENCE).document["reason"].encode() for answer in answers] == bodies


def test_requests_do_not_wait_behind_jobs(broker: Broker) -> None:
    publisher = broker.publisher()
    for ticket in range(1, 20):
        publisher.publish(scan_job(ticket=ticket))
    running = broker.run(prefetch=2)
    running.inbox.take(2)
    with ThreadPoolExecutor(1) as thread:
        answer = thread.submit(broker.requester().call, request())
        delivery = running.inbox.take_one()
        running.consumer.reply(delivery, Reply(True, {}))
        assert answer.result(PATIENCE).ok


def test_request_that_nobody_answers_ends_with_its_deadline(broker: Broker) -> None:
    begin = time.monotonic()
    with stopwatch() as watch, pytest.raises(DeadlineExceeded):
        broker.requester().call(request(seconds=0.6))
    assert time.monotonic() - begin > 0.5
    assert watch.seconds < 1.5
    assert broker.run().inbox.stays_empty(0.3), "the broker drops a request whose time is over"


def test_request_without_time_is_not_sent(broker: Broker) -> None:
    with pytest.raises(DeadlineExceeded):
        broker.requester().call(request(seconds=-1))


def test_withdrawn_request_is_not_awaited(broker: Broker) -> None:
    running = broker.run()
    gone = threading.Event()
    with ThreadPoolExecutor(1) as thread:
        answer = thread.submit(broker.requester().call, request(), gone.is_set)
        delivery = running.inbox.take_one()
        assert running.consumer.is_awaited(delivery)
        gone.set()
        with pytest.raises(DeadlineExceeded):
            answer.result(PATIENCE)
    until(lambda: not running.consumer.is_awaited(delivery))
    running.consumer.reply(delivery, Reply(True, {}))
    running.ack(delivery)


def test_consumer_ends_and_its_thread_too(broker: Broker) -> None:
    running = broker.run()
    running.end()
    assert running.error is None
    assert not running.consumer.connected
