"""Pictures kept by the whole service: there when an image is done, gone when it is erased; events on the way."""

from __future__ import annotations

import io
import json
import shutil
import signal
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import requests
from PIL import Image

from facerec.adapters.redis import RedisDatabases
from facerec.config import RabbitSettings, RedisSettings
from facerec.local.servers import RabbitServer
from tests.client import wait_until
from tests.drawings import drawing, showing
from tests.stack import Stack, own_stack
from tests.stopwatch import stopwatch


@pytest.fixture(scope="module")
def whole_stack(rabbit_server: RabbitServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    place = tmp_path_factory.mktemp("stack")
    store = (place / "pictures").as_uri()
    with own_stack(rabbit_server, place, ENGINE="fake", ATTEMPTS="1", IMAGE_STORE=store) as found:
        yield found


@pytest.fixture
def folder(whole_stack: Stack) -> Path:
    return whole_stack.folder / "pictures"


@pytest.fixture
def stack(whole_stack: Stack, folder: Path) -> Stack:
    whole_stack.empty()
    for pictures in folder.glob("*"):
        shutil.rmtree(pictures)
    return whole_stack


def files_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_a_done_image_has_its_pictures(stack: Stack, folder: Path) -> None:
    body = showing("ann", "bob")
    image_hash = stack.scan(body, "../../etc/a.png".replace("../", ""))
    stack.wait_ended([image_hash])

    faces = stack.image(image_hash)["faces"]
    assert stack.session.get(f"{stack.url}/images/{image_hash}/original", timeout=30).content == body
    for face in faces:
        thumbnail = stack.session.get(stack.url + face["thumbnail"], timeout=30)
        assert Image.open(io.BytesIO(thumbnail.content)).size == (160, 160)
    assert stack.session.get(f"{stack.url}/images/{image_hash}/overlay", timeout=30).text.count("<rect") == 4
    assert files_in(folder) == [
        "chip-0.png",
        "chip-1.png",
        "face-0.jpg",
        "face-1.jpg",
        "original",
        "preview.jpg",
        "small.jpg",
    ]


def test_erasing_removes_them_and_says_so(stack: Stack, folder: Path) -> None:
    erased, stays = stack.scan(showing("ann"), "erased.png"), stack.scan(showing("ann"), "stays.png")
    stack.wait_ended([erased, stays])

    receipt = stack.session.delete(f"{stack.url}/images/{erased}", timeout=30).json()

    assert receipt["pictures"] == {"store": "file", "removed": 5, "pending": None}
    assert len(files_in(folder)) == 5
    assert stack.session.get(f"{stack.url}/images/{erased}/original", timeout=30).status_code == 404
    assert stack.session.get(f"{stack.url}/images/{stays}/original", timeout=30).ok


def test_an_image_sent_again_after_erasure_has_its_pictures(stack: Stack) -> None:
    body = showing("ann")
    for _ in range(3):
        image_hash = stack.scan(body, "again.png")
        stack.wait_ended([image_hash])
        assert stack.session.get(f"{stack.url}/images/{image_hash}/original", timeout=30).content == body
        assert stack.session.delete(f"{stack.url}/images/{image_hash}", timeout=30).json()["pictures"]["removed"] == 5


def test_erasures_in_mid_job_leave_nothing(stack: Stack, folder: Path) -> None:
    bodies = [showing("ann") for _ in range(60)]
    hashes = [stack.scan(body, f"{n}.png") for n, body in enumerate(bodies)]
    for image_hash in hashes:
        assert stack.session.delete(f"{stack.url}/images/{image_hash}", timeout=30).ok
    last = stack.scan(showing("ann"), "last.png")
    stack.wait_ended([last])

    wait_until(lambda: len(files_in(folder)) == 5, "only the last image's pictures are left", stack.log_tails)
    with closing(RedisDatabases(stack.redis)) as databases:
        assert databases.client().hlen("pictures:erased") == 0


def test_a_store_that_is_away_holds_jobs_back(stack: Stack, folder: Path) -> None:
    stack.wait_ended([stack.scan(drawing(), "before.png")])
    folder.rename(folder.with_suffix(".gone"))
    folder.write_bytes(b"in the way")
    image_hash = stack.scan(showing("ann"), "during.png")
    wait_until(lambda: stack.image(image_hash)["reason"] == "SERVICE_UNAVAILABLE", "a try fails", stack.log_tails)
    assert stack.image(image_hash)["state"] == "queued"
    assert stack.session.get(f"{stack.url}/images/{image_hash}/original", timeout=30).status_code == 503

    folder.unlink()
    folder.with_suffix(".gone").rename(folder)

    assert stack.wait_ended([image_hash]) == {image_hash: "done"}
    assert stack.session.get(f"{stack.url}/images/{image_hash}/original", timeout=30).ok


class Listening(threading.Thread):
    """Reads events until the stream ends."""

    def __init__(self, stack: Stack) -> None:
        super().__init__(daemon=True)
        self.ready = threading.Event()
        self.told: list[dict[str, str]] = []
        self._answer = stack.session.get(f"{stack.url}/events", stream=True, timeout=60)
        assert self._answer.ok
        self.start()

    def run(self) -> None:
        kind = ""
        try:
            for line in self._answer.iter_lines(chunk_size=1, decode_unicode=True):
                name, _, value = line.partition(": ")
                kind = value if name == "event" else kind
                if name == "data" and kind == "ready":
                    self.ready.set()
                elif name == "data":
                    self.told.append(json.loads(value))
        except requests.exceptions.RequestException:
            return
        finally:
            self._answer.close()


def test_every_change_is_told(stack: Stack) -> None:
    listening = Listening(stack)
    assert listening.ready.wait(30)
    hashes = [stack.scan(drawing(), f"{n}.png") for n in range(20)]

    def states(image_hash: str) -> set[str]:
        return {told["state"] for told in listening.told if told["hash"] == image_hash}

    for image_hash in hashes:
        wait_until(lambda key=image_hash: {"processing", "done"} <= states(key), "it is told")  # type: ignore[misc]


def test_listeners_do_not_keep_a_server_from_ending(stack: Stack) -> None:
    listening = [Listening(stack) for _ in range(3)]
    assert all(each.ready.wait(30) for each in listening)
    assert stack.rest
    with stopwatch() as watch:
        stack.rest.send(signal.SIGTERM)
        assert stack.rest.wait(30) == 0

    assert watch.seconds < 10
    for each in listening:
        each.join(10)
        assert not each.is_alive()


def test_listeners_leave_threads_for_others(
    redis_settings: RedisSettings, rabbit_settings: RabbitSettings, tmp_path: Path
) -> None:
    with Stack(redis_settings, rabbit_settings, tmp_path, ENGINE="fake", REST_THREADS="2", EVENT_STREAMS="6") as stack:
        listening = [Listening(stack) for _ in range(3)]
        assert all(each.ready.wait(30) for each in listening)
        assert stack.session.get(f"{stack.url}/events", timeout=30).status_code == 429
        stack.wait_ended([stack.scan(drawing(), "a.png")])


def test_a_redis_that_comes_back_is_listened_to_again(
    rabbit_settings: RabbitSettings, own_redis: object, tmp_path: Path
) -> None:
    from facerec.local.servers import RedisServer
    from tests.conftest import redis_settings_of

    assert isinstance(own_redis, RedisServer)
    with Stack(redis_settings_of(own_redis), rabbit_settings, tmp_path, ENGINE="fake", REDIS_TIMEOUT="2") as stack:
        first = Listening(stack)
        assert first.ready.wait(30)
        own_redis.kill()
        first.join(30)
        assert not first.is_alive(), "the stream ends, so that its client asks anew"
        own_redis.start()
        wait_until(
            lambda: stack.session.get(f"{stack.url}/status", timeout=30).json()["images"] is not None, "it is back"
        )
        again = Listening(stack)
        assert again.ready.wait(30)
        image_hash = stack.scan(drawing(), "a.png")
        wait_until(lambda: any(told["hash"] == image_hash for told in again.told), "changes are told again")
