"""The front door before real servers and a worker."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from threading import Event, Thread
from urllib.parse import quote

import pytest
import requests

from facerec.adapters.rabbitmq.log_reader import LogReader
from facerec.adapters.redis import RedisDatabases, RedisTokens
from facerec.config import RabbitSettings, RedisSettings
from facerec.local.ports import free_port
from facerec.local.servers import RabbitServer
from rest import models
from tests.client import wait_until
from tests.drawings import drawing, showing
from tests.integration.rest.web import answering, redirecting, site
from tests.stack import ROOT, Stack, own_stack, stack_environment

TIMEOUT = 60


@pytest.fixture(scope="module")
def whole_stack(rabbit_server: RabbitServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    more = {"ENGINE": "fake", "ALLOW_FETCH_FROM": "127.0.0.2/32", "QUEUE_LIMIT": "5"}
    with own_stack(rabbit_server, tmp_path_factory.mktemp("stack"), **more) as found:
        yield found


@pytest.fixture
def stack(whole_stack: Stack) -> Stack:
    whole_stack.empty()
    return whole_stack


def test_documents_are_as_the_contract_has_them(stack: Stack) -> None:
    first = stack.scan(showing("ann", "bob"), "ünï/one 😀.png")
    second = stack.scan(showing("ann"), "two.png")
    stack.wait_ended([first, second])

    image = models.Image.model_validate(stack.image(first), strict=True)
    assert (image.state, image.reason, image.names, image.attempts) == ("done", None, ["ünï/one 😀.png"], 1)
    assert len(image.faces) == 2
    assert [(match.hash, match.names) for match in image.matches] == [(second, ["two.png"])]
    assert stack.match(second) == ["ünï/one 😀.png"]


def test_pages_follow_each_other(stack: Stack) -> None:
    wanted = [stack.scan(drawing(), f"a{number}.png") for number in range(3)]
    stack.wait_ended(wanted)

    found = []
    path = "/images?limit=2&state=done&name=a"
    while path:
        answer = stack.session.get(stack.url + path, timeout=TIMEOUT).json()
        models.Images.model_validate(answer, strict=True)
        found += [image["hash"] for image in answer["results"]]
        path = answer["next_page"]
    assert sorted(found) == sorted(wanted)
    answer = stack.session.get(f"{stack.url}/images?cursor=nonsense", timeout=TIMEOUT)
    assert (answer.status_code, answer.json()["param"]) == (400, "cursor")


def test_an_image_that_fails_tells_why(stack: Stack) -> None:
    broken = stack.scan(drawing(b"BROKEN"), "broken.png")

    assert stack.wait_ended([broken]) == {broken: "failed"}
    image = models.Image.model_validate(stack.image(broken), strict=True)
    assert (image.reason, image.faces, image.matches) == ("UNREADABLE_IMAGE", [], [])
    assert image.detail


def test_a_search_tells_of_the_owners_faces_alone(stack: Stack) -> None:
    stack.wait_ended([stack.scan(showing("ann", "bob"), "both.png")])
    with closing(RedisDatabases(stack.redis)) as databases, requests.Session() as alice:
        alice.trust_env = False
        alice.headers["Authorization"] = f"Token {RedisTokens(databases).create('alice')}"
        files = {"file": showing("ann")}
        answer = alice.post(f"{stack.url}/identify", files=files, timeout=TIMEOUT).json()
    assert (answer["faces"][0]["unknown"], answer["known_faces"]) == (True, 0)


def test_an_erased_image_leaves_nothing(stack: Stack) -> None:
    first, second = stack.scan(showing("ann"), "one.png"), stack.scan(showing("ann"), "two.png")
    stack.wait_ended([first, second])

    answer = stack.session.delete(f"{stack.url}/images/{first}", timeout=TIMEOUT)

    assert answer.status_code == 200
    assert answer.json()["names"] == ["one.png"]
    assert stack.session.get(f"{stack.url}/images/{first}", timeout=TIMEOUT).status_code == 404
    assert stack.match(second) == stack.match(first) == []


def test_a_url_is_scanned_once(stack: Stack) -> None:
    body = showing("ann")
    stack.wait_ended([stack.scan(showing("ann"), "ann.png")])
    with site(answering(body), "127.0.0.2") as photos:
        url = f"http://127.0.0.2:{photos.port}/a/../{'x' * 1200}.png?{quote('ü 😀')}"
        answer = stack.session.post(f"{stack.url}/scan/url", json={"url": url}, timeout=TIMEOUT)
        assert answer.status_code == 202
        image_hash = answer.json()["hash"]
        assert image_hash == hashlib.sha256(body).hexdigest()
        assert answer.headers["Location"] == f"/images/{image_hash}"
        stack.wait_ended([image_hash])
        again = stack.session.post(f"{stack.url}/scan/url", json={"url": url}, timeout=TIMEOUT)
        assert again.json() == {"hash": image_hash}
        assert len(photos.requests) == 1

    assert stack.image(image_hash)["names"] == [url]
    assert stack.match(image_hash) == ["ann.png"]


INNER = (
    "http://127.0.0.1:{port}/",
    "http://localhost:{port}/",
    "http://0:{port}/",
    "http://[::ffff:127.0.0.1]:{port}/",
    "http://169.254.169.254/latest/meta-data/",
    "http://10.0.0.1/",
    "file:///etc/passwd",
    "gopher://127.0.0.1:{port}/",
    "http://user:pass@127.0.0.2/",
)


def test_an_inner_address_is_neither_fetched_nor_followed(stack: Stack) -> None:
    with site(answering(drawing())) as inside:
        for inner in INNER:
            url = inner.format(port=inside.port)
            with site(redirecting(url), "127.0.0.2") as photos:
                for asked in (url, f"http://127.0.0.2:{photos.port}/"):
                    answer = stack.session.post(f"{stack.url}/scan/url", json={"url": asked}, timeout=TIMEOUT)
                    assert (answer.status_code, answer.json()["code"]) == (403, "FORBIDDEN_URL"), asked

    assert inside.requests == []


def test_a_full_queue_is_429(stack: Stack) -> None:
    for worker in stack.workers:
        worker.stop()

    def full() -> bool:
        answer = stack.post(drawing(), "a.png")
        assert answer.status_code in {202, 429}
        return answer.status_code == 429 and "Retry-After" in answer.headers

    wait_until(full, "the queue is full")
    answer = stack.session.get(f"{stack.url}/readyz", timeout=TIMEOUT)
    assert answer.status_code == 503
    assert {name: part["ok"] for name, part in answer.json()["parts"].items()} == {
        "broker": True,
        "redis": True,
        "workers": False,
        "image_store": True,
    }


def test_calls_that_wait_for_a_worker_leave_threads_for_others(
    redis_settings: RedisSettings, rabbit_settings: RabbitSettings, tmp_path: Path
) -> None:
    threads = {"REST_THREADS": "4", "EVENT_STREAMS": "2", "INTERACTIVE_TIMEOUT": "20"}
    with Stack(redis_settings, rabbit_settings, tmp_path, workers=0, **threads) as stack:

        def identify(_: int) -> int:
            return requests.post(f"{stack.url}/identify", files={"file": drawing()}, timeout=TIMEOUT).status_code

        with ThreadPoolExecutor(12) as pool:
            asked = [pool.submit(identify, number) for number in range(12)]
            wait_until(lambda: sum(each.done() for each in asked) >= 9, "those beyond the share are refused")
            assert {each.result() for each in asked if each.done()} == {429}
            assert stack.serves()
            assert stack.post(drawing(), "a.png").status_code == 202
            statuses = [each.result() for each in asked]
    assert sorted(statuses) == [429] * 9 + [504] * 3


def test_calls_are_on_the_topic_of_logs(stack: Stack) -> None:
    found: list[dict[str, object]] = []
    stop = Event()

    def read() -> None:
        for key, line in LogReader(stack.rabbit, ["*.rest.info"]).lines(stop):
            assert key.endswith(".rest.info")
            found.append(json.loads(line))

    thread = Thread(target=read)
    thread.start()

    def logged() -> bool:
        stack.session.get(f"{stack.url}/images/abc", timeout=TIMEOUT)
        return any((line.get("path"), line.get("outcome")) == ("/images/abc", "BAD_PARAM") for line in found)

    wait_until(logged, "the call is logged", lambda: repr(found))
    stop.set()
    thread.join()


def test_several_processes_add_up_their_metrics(
    redis_settings: RedisSettings, rabbit_settings: RabbitSettings, tmp_path: Path
) -> None:
    folder = tmp_path / "tmp"
    folder.mkdir()
    with Stack(redis_settings, rabbit_settings, tmp_path, workers=0, REST_PROCESSES="2", TMPDIR=str(folder)) as stack:
        assert stack.rest is not None
        for _ in range(20):
            # A connection each, so that both processes get some.
            stack.session.get(f"{stack.url}/match/x", headers={"Connection": "close"}, timeout=TIMEOUT)
        text = stack.session.get(f"{stack.url}/metrics", timeout=TIMEOUT).text
        assert 'facerec_rest_requests_total{method="GET",route="/match/<image>",status="400"} 20.0' in text
        assert len(list(folder.iterdir())) >= 1
        assert stack.rest.stop() == 0
        assert list(folder.iterdir()) == []


def start(environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "rest"]
    return subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)


def test_without_a_token_it_starts_on_loopback_only(
    redis_settings: RedisSettings, rabbit_settings: RabbitSettings
) -> None:
    environment = stack_environment(redis_settings, rabbit_settings, REST_HOST="0.0.0.0", REST_PORT=str(free_port()))

    ended = start(environment)

    assert ended.returncode == 1
    assert "no token is configured" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_with_a_file_of_tokens_it_starts_anywhere(
    redis_settings: RedisSettings, rabbit_settings: RabbitSettings, tmp_path: Path
) -> None:
    file = tmp_path / "tokens"
    file.write_text(f"default:{hashlib.sha256(b'secret').hexdigest()}\n")
    with Stack(
        redis_settings, rabbit_settings, tmp_path, workers=0, REST_HOST="0.0.0.0", TOKENS_FILE=str(file)
    ) as stack:
        assert stack.session.get(f"{stack.url}/images", timeout=TIMEOUT).status_code == 401
        answer = stack.session.get(f"{stack.url}/images", headers={"x-api-key": "secret"}, timeout=TIMEOUT)
        assert answer.json() == {"results": [], "next_page": None}


def test_a_wrong_setting_is_named() -> None:
    ended = start({"PYTHONPATH": str(ROOT), "REST_PORT": "none"})

    assert ended.returncode == 1
    assert "REST_PORT" in ended.stderr
