"""The event loop over real sockets: whose connections are taken, and what many of them may not do to the others."""

from __future__ import annotations

import contextlib
import select
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from facerec.adapters.memory.rates import MemoryRates
from facerec.config import RestSettings
from facerec.values import networks
from rest import connections
from rest import listener as listening
from rest.context import AUTHENTICATED
from rest.listener import Listener
from rest.refusals import GUESSES_AT_ONCE, Refusals
from tests.client import wait_until

LONGEST = 30.0
# waitress leaves the files of its buffers for Python to close.
pytestmark = pytest.mark.filterwarnings(
    "ignore:Exception ignored in. <_io.FileIO:pytest.PytestUnraisableExceptionWarning"
)
ASK = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
LARGE = b"GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n"


class App:
    """Answers at once, or when it is told to, with much or little."""

    def __init__(self) -> None:
        self.may_answer = threading.Event()
        self.served: list[str] = []
        self.schemes: list[str] = []

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        path = environ["PATH_INFO"]
        self.served.append(path)
        self.schemes.append(environ["wsgi.url_scheme"])
        if path == "/session":
            start_response("401 Unauthorized", [])
            return [b"no"]
        if path == "/key":
            is_right = environ["HTTP_X_API_KEY"] == "right"
            environ[AUTHENTICATED] = is_right
            start_response("200 OK" if is_right else "401 Unauthorized", [])
            return [b"ok"]
        if path == "/wait":
            assert self.may_answer.wait(LONGEST)
        body = bytes(3_000_000) if path == "/large" else b"ok"
        start_response("204 No Content" if path == "/nothing" else "200 OK", [])
        return [] if path == "/nothing" else [body]


class Door:
    """A listener of one process, on a free port."""

    def __init__(self, app: App, patience: float, **settings: Any) -> None:
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.beats = 0
        self.refused = 0
        refusals = Refusals(MemoryRates(), 5.0, self._count)
        self.listener = Listener(app, self.socket, RestSettings(**settings), patience, self._beat, refusals)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _count(self, refused: int) -> None:
        self.refused += refused

    def _beat(self) -> None:
        self.beats += 1

    def _run(self) -> None:
        while not self._over.is_set():
            self.listener.turn()

    def connect(self, source: str = "127.0.0.1") -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), LONGEST, source_address=(source, 0))

    def close(self) -> None:
        self._over.set()
        self.listener.pull_trigger()
        self._thread.join(LONGEST)
        self.listener.shut_down()
        self.listener.close()


@pytest.fixture
def app() -> App:
    return App()


@pytest.fixture
def door(app: App) -> Iterator[Callable[..., Door]]:
    doors: list[Door] = []

    def make(patience: float = 20.0, **settings: Any) -> Door:
        doors.append(Door(app, patience, **{"threads": 4, "event_streams": 0, **settings}))
        return doors[-1]

    yield make
    app.may_answer.set()
    for each in doors:
        each.close()


@pytest.fixture
def stack() -> Iterator[contextlib.ExitStack]:
    with contextlib.ExitStack() as found:
        yield found


def status_of(client: socket.socket) -> int:
    """Of the answer that comes next, with all that is read at once."""
    return int(client.recv(65536).split()[1])


def ask(client: socket.socket, request: bytes = ASK) -> int:
    client.sendall(request)
    return status_of(client)


def test_who_never_reads_is_not_served_again_before_he_has(
    door: Callable[..., Door], app: App, stack: contextlib.ExitStack
) -> None:
    found = door()
    for _ in range(20):
        greedy = stack.enter_context(found.connect())
        greedy.sendall(LARGE * 50)
    assert ask(stack.enter_context(found.connect())) == 200
    wait_until(lambda: app.served.count("/large") >= 20, "each has been served", seconds=LONGEST)
    assert ask(stack.enter_context(found.connect())) == 200

    assert app.served.count("/large") < 20 * 5, "the system's buffers take some answers, the others wait"


def test_who_does_not_read_is_cut_off_and_his_answers_are_forgotten(
    door: Callable[..., Door], stack: contextlib.ExitStack
) -> None:
    found = door(patience=1.0)
    greedy = stack.enter_context(found.connect())
    greedy.sendall(LARGE * 50)
    wait_until(lambda: bool(found.listener.active_channels), "he is there", seconds=LONGEST)
    wait_until(lambda: not found.listener.active_channels, "he is gone", seconds=LONGEST)


def test_who_reads_slowly_gets_all(door: Callable[..., Door], stack: contextlib.ExitStack) -> None:
    found = door(patience=1.0)
    client = stack.enter_context(found.connect())
    client.sendall(LARGE.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
    received = 0
    while piece := client.recv(65536):
        received += len(piece)
        threading.Event().wait(0.04)

    assert received > 3_000_000


def test_silent_connections_make_room_for_others(
    door: Callable[..., Door], stack: contextlib.ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listening, "CONNECTIONS", 40)
    monkeypatch.setattr(connections, "QUIET", 0.0)
    found = door(patience=LONGEST)
    silent = [stack.enter_context(found.connect()) for _ in range(20)]
    for client in silent[::2]:
        client.sendall(b"GET / HTTP/1.1\r\nX: ")

    for _ in range(60):
        assert ask(stack.enter_context(found.connect())) == 200
    assert len(found.listener.active_channels) <= 40


def test_a_peer_whose_connections_all_work_leaves_room_for_others(
    door: Callable[..., Door], stack: contextlib.ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listening, "CONNECTIONS", 40)
    found = door()
    busy = [stack.enter_context(found.connect()) for _ in range(30)]
    for client in busy:
        with contextlib.suppress(OSError):
            client.sendall(b"POST / HTTP/1.1\r\nContent-Length: 10\r\n\r\n")
    wait_until(lambda: count_readable(busy) >= 8, "the others are told", seconds=LONGEST)
    refused = [client for client in busy if answered(client)]

    assert 8 <= len(refused) <= 12, "half of the connections are kept for others"
    newcomer = stack.enter_context(found.connect("127.0.0.2"))
    assert ask(newcomer) == 200


def count_readable(clients: list[socket.socket]) -> int:
    return len(select.select(clients, [], [], 0)[0])


def answered(client: socket.socket) -> bool:
    """Whether the client is told to come again, rather than asked for the rest of its request."""
    client.settimeout(0.3)
    try:
        answer = client.recv(65536)
    except TimeoutError:
        return False
    assert answer.startswith(b"HTTP/1.1 429 "), answer
    assert b"\r\nRetry-After: " in answer
    assert b'"BACKPRESSURE"' in answer
    return True


def test_a_trusted_proxy_may_have_all_connections(
    door: Callable[..., Door], stack: contextlib.ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listening, "CONNECTIONS", 40)
    found = door(trusted_proxies=networks("127.0.0.0/8"))
    clients = [stack.enter_context(found.connect()) for _ in range(39)]
    assert [ask(client) for client in clients] == [200] * 39


def test_only_a_trusted_proxy_says_that_a_client_came_by_https(
    door: Callable[..., Door], app: App, stack: contextlib.ExitStack
) -> None:
    found = door(trusted_proxies=networks("127.0.0.2/32"))
    told = b"GET / HTTP/1.1\r\nX-Forwarded-Proto: https\r\n\r\n"
    ask(stack.enter_context(found.connect("127.0.0.2")), told)
    ask(stack.enter_context(found.connect("127.0.0.3")), told)
    assert app.schemes == ["https", "http"]


def test_bodies_that_are_too_large_together_are_refused_before_they_come(
    door: Callable[..., Door], stack: contextlib.ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listening, "HELD", 10_000_000)
    found = door()
    head = b"POST / HTTP/1.1\r\nContent-Length: 4000000\r\n\r\n"
    for _ in range(2):
        stack.enter_context(found.connect()).sendall(head + bytes(1_000_000))
    third, other = stack.enter_context(found.connect()), stack.enter_context(found.connect("127.0.0.2"))
    wait_until(lambda: len(found.listener.active_channels) == 4, "all are there", seconds=LONGEST)

    assert ask(third, head) == 429
    other.sendall(head + bytes(4_000_000))
    assert status_of(other) == 200


def test_when_the_line_is_full_who_has_most_in_it_is_told_to_come_later(
    door: Callable[..., Door], app: App, stack: contextlib.ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listening, "WAITING", 10)
    found = door()
    greedy = [stack.enter_context(found.connect()) for _ in range(30)]
    for client in greedy:
        client.sendall(b"GET /wait HTTP/1.1\r\nx-api-key: greedy\r\n\r\n")
    wait_until(lambda: count_readable(greedy) >= 30 - 2 - 10, "the others are told", seconds=LONGEST)
    told = sum(answered(client) for client in greedy)
    assert 30 - 2 - 10 <= told <= 30 - 10, (
        "ten wait, two are served, if a thread has taken them before the line was full"
    )

    ann = stack.enter_context(found.connect())
    assert ask(ann, b"GET / HTTP/1.1\r\nx-api-key: ann\r\n\r\n") == 200
    app.may_answer.set()
    assert ask(stack.enter_context(found.connect()), b"GET /healthz HTTP/1.1\r\n\r\n") == 200


def test_one_caller_sends_so_many_bodies_at_once(
    door: Callable[..., Door], stack: contextlib.ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listening, "WAITING", 10)
    found = door()
    head = b"POST / HTTP/1.1\r\nx-api-key: %s\r\nContent-Length: 10\r\n\r\n"
    slow = [stack.enter_context(found.connect()) for _ in range(15)]
    for client in slow:
        client.sendall(head % b"greedy")
    wait_until(lambda: count_readable(slow) >= 5, "the others are told", seconds=LONGEST)
    taken = [client for client in slow if not answered(client)]
    assert len(taken) == 10
    assert ask(stack.enter_context(found.connect()), head % b"ann" + bytes(10)) == 200

    for client in taken:
        assert ask(client, bytes(10)) == 200
    assert found.listener.receiving == {}


def test_probes_have_threads_of_their_own(door: Callable[..., Door], stack: contextlib.ExitStack) -> None:
    found = door(threads=1)
    stack.enter_context(found.connect()).sendall(b"GET /wait HTTP/1.1\r\n\r\n")
    for path in (b"/healthz", b"/readyz", b"/metrics"):
        assert ask(stack.enter_context(found.connect()), b"GET %s HTTP/1.1\r\n\r\n" % path) == 200


def test_a_connection_is_kept_after_an_answer_without_a_body(
    door: Callable[..., Door], stack: contextlib.ExitStack
) -> None:
    client = stack.enter_context(door().connect())
    for _ in range(3):
        assert ask(client, b"GET /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n") == 204
    assert ask(client) == 200


def test_a_body_is_asked_for_when_the_client_waits_to_be_asked(
    door: Callable[..., Door], stack: contextlib.ExitStack
) -> None:
    client = stack.enter_context(door().connect())
    assert ask(client, b"POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n") == 100
    assert ask(client, b"12345") == 200


@pytest.mark.parametrize("body", [b"", b"12"])
def test_a_body_that_ends_early_is_answered(
    door: Callable[..., Door], stack: contextlib.ExitStack, body: bytes
) -> None:
    client = stack.enter_context(door().connect())
    client.sendall(b"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\n" + body)
    client.shutdown(socket.SHUT_WR)
    assert status_of(client) == 400


def test_who_comes_and_goes_leaves_nothing(door: Callable[..., Door]) -> None:
    found = door()
    for _ in range(200):
        found.connect().close()
    wait_until(lambda: not found.listener.active_channels, "all are gone", seconds=LONGEST)
    assert found.listener.by_peer == {}
    assert found.listener.receiving == {}


def test_the_loop_tells_that_it_lives(door: Callable[..., Door]) -> None:
    found = door()
    wait_until(lambda: found.beats >= 3, "it told", seconds=LONGEST)


def test_who_guesses_keys_waits_and_who_had_a_right_one_does_not(door: Callable[..., Door]) -> None:
    found = door()

    def status(key: str, source: str = "127.0.0.1") -> int:
        with found.connect(source) as client:
            return ask(client, b"GET /key HTTP/1.1\r\nHost: localhost\r\nx-api-key: %s\r\n\r\n" % key.encode())

    assert status("right") == 200
    statuses = [status(f"wrong{number}") for number in range(2 * GUESSES_AT_ONCE)]
    assert statuses[:GUESSES_AT_ONCE] == GUESSES_AT_ONCE * [401]
    assert 429 in statuses[GUESSES_AT_ONCE:]
    assert status("right") == 200, "from the same address"
    assert status("wrong", "127.0.0.2") == 401, "from another"
    wait_until(lambda: found.refused >= statuses.count(429), "they are counted", seconds=LONGEST)


def test_what_the_loop_itself_is_late_is_not_the_clients_fault(
    door: Callable[..., Door], stack: contextlib.ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = door(patience=0.5)
    held = threading.Event()
    handle_accept = found.listener.handle_accept

    def accept_late() -> None:
        handle_accept()
        if not held.is_set():
            held.set()
            threading.Event().wait(3.0)

    monkeypatch.setattr(found.listener, "handle_accept", accept_late)
    client = stack.enter_context(found.connect())
    assert held.wait(LONGEST)
    assert ask(client) == 200


def test_who_guesses_in_the_body_waits_and_the_page_stays(door: Callable[..., Door]) -> None:
    found = door()

    def status(method: str, path: str) -> int:
        with found.connect() as client:
            return ask(client, f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n".encode())

    asked = [status("GET", "/session") for _ in range(2 * GUESSES_AT_ONCE)]
    assert asked == 2 * GUESSES_AT_ONCE * [401], "no key is no guess"
    assert 429 in [status("POST", "/session") for _ in range(2 * GUESSES_AT_ONCE)]
    assert status("GET", "/session") == 401
    assert status("GET", "/") == 200
