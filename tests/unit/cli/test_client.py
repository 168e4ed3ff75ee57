from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facerec.client import (
    AccessDenied,
    ApiError,
    BadAnswer,
    Busy,
    Client,
    ClientError,
    Missing,
    Refused,
    ServerFault,
    ServiceAway,
    Unavailable,
    Unreachable,
    WaitTimeout,
)
from facerec.client.errors import error_of
from facerec.client.patience import LONGEST_PAUSE, LONGEST_TOLD, Patience, pause_before
from facerec.local.ports import free_port
from tests.client import wait_until
from tests.unit.cli.stub import TOKEN, StubService
from tests.unit.cli.stub_people import error

NAMES = ["a.png", "x/y z.png", "ä/ü?.png", "100%25 #1;=&+.png", "/abs.png", "a//b", "%2e%2e", "\N{SNOWMAN}"]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_arrives_as_it_was_given(client: Client, service: StubService, name: str) -> None:
    client.scan_file(b"bytes", name)
    assert service.uploads == [name]


@pytest.mark.parametrize("name", ["", ".", "..", "a/../b", "a/./b", "\udcff.png"])
def test_a_name_that_would_arrive_as_another_is_refused(client: Client, service: StubService, name: str) -> None:
    with pytest.raises(ValueError, match="name"):
        client.scan_file(b"bytes", name)
    assert service.calls == []


def test_scan_file_takes_a_path_and_its_name(client: Client, service: StubService, tmp_path) -> None:
    (tmp_path / "p.png").write_bytes(b"bytes")
    assert client.scan_file(tmp_path / "p.png") == sha256(b"bytes").hexdigest()
    assert service.uploads == ["p.png"]
    assert service.bodies == [b"bytes"]


def test_scan_url_match_image_erase(client: Client, service: StubService) -> None:
    image = client.scan_url("http://x/y")
    assert client.match(image) == ["other.png", "ä.png"]
    assert client.image(image)["names"] == ["http://x/y"]
    assert client.erase(image)["hash"] == image
    with pytest.raises(Missing):
        client.image(image)


def test_images_goes_through_all_pages(client: Client, service: StubService) -> None:
    for number in range(7):
        client.scan_file(b"%d" % number, f"{number}.png")
    assert [image["names"] for image in client.images(page=3)] == [[f"{number}.png"] for number in range(7)]
    assert [image["names"] for image in client.images(name="3")] == [["3.png"]]
    assert list(client.images(state="failed")) == []


def test_the_token_is_sent_and_no_other_credential(service: StubService, tmp_path, monkeypatch) -> None:
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login me password secret\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    for token in ("", TOKEN):
        with Client(service.url, token) as client:
            client.match("a" * 64)
    assert [headers.get("Authorization") for headers in service.headers] == [None, f"Token {TOKEN}"]


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, "BAD_PARAM", Refused),
        (401, "AUTH_FAILED", AccessDenied),
        (403, "FORBIDDEN", AccessDenied),
        (403, "FORBIDDEN_URL", Refused),
        (404, "NOT_FOUND", Missing),
        (413, "TOO_LARGE", Refused),
        (429, "BACKPRESSURE", Busy),
        (500, "INTERNAL", ServerFault),
        (502, "FETCH_FAILED", ServerFault),
        (503, "SERVICE_UNAVAILABLE", Unavailable),
        (504, "TIMEOUT", ServerFault),
    ],
)
def test_the_error_shape_becomes_a_typed_error(
    client: Client, service: StubService, status: int, code: str, kind: type[ApiError]
) -> None:
    service.fail_next(error(status, code, 7, param="p", value="v"))
    with pytest.raises(kind) as caught:
        client.scan_file(b"bytes", "name")
    assert type(caught.value) is kind
    assert caught.value.status == status
    assert caught.value.code == code
    assert caught.value.reason == f"the reason of {code}"
    assert (caught.value.param, caught.value.value, caught.value.retry_after) == ("p", "v", 7.0)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ((502, b"<html>Bad Gateway</html>", {}), Unreachable),
        ((503, b"", {"Retry-After": "9"}), Unreachable),
        ((404, b"<html>", {}), BadAnswer),
        ((200, b"<html>", {}), BadAnswer),
        ((302, b"", {"Location": "https://elsewhere/"}), BadAnswer),
    ],
)
def test_what_is_no_facerec(client: Client, service: StubService, answer, kind: type[ClientError]) -> None:
    service.fail_next(answer)
    with pytest.raises(kind):
        client.image("a" * 64)


def test_nobody_there_is_unreachable() -> None:
    with Client(f"http://127.0.0.1:{free_port()}") as client, pytest.raises(Unreachable):
        client.match("a" * 64)


@pytest.mark.parametrize("token", ["€", "ä", "two\nlines", "a\0b"])
def test_a_token_that_cannot_be_one(token: str) -> None:
    with pytest.raises(ValueError, match="token") as caught:
        Client("http://x", token)
    assert token not in str(caught.value)


@pytest.mark.parametrize("url", ["", "x", "ftp://x", "http://", "http://u:p@x", "http://x?y", "localhost:5000"])
def test_an_address_that_cannot_be_one(url: str) -> None:
    with pytest.raises(ValueError, match="address"):
        Client(url)


def test_a_retry_after_with_a_date_counts_as_not_said() -> None:
    refused = error_of(429, {"code": "BACKPRESSURE", "reason": ""}, "Wed, 21 Oct 2026 07:28:00 GMT")
    assert isinstance(refused, Busy)
    assert refused.retry_after is None


class TestPatience:
    def test_waits_as_told_and_sends_again(self, service: StubService) -> None:
        service.fail_next(error(429, "BACKPRESSURE", 0), error(503, "SERVICE_UNAVAILABLE", 0), (502, b"proxy", {}))
        with Client(service.url, patience=30) as client:
            client.scan_file(b"bytes", "name")
        assert service.uploads == ["name"]
        assert service.bodies == [b"bytes"] * 4

    def test_ends(self, service: StubService) -> None:
        service.fail_next(*[error(429, "BACKPRESSURE", 60)] * 3)
        with Client(service.url, patience=1) as client, pytest.raises(ServiceAway) as caught:
            client.scan_file(b"bytes", "name")
        assert isinstance(caught.value.__cause__, Busy)
        assert len(service.calls) == 1, "told to wait longer than patience allows: not asked again"

    def test_does_not_repeat_what_cannot_help(self, service: StubService) -> None:
        service.fail_next(error(415, "UNSUPPORTED_IMAGE"))
        with Client(service.url, patience=30) as client, pytest.raises(Refused):
            client.scan_file(b"bytes", "name")
        assert len(service.calls) == 1

    def test_erasing_is_not_repeated_when_it_may_have_been_done(self, service: StubService) -> None:
        service.fail_next((502, b"proxy", {}))
        with Client(service.url, patience=30) as client, pytest.raises(Unreachable):
            client.erase("a" * 64)
        assert len(service.calls) == 1

    def test_what_one_thread_is_told_all_heed(self) -> None:
        now = [0.0]
        patience = Patience(100, lambda: now[0])
        told = iter([Busy(429, "BACKPRESSURE", "", retry_after=50)])

        def busy_once() -> str:
            for refusal in told:
                raise refusal
            return "done"

        asked: list[float] = []
        with ThreadPoolExecutor(2) as pool:
            told_to_wait = pool.submit(patience.call, busy_once, (Busy,))
            wait_until(lambda: patience._closed_until > 0, "one was told to wait")
            other = pool.submit(patience.call, lambda: asked.append(now[0]), (Busy,))
            patience.end()
            for call in (told_to_wait, other):
                with pytest.raises(ServiceAway):
                    call.result(10)
        assert asked == []

    @given(st.integers(1, 1000), st.one_of(st.none(), st.floats(0, 1e6)), st.floats(0, 1))
    def test_pauses_are_bounded_and_never_shorter_than_told(
        self, attempt: int, told: float | None, chance: float
    ) -> None:
        pause = pause_before(attempt, told, chance)
        if told is None:
            assert 0 < pause <= LONGEST_PAUSE * 1.25
        else:
            assert min(told, LONGEST_TOLD) <= pause <= min(told, LONGEST_TOLD) * 1.25


class TestWait:
    def test_without_events_it_asks(self, client: Client, service: StubService) -> None:
        service.state = "queued"
        images = [client.scan_file(b"%d" % number, f"{number}") for number in range(3)]
        service.finish(images[0])
        service.finish(images[1], "failed", "UNREADABLE_IMAGE")
        ends = []
        for end in client.wait(images, timeout=30):
            ends.append(end)
            if len(ends) == 2:
                service.finish(images[2])
        assert {end.hash: (end.state, end.code) for end in ends} == {
            images[0]: ("done", None),
            images[1]: ("failed", "UNREADABLE_IMAGE"),
            images[2]: ("done", None),
        }

    def test_with_events_it_listens(self, client: Client, service: StubService) -> None:
        service.events = True
        service.state = "queued"
        image = client.scan_file(b"1", "1")
        watch = client.watch()
        wait_until(lambda: service.streams == 1, "the stream is open")
        watch.add(image)
        service.tell(image, "processing")
        assert watch.next(0.5) == []
        asked = len(service.calls)
        service.finish(image)
        assert [end.state for end in watch.next(30)] == ["done"]
        assert len(service.calls) == asked, "the event was enough"
        watch.close()

    def test_a_worker_that_is_faster_than_the_answer(self, client: Client, service: StubService) -> None:
        service.events = True
        watch = client.watch()
        wait_until(lambda: service.streams == 1, "the stream is open")
        image = client.scan_file(b"1", "1")
        other = client.scan_file(b"2", "2")
        watch.add(other)
        assert [end.hash for end in watch.next(30)] == [other]
        asked = len(service.calls)
        watch.add(image)
        assert [end.hash for end in watch.next(30)] == [image]
        assert len(service.calls) == asked, "its event came before it was added"
        watch.close()

    def test_a_cut_stream_misses_nothing(self, client: Client, service: StubService) -> None:
        service.events = True
        service.state = "queued"
        image = client.scan_file(b"1", "1")
        watch = client.watch()
        wait_until(lambda: service.streams == 1, "the stream is open")
        watch.add(image)
        service.tell(image, "processing")
        assert watch.next(0.5) == []
        service.cut_streams()
        with service.lock:
            service.images[image].state = "done"  # nobody was there to hear of it
        assert [end.state for end in watch.next(30)] == ["done"]
        watch.close()

    def test_an_erased_image_ends(self, client: Client, service: StubService) -> None:
        service.events = True
        service.state = "queued"
        image = client.scan_file(b"1", "1")
        watch = client.watch()
        wait_until(lambda: service.streams == 1, "the stream is open")
        watch.add(image)
        assert watch.next(0.1) == []
        client.erase(image)
        assert [end.state for end in watch.next(30)] == ["erased"]
        watch.close()

    def test_time_limit_names_what_is_unfinished(self, client: Client, service: StubService) -> None:
        service.state = "queued"
        image = client.scan_file(b"1", "1")
        with pytest.raises(WaitTimeout) as caught:
            list(client.wait([image], timeout=0.5))
        assert caught.value.unfinished == {image}

    def test_a_service_that_went_away_is_said(self, client: Client, service: StubService) -> None:
        service.state = "queued"
        image = client.scan_file(b"1", "1")
        watch = client.watch()
        watch.add(image)
        service.fail_next(*[error(503, "SERVICE_UNAVAILABLE", 1)] * 100)
        with pytest.raises(ServiceAway):
            watch.next(30)
        watch.close()


def test_many_threads_share_one_client(service: StubService) -> None:
    with Client(service.url, connections=8) as client, ThreadPoolExecutor(8) as pool:
        hashes = set(pool.map(lambda number: client.scan_file(b"%d" % number, str(number)), range(100)))
    assert len(hashes) == 100
    assert sorted(service.uploads, key=int) == [str(number) for number in range(100)]
