"""What only a real server process shows: chunks, slow clients, broken requests, signals."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import quote

import pytest
import requests

from benchmarks.ledger.world import children_of
from facerec.identity import image_hash
from rest.listener import BODY
from tests.client import wait_until
from tests.front import API_KEY, picture
from tests.integration.rest.running import LONGEST, Server, running

CAP = 50_000


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running() as found:
        yield found


def answer_of(connection: socket.socket) -> tuple[int, dict[str, object]]:
    """Status and document of the answer that comes next."""
    with connection.makefile("rb") as file:
        status = int(file.readline().split()[1])
        length = 0
        while (line := file.readline().strip()) != b"":
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        return status, json.loads(file.read(length))


def chunked(*pieces: bytes) -> bytes:
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


CHUNKED_POST = b"POST /scan/image/a.jpg HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"


def test_a_chunked_body_is_read(server: Server) -> None:
    image = picture()
    with server.connect() as connection:
        connection.sendall(CHUNKED_POST + chunked(image[:100], image[100:]))
        assert answer_of(connection) == (202, {"hash": image_hash(image)})


@pytest.mark.parametrize("size", [CAP + 1, 20 * CAP, 400 * CAP])
def test_a_chunked_body_over_the_cap_is_answered_to_a_client_that_reads_late(server: Server, size: int) -> None:
    with server.connect() as connection:
        connection.sendall(
            CHUNKED_POST + chunked(*[b"\xff" * 10_000] * (size // 10_000), b"\xff" * (size % 10_000 or 1))
        )
        status, document = answer_of(connection)

    assert (status, document["code"]) == (413, "TOO_LARGE")


def test_a_chunked_body_without_end_is_answered_while_it_comes(server: Server) -> None:
    piece = b"%x\r\n%s\r\n" % (1_000_000, b"\xff" * 1_000_000)
    with server.connect() as connection:
        connection.sendall(CHUNKED_POST)
        for _ in range(BODY // 1_000_000 + 1):
            connection.sendall(piece)
        status, document = answer_of(connection)

    assert (status, document["code"]) == (413, "TOO_LARGE")


def test_a_long_body_with_its_length_is_answered_too(server: Server) -> None:
    answer = requests.post(f"{server.url}/scan/image/a.jpg", data=b"\xff" * 20_000_000, timeout=LONGEST)

    assert (answer.status_code, answer.json()["code"]) == (413, "TOO_LARGE")


@pytest.mark.parametrize("body", [b"zz\r\n", b"5\r\nabcdefgh\r\n", b"-1\r\n\r\n"])
def test_broken_chunks_are_refused(server: Server, body: bytes) -> None:
    with server.connect() as connection:
        connection.sendall(CHUNKED_POST + body)
        connection.shutdown(socket.SHUT_WR)
        status, document = answer_of(connection)

    assert (status, document["code"]) == (400, "BAD_PARAM")


@pytest.mark.parametrize(
    "head",
    [
        b"nonsense\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /" + b"x" * 40_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 40_000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
    ],
)
def test_what_is_no_request_gets_an_error_in_our_shape(server: Server, head: bytes) -> None:
    with server.connect() as connection:
        connection.sendall(head)
        status, document = answer_of(connection)

    assert (status, document["code"]) == (400, "BAD_PARAM")


@pytest.mark.parametrize("name", ["../a", "a\0b", "a\nb", "x" * 5000, "a\r\nX: y"])
def test_hostile_names(server: Server, name: str) -> None:
    path = f"/scan/image/{quote(name, safe='')}"
    with server.connect() as connection:
        body = picture()
        head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
        connection.sendall(head.encode() + body)
        status, document = answer_of(connection)

    assert (status, document["code"], document["param"]) == (400, "BAD_PARAM", "name")


def test_an_emoji_is_a_name(server: Server) -> None:
    answer = requests.post(f"{server.url}/scan/image/{'😀' * 600}", data=picture(), timeout=LONGEST)

    assert answer.status_code == 202


def test_a_refused_body_leaves_the_connection_in_order(server: Server) -> None:
    with requests.Session() as session:
        for _ in range(3):
            assert session.post(f"{server.url}/scan/image/a?x=1", data=picture(), timeout=LONGEST).status_code == 400
            assert session.post(f"{server.url}/scan/image/a", data=picture(), timeout=LONGEST).status_code == 202


def test_a_large_body_with_a_wrong_token_is_answered(server: Server) -> None:
    head = b"POST /scan/image/a HTTP/1.1\r\nHost: localhost\r\nx-api-key: no\r\nContent-Length: 5000000\r\n\r\n"
    with server.connect() as connection:
        connection.sendall(head + b"\xff" * 5_000_000)
        status, document = answer_of(connection)

        assert (status, document["code"]) == (401, "AUTH_FAILED")
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert answer_of(connection)[0] == 200, "the answer said that the connection is kept"


def test_a_client_that_hangs_up_is_not_waited_for(server: Server) -> None:
    form = {"file": ("a.jpg", picture() + b"WAIT")}
    request = requests.Request("POST", f"{server.url}/detect", files=form, headers={"x-api-key": API_KEY}).prepare()
    head = f"POST /detect HTTP/1.1\r\nHost: localhost\r\nx-api-key: {API_KEY}\r\n"
    head += "".join(f"{name}: {request.headers[name]}\r\n" for name in ("Content-Type", "Content-Length"))
    assert isinstance(request.body, bytes)

    with server.connect() as connection:
        connection.sendall(head.encode() + b"\r\n" + request.body)

    def withdrawn() -> bool:
        text = requests.get(f"{server.url}/metrics", timeout=LONGEST).text
        return 'facerec_rest_requests_total{method="POST",route="/detect",status="504"} 1.0' in text

    wait_until(withdrawn, "the request is withdrawn", seconds=10)


def test_clients_that_never_pause_do_not_keep_the_threads_for_themselves() -> None:
    """A thread stays with its connection only while nobody waits for a thread."""
    with running("1") as server, contextlib.ExitStack() as stack:
        over = threading.Event()
        ask = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"

        def hurry() -> int:
            with server.connect() as connection:
                answers = 0
                while not over.is_set():
                    connection.sendall(ask)
                    answers += answer_of(connection)[0] == 200
                return answers

        pool = stack.enter_context(ThreadPoolExecutor(40))
        stack.callback(over.set)
        hurried = [pool.submit(hurry) for _ in range(40)]
        for _ in range(20):
            with server.connect() as newcomer:
                newcomer.sendall(ask)
                assert answer_of(newcomer)[0] == 200
        over.set()

        assert min(each.result(LONGEST) for each in hurried) > 0


def test_slow_clients_do_not_hold_the_threads() -> None:
    with running("2", "1.0") as server, contextlib.ExitStack() as stack:
        slow = [stack.enter_context(server.connect()) for _ in range(4)]
        for connection, beginning in zip(
            slow, [b"GET", b"GET / HTTP/1.1\r\nHo", CHUNKED_POST, CHUNKED_POST + b"5\r\na"], strict=True
        ):
            connection.sendall(beginning)

        assert requests.get(f"{server.url}/healthz", timeout=LONGEST).status_code == 200
        for connection in slow[2:]:
            assert answer_of(connection)[0] == 400
        for connection in slow[:2]:
            assert connection.recv(100) == b""


@pytest.mark.parametrize("path", ["/openapi.json", "/static/js/main.js"])
def test_clients_that_do_not_read_their_answers_do_not_hold_the_threads(path: str) -> None:
    asks = f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode() * 1000
    with running("2", "1.0") as server, contextlib.ExitStack() as stack:
        for _ in range(4):
            connection = stack.enter_context(server.connect())
            connection.settimeout(1)
            with contextlib.suppress(OSError):
                while True:  # until nothing fits in anywhere, or we are cut off
                    connection.sendall(asks)

        assert requests.get(f"{server.url}/healthz", timeout=LONGEST).status_code == 200


def test_a_client_that_reads_in_small_pieces_gets_its_answer() -> None:
    with running("2", "1.0") as server, socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        connection.settimeout(LONGEST)
        connection.connect(("127.0.0.1", server.port))
        connection.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        received = b""
        while piece := connection.recv(512):
            received += piece

    assert json.loads(received.partition(b"\r\n\r\n")[2])["info"]


def test_sigterm_lets_a_request_end() -> None:
    with running() as server, server.connect() as connection:
        body = picture()
        head = f"POST /scan/image/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        connection.sendall(head + body[:10])
        # Answers come in the order of arrival only on one connection: this one shows that the server has seen the other.
        assert requests.get(f"{server.url}/healthz", timeout=LONGEST).status_code == 200
        server.process.send_signal(signal.SIGTERM)
        connection.sendall(body[10:])

        assert answer_of(connection)[0] == 202
        assert server.process.wait(LONGEST) == 0


def test_sigterm_lets_a_request_end_after_many_connections_that_the_server_closed() -> None:
    """gunicorn counts its connections, and stops when there are none."""
    with running() as server, server.connect() as connection:
        for _ in range(5):
            with server.connect() as broken:
                broken.sendall(b"nonsense\r\n\r\n")
                assert answer_of(broken)[0] == 400
                assert broken.recv(1) == b""
        body = picture()
        head = f"POST /scan/image/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        connection.sendall(head + body[:10])
        assert requests.get(f"{server.url}/healthz", timeout=LONGEST).status_code == 200
        server.process.send_signal(signal.SIGTERM)
        refused_soon(server)
        connection.sendall(body[10:])

        assert answer_of(connection)[0] == 202
        assert server.process.wait(LONGEST) == 0


def test_who_was_connected_when_sigterm_came_is_served() -> None:
    """The system makes connections for a process that is busy; they wait until it takes them."""
    with running() as server, contextlib.ExitStack() as stack:
        assert requests.get(f"{server.url}/healthz", timeout=LONGEST).status_code == 200
        (front,) = children_of(server.process.pid)
        os.kill(front, signal.SIGSTOP)
        wait_until(lambda: status_of(front, "State").startswith("T"), "the process is stopped", seconds=LONGEST)
        waiting = [stack.enter_context(server.connect()) for _ in range(5)]
        for connection in waiting:
            connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        server.process.send_signal(signal.SIGTERM)
        wait_until(lambda: is_pending(front, signal.SIGTERM), "the process is told to end", seconds=LONGEST)
        os.kill(front, signal.SIGCONT)

        assert [answer_of(connection)[0] for connection in waiting] == [200] * 5
        stack.close()
        assert server.process.wait(LONGEST) == 0


def is_pending(process: int, number: signal.Signals) -> bool:
    """Whether a process that is stopped was sent a signal."""
    return bool(int(status_of(process, "ShdPnd"), 16) >> (number - 1) & 1)


def status_of(process: int, field: str) -> str:
    """What the system tells of a process."""
    lines = Path(f"/proc/{process}/status").read_text(encoding="utf-8").splitlines()
    return dict(line.split(":\t", 1) for line in lines)[field].strip()


def refused_soon(server: Server) -> None:
    """Until the server takes no more connections."""

    def refuses() -> bool:
        try:
            server.connect().close()
        except ConnectionRefusedError:
            return True
        return False

    wait_until(refuses, "the server takes no connections", seconds=LONGEST)
