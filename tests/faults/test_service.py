"""Faults of the whole service that are not tied to a step: hostile messages, duplicates, alarms, deleted queues, kill -9."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from facerec.adapters.rabbitmq import RabbitDeadLetters, RabbitJobPublisher
from facerec.adapters.redis import RedisDatabases, RedisWorkers
from facerec.adapters.redis.layout import FACES, HASH_TO_NAMES, OWN
from facerec.config import RabbitSettings, RedisSettings
from facerec.jobs import ScanJob
from facerec.local.servers import RabbitServer, RedisServer
from facerec.topology import SCAN_QUEUE
from tests.client import wait_until
from tests.conftest import own_servers, rabbit_settings_of, redis_settings_of
from tests.drawings import drawing, showing
from tests.stack import Stack, own_stack

QUICK = {"ENGINE": "fake", "WORKERS": "1", "RETRY_BASE": "0.1", "RABBITMQ_TIMEOUT": "2", "REDIS_TIMEOUT": "2"}


@pytest.fixture(scope="module")
def whole_stack(rabbit_server: RabbitServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with own_stack(rabbit_server, tmp_path_factory.mktemp("stack"), **QUICK) as running:
        yield running


@pytest.fixture
def stack(whole_stack: Stack) -> Stack:
    whole_stack.empty()
    return whole_stack


class _NoJob(ScanJob):
    """A message with headers that are no job's."""

    __slots__ = ()

    @property
    def headers(self) -> dict[str, object]:
        return {"facerec-version": 1, "owner": "../../etc", "hash": "x", "ticket": -1}


def test_a_hostile_message_ends_among_the_dead_and_its_neighbours_do_not(stack: Stack) -> None:
    publisher, letters = RabbitJobPublisher(stack.rabbit), RabbitDeadLetters(stack.rabbit)
    neighbours = [stack.scan(drawing(), f"{n}.png") for n in range(5)]
    publisher.publish(_NoJob("default", "x", "x", 1, 0.0, b"\x80\x04\x95 no picture and no pickle"))
    neighbours += [stack.scan(drawing(), f"{n}.png") for n in range(5, 10)]
    assert set(stack.wait_ended(neighbours).values()) == {"done"}
    wait_until(lambda: letters.count() == 1, "it lies among the dead letters")
    (letter,) = letters.list(10)
    assert letter.code == "MALFORMED_JOB"
    publisher.close()


def test_a_body_that_is_not_what_its_hash_says_is_refused(stack: Stack) -> None:
    publisher, letters = RabbitJobPublisher(stack.rabbit), RabbitDeadLetters(stack.rabbit)
    publisher.publish(ScanJob("default", "0" * 64, "a.png", 7, 0.0, drawing()))
    wait_until(lambda: letters.count() == 1, "it lies among the dead letters")
    assert stack.session.get(f"{stack.url}/images/{'0' * 64}", timeout=30).status_code == 404
    publisher.close()


def test_a_message_that_comes_twice_is_done_once(stack: Stack) -> None:
    databases = RedisDatabases(stack.redis)
    body = showing("ann")
    image_hash = stack.scan(body, "a.png")
    stack.wait_ended([image_hash])
    publisher = RabbitJobPublisher(stack.rabbit)
    job = ScanJob(
        "default", image_hash, "a.png", int(databases.client(OWN).hget(f"image:{image_hash}", "ticket")), 0.0, body
    )
    for _ in range(3):
        publisher.publish(job)
    wait_until(lambda: publisher.depth() == 0, "all are taken")
    last = stack.scan(drawing(), "last.png")
    stack.wait_ended([last])
    assert stack.image(image_hash)["attempts"] == 1
    assert databases.client(FACES).llen(image_hash) == 1
    assert databases.client(HASH_TO_NAMES).smembers(image_hash) == {b"a.png"}
    publisher.close()
    databases.close()


@pytest.mark.parametrize(
    ("text", "code"), [(b"BROKEN", "UNREADABLE_IMAGE"), (b"CRASH", "CHILD_DIED"), (b"HANG", "TIME_LIMIT")]
)
def test_a_picture_that_breaks_the_engine_fails_with_its_reason_and_can_be_seen(
    redis_settings: RedisSettings, rabbit_settings: RabbitSettings, tmp_path: Path, text: bytes, code: str
) -> None:
    with Stack(redis_settings, rabbit_settings, tmp_path, **QUICK, JOB_TIME_LIMIT="1") as stack:
        bad, good = stack.scan(drawing(text), "bad.png"), stack.scan(drawing(), "good.png")
        assert stack.wait_ended([bad, good]) == {bad: "failed", good: "done"}
        assert stack.image(bad)["reason"] == code
        # A job is noted as failed before it is laid to the dead letters, which this worker has yet to do.
        letters = RabbitDeadLetters(rabbit_settings)
        wait_until(lambda: letters.count() == 1, "it lies among the dead letters", stack.log_tails)
        assert [(letter.hash, letter.code) for letter in letters.list(10)] == [(bad, code)]


class OwnServers:
    """Servers that a test of this module may harm, and a stack on them."""

    def __init__(self, redis: RedisServer, rabbit: RabbitServer) -> None:
        self.redis, self.rabbit = redis, rabbit

    def stack(self, folder: Path, workers: int = 1, **environment: str) -> Stack:
        redis, rabbit = redis_settings_of(self.redis), rabbit_settings_of(self.rabbit)
        return Stack(redis, rabbit, folder, workers=workers, **{**QUICK, **environment})


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnServers]:
    with own_servers(tmp_path_factory.mktemp("servers")) as (redis, rabbit):
        yield OwnServers(redis, rabbit)


def test_with_a_memory_alarm_nothing_is_accepted_and_everything_goes_on_afterwards(
    servers: OwnServers, tmp_path: Path
) -> None:
    with servers.stack(tmp_path) as stack:
        before = stack.scan(drawing(), "before.png")
        with servers.rabbit.memory_alarm():
            wait_until(lambda: stack.post(drawing(), "during.png").status_code == 503, "refused")
            refused = stack.post(drawing(), "during.png")
            assert (refused.status_code, refused.json()["code"]) == (503, "SERVICE_UNAVAILABLE")
            assert int(refused.headers["Retry-After"]) > 0
        wait_until(lambda: stack.post(drawing(), "after.png").status_code == 202, "accepted again")
        after = stack.scan(drawing(), "later.png")
        assert set(stack.wait_ended([before, after]).values()) == {"done"}


def test_a_queue_deleted_under_the_consumer_comes_back_and_what_was_in_it_does_not_wait_for_ever(
    servers: OwnServers, tmp_path: Path
) -> None:
    with servers.stack(tmp_path, workers=0, LOST_AFTER="2") as stack:
        lost = [stack.scan(drawing(), f"{n}.png") for n in range(5)]
        servers.rabbit.delete_queue(SCAN_QUEUE)
        stack.start_worker()
        kept = stack.scan(drawing(), "kept.png")
        assert stack.wait_ended([kept])[kept] == "done"
        assert set(stack.wait_ended(lost).values()) == {"failed"}
        assert {stack.image(image_hash)["reason"] for image_hash in lost} == {"JOB_LOST"}
        assert stack.wait_ended([stack.scan(drawing(), "again.png")]).popitem()[1] == "done"


def test_jobs_in_a_worker_that_stands_still_are_not_called_lost(servers: OwnServers, tmp_path: Path) -> None:
    """The broker holds them unacknowledged, nobody claims them, and another worker looks."""
    with servers.stack(tmp_path, workers=2, LOST_AFTER="2", LOG_LEVEL="debug") as stack:
        still, looking = stack.workers
        with closing(RedisDatabases(stack.redis)) as databases:
            states = RedisWorkers(databases).workers
            wait_until(lambda: [state["consuming"] for state in states().values()] == [True, True], "both take jobs")
        still.send(signal.SIGSTOP)
        jobs = [stack.scan(drawing(), f"{n}.png") for n in range(8)]
        wait_until(
            lambda: looking.log.read_text().count("not looking for lost jobs") > 8, "it looked for twice as long"
        )
        assert {stack.image(image_hash)["state"] for image_hash in jobs} == {"queued", "done"}
        still.send(signal.SIGCONT)
        assert set(stack.wait_ended(jobs).values()) == {"done"}


def test_what_redis_has_acknowledged_survives_kill_minus_nine(servers: OwnServers, tmp_path: Path) -> None:
    with servers.stack(tmp_path) as stack:
        hashes = [stack.scan(showing("bob"), f"{n}.png") for n in range(20)]
        stack.wait_ended(hashes)
        # Faces are grouped into persons a little after their pictures are done.
        wait_until(lambda: all(stack.image(each)["faces"][0]["person"] for each in hashes), "grouped")
        before = {image_hash: stack.image(image_hash) for image_hash in hashes}
        servers.redis.kill()
        servers.redis.start()
        wait_until(lambda: stack.readiness()["parts"]["redis"]["ok"], "Redis is back")
        assert {image_hash: stack.image(image_hash) for image_hash in hashes} == before
        more = stack.scan(showing("bob"), "more.png")
        stack.wait_ended([more])
        assert len(stack.match(more)) == 20
