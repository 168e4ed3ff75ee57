"""Dead letters and the bytes in them, on real servers: each is found by its image, and an erased image leaves nothing."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from typing import Any

import pika
import pytest

from facerec.adapters.rabbitmq import RabbitDeadLetters, RabbitJobPublisher
from facerec.adapters.rabbitmq.connection import connection_parameters
from facerec.adapters.redis import RedisAdmissions, RedisDatabases, RedisLetterIndex
from facerec.config import RabbitSettings
from facerec.identity import image_hash
from facerec.jobs import ScanJob
from facerec.letters import buried_headers, dead_letter
from facerec.local.servers import RabbitServer
from facerec.services.dead import LetterBox
from facerec.topology import DEAD_QUEUE, queues
from tests.client import wait_until
from tests.drawings import drawing
from tests.stack import Stack, own_stack

QUICK = {"ENGINE": "fake", "WORKERS": "1", "ATTEMPTS": "1", "JOB_TIME_LIMIT": "2"}


class Place:
    """A running service with its servers, and what lies where in them."""

    def __init__(self, stack: Stack, rabbit: RabbitSettings, databases: RedisDatabases) -> None:
        self.stack = stack
        self.rabbit = rabbit
        self.databases = databases
        self.box = RabbitDeadLetters(rabbit)
        self.letters = LetterBox(self.box, RedisLetterIndex(databases))

    def call(self, method: str, path: str, status: int = 200, **more: Any) -> Any:
        answer = self.stack.session.request(method, self.stack.url + path, timeout=60, **more)
        assert answer.status_code == status, answer.text
        return answer.json()

    def dead(self) -> list[str]:
        return [letter["hash"] for letter in self.call("GET", "/dead")["results"]]

    def erase(self, image: str) -> int:
        return int(self.call("DELETE", f"/images/{image}")["dead_letters"])

    def fail(self, text: bytes = b"BROKEN") -> tuple[str, bytes]:
        body = drawing(text)
        image = self.stack.scan(body, "a.png")
        assert self.stack.wait_ended([image]) == {image: "failed"}
        wait_until(lambda: self.box.count() > 0, "its letter is there")
        return image, body

    def lay(self, body: bytes) -> str:
        """A letter of a job that an earlier release gave up: it is noted nowhere."""
        image = image_hash(body)
        ticket = RedisAdmissions(self.databases).announce("default", image, "a.png", 0.0).ticket
        publisher = RabbitJobPublisher(self.rabbit)
        job = ScanJob("default", image, "a.png", ticket, 0.0, body)
        publisher.bury(job.headers, job.body, "CHILD_DIED", "it died")
        publisher.close()
        wait_until(lambda: self.box.count() > 0, "it is there")
        return image

    @contextmanager
    def channel(self) -> Iterator[Any]:
        with pika.BlockingConnection(connection_parameters(self.rabbit, "test", 5.0)) as connection:
            yield connection.channel()

    def holders_of(self, body: bytes) -> list[str]:
        """Whatever holds the bytes: queues, keys, files."""
        found = [
            f"file {path}"
            for path in self.stack.folder.glob("images/**/*")
            if path.is_file() and body in path.read_bytes()
        ]
        for queue in queues():
            with self.channel() as channel:
                while (taken := channel.basic_get(queue.name))[0] is not None:
                    found += [f"queue {queue.name}"] if body in taken[2] else []
        for database in range(7):
            client = self.databases.client(database)
            found += [f"key {key}" for key in client.scan_iter() if body[:40] in client.dump(key)]
        return found


@pytest.fixture(scope="module")
def whole_place(rabbit_server: RabbitServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("dead")
    with (
        own_stack(rabbit_server, folder, **QUICK, IMAGE_STORE=f"file://{folder}/images") as stack,
        closing(RedisDatabases(stack.redis)) as databases,
    ):
        yield Place(stack, stack.rabbit, databases)


@pytest.fixture
def place(whole_place: Place) -> Place:
    """Empty; its worker leaves letters alone, whose `tidy` the tests call at moments of their choice."""
    whole_place.stack.empty()
    # Whether its worker took the turn since then or not.
    whole_place.databases.client().set("errand:letters", "a test's", ex=3600)
    return whole_place


def test_a_picture_that_failed_was_sent_again_and_done_leaves_nothing_when_it_is_erased(place: Place) -> None:
    image, body = place.fail()
    place.stack.workers[0].stop()
    place.stack.start_worker(ENGINE="onnx")
    place.stack.scan(body, "a.png")
    assert place.stack.wait_ended([image]) == {image: "done"}
    assert len(place.holders_of(body)) == 2, "in the store and among the dead letters"
    assert place.erase(image) == 1
    assert place.holders_of(body) == []
    assert place.dead() == []


def test_a_picture_that_is_erased_while_its_job_runs_which_then_fails_leaves_nothing(place: Place) -> None:
    body = drawing(b"HANG")
    image = place.stack.scan(body, "a.png")
    wait_until(lambda: place.stack.image(image)["state"] == "processing", "a worker has it")
    assert place.erase(image) == 0
    last, _ = place.fail()
    assert place.dead() == [last]
    assert place.holders_of(body) == []


def test_erasures_at_one_time_beside_whoever_lists_find_all_letters(place: Place) -> None:
    pictures = [place.fail() for _ in range(8)]
    with ThreadPoolExecutor(12) as pool:
        looks = [pool.submit(place.dead) for _ in range(20)]
        erased = list(pool.map(lambda picture: place.erase(picture[0]), pictures))
        assert all(set(look.result()) <= {image for image, _ in pictures} for look in looks)
    assert erased == [1] * len(pictures)
    assert [holder for _, body in pictures for holder in place.holders_of(body)] == []
    assert (place.dead(), place.letters.count()) == ([], 0)


def test_whoever_lists_takes_no_letter(place: Place) -> None:
    """Not even while all letters are somebody else's."""
    image, _ = place.fail()
    with place.channel() as channel:
        assert channel.basic_get(DEAD_QUEUE)[0] is not None
        assert place.dead() == [image]
        assert place.call("GET", "/status")["dead"] == 1


def test_letters_of_a_release_that_notes_none_are_listed_redriven_dropped_and_erased(place: Place) -> None:
    redriven, dropped, erased = (place.lay(drawing()) for _ in range(3))
    assert place.dead() == [redriven, dropped, erased]
    assert place.call("POST", "/dead/redrive", json={"hashes": [redriven]})["count"] == 1
    assert place.stack.wait_ended([redriven]) == {redriven: "done"}
    assert place.call("POST", "/dead/drop", json={"hashes": [dropped]})["count"] == 1
    assert place.erase(erased) in {0, 1}
    place.letters.tidy()
    assert (place.dead(), place.letters.count(), place.box.count()) == ([], 0, 0)


def test_an_erasure_waits_for_letters_that_an_earlier_release_looks_at(place: Place) -> None:
    image, body = place.fail()
    with place.channel() as channel, ThreadPoolExecutor(1) as pool:
        assert channel.basic_get(DEAD_QUEUE)[0] is not None
        erasing = pool.submit(place.erase, image)
        channel.connection.process_data_events(0.5)
        channel.connection.close()
        assert erasing.result() == 1
        assert place.holders_of(body) == []


def test_what_an_erasure_did_not_meet_is_found_later(place: Place) -> None:
    image, body = place.fail()
    with place.channel() as channel:
        assert channel.basic_get(DEAD_QUEUE)[0] is not None
        assert place.erase(image) == 0
    wait_until(lambda: place.box.count() == 1, "the letter is back")
    place.letters.tidy()
    assert place.holders_of(body) == []
    assert place.letters.count() == 0


def test_a_letter_that_is_laid_after_its_image_was_erased_does_not_stay(place: Place) -> None:
    body = drawing()
    image = place.lay(body)
    place.call("DELETE", f"/images/{image}")
    wait_until(lambda: place.box.count() == 1, "it is still there")
    place.letters.tidy()
    assert place.holders_of(body) == []


def test_nor_one_that_was_noted_before_and_laid_after(place: Place) -> None:
    """Its worker was slow between the two."""
    body = drawing()
    ticket = RedisAdmissions(place.databases).announce("default", image_hash(body), "a.png", 0.0).ticket
    job = ScanJob("default", image_hash(body), "a.png", ticket, 0.0, body)
    headers = buried_headers(job.headers, "CHILD_DIED", "it died")
    assert RedisLetterIndex(place.databases).add(dead_letter(headers, len(body)))
    assert place.erase(job.hash) == 0
    publisher = RabbitJobPublisher(place.rabbit)
    publisher.bury(job.headers, body, "CHILD_DIED", "it died")
    publisher.close()
    wait_until(lambda: place.box.count() == 1, "it is there")
    place.letters.tidy()
    assert place.holders_of(body) == []
    assert (place.dead(), place.letters.count()) == ([], 0)


def test_a_job_that_was_laid_twice_is_one_letter(place: Place) -> None:
    """Its worker died before it acknowledged."""
    image, body = place.fail()
    (letter,) = place.box.list(10)
    publisher = RabbitJobPublisher(place.rabbit)
    job = ScanJob("default", image, "a.png", letter.ticket, 0.0, body)
    publisher.bury(job.headers, body, letter.code, letter.reason)
    publisher.close()
    wait_until(lambda: place.box.count() == 2, "it is there twice")
    place.letters.tidy()
    wait_until(lambda: place.box.count() == 1, "one stays")
    assert place.dead() == [image]
    assert place.erase(image) == 1
    assert place.holders_of(body) == []


def test_what_is_noted_and_gone_is_forgotten(place: Place) -> None:
    place.fail()
    with place.channel() as channel:
        channel.queue_purge(DEAD_QUEUE)
    assert len(place.dead()) == 1, "somebody may look at it"
    later = LetterBox(place.box, RedisLetterIndex(place.databases), lambda: 1e11)
    later.tidy()
    assert len(place.dead()) == 1, "somebody may look at it"
    later.tidy()
    assert (place.dead(), place.letters.count()) == ([], 0)


def test_an_index_that_was_lost_is_made_anew(place: Place) -> None:
    image, _ = place.fail()
    RedisLetterIndex(place.databases).forget(RedisLetterIndex(place.databases).of("default", None))
    place.letters.tidy()
    assert place.dead() == [image]
