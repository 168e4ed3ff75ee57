"""The URL fetcher against servers of our own: limits, redirects, and addresses that must not be reached."""

from __future__ import annotations

import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest

from facerec.adapters.addresses import is_allowed, system_resolve
from facerec.adapters.fetch import UrlFetcher
from facerec.config import RestSettings
from facerec.errors import Backpressure, BadParam, FacerecError, FetchFailed, FetchTimeout, ForbiddenUrl, TooLarge
from tests.integration.rest.web import Behave, answering, redirecting, site
from tests.stopwatch import stopwatch

BODY = b"bytes of a picture"
SETTINGS = RestSettings(
    max_upload_bytes=100_000,
    allow_fetch_from=(ip_network("127.0.0.2/31"),),
    fetch_connect_timeout=5,
    fetch_read_timeout=5,
    fetch_total_timeout=10,
    fetch_redirects=3,
)
ALLOWED = "127.0.0.2"


class Names:
    """A resolver of made-up names; it writes down what it was asked."""

    def __init__(self, **names: str | Sequence[str]) -> None:
        self._names = names
        self.asked: list[str] = []

    def __call__(self, host: str, port: int) -> list[str]:
        self.asked.append(host)
        found = self._names.get(host.split(".", maxsplit=1)[0])
        if found is None:
            raise socket.gaierror("no such name")
        return [found] if isinstance(found, str) else list(found)


def fetcher(settings: RestSettings = SETTINGS, **names: str | Sequence[str]) -> UrlFetcher:
    return UrlFetcher(settings, Names(**({"photos": ALLOWED} | names)))


@pytest.mark.parametrize(
    "text",
    [
        "0.0.0.0",
        "0.1.2.3",
        "10.0.0.1",
        "100.64.0.1",
        "100.127.255.255",
        "127.0.0.1",
        "127.255.0.9",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.1",
        "192.0.0.8",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.1.1",
        "198.18.0.1",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "239.255.255.250",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::127.0.0.1",
        "::8.8.8.8",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::ffff:169.254.169.254",
        "64:ff9b::7f00:1",
        "64:ff9b::808:808",
        "64:ff9b:1::1",
        "100::1",
        "2001::1",
        "2001:db8::1",
        "2002:7f00:1::1",
        "fc00::1",
        "fd00:ec2::254",
        "fe80::1",
        "fe80::1%eth0",
        "fec0::1",
        "ff02::1",
    ],
)
def test_addresses_that_must_not_be_fetched_from(text: str) -> None:
    assert not is_allowed(ip_address(text))


@pytest.mark.parametrize("text", ["8.8.8.8", "93.184.216.34", "::ffff:8.8.8.8", "2606:4700::1111", "2a00:1450::1"])
def test_public_addresses(text: str) -> None:
    assert is_allowed(ip_address(text))


@pytest.mark.parametrize(
    ("text", "network", "allowed"),
    [
        ("10.1.2.3", "10.1.0.0/16", True),
        ("::ffff:10.1.2.3", "10.1.0.0/16", True),
        ("10.2.0.1", "10.1.0.0/16", False),
        ("fd12::1", "fd12::/16", True),
        ("64:ff9b::808:808", "64:ff9b::/96", True),
        ("127.0.0.1", "::/0", False),
    ],
)
def test_exceptions(text: str, network: str, allowed: bool) -> None:
    assert is_allowed(ip_address(text), [ip_network(network)]) is allowed


def test_a_page_is_fetched_by_name_from_the_address_that_was_checked() -> None:
    with site(answering(BODY), ALLOWED) as photos:
        found = fetcher().fetch(f"http://photos.example:{photos.port}/a%20b.jpg?x=1#part")

    assert found == BODY
    [head] = photos.requests
    assert head.startswith("GET /a%20b.jpg?x=1 HTTP/1.1\r\n")
    assert f"\r\nHost: photos.example:{photos.port}\r\n" in head
    assert "Accept-Encoding: identity" in head


def test_a_name_is_resolved_once_per_hop() -> None:
    names = Names(photos=ALLOWED)
    with site(redirecting("/b.jpg"), ALLOWED) as photos, pytest.raises(FetchFailed, match="redirects"):
        UrlFetcher(SETTINGS, names).fetch(f"http://photos.example:{photos.port}/")

    assert names.asked == ["photos.example"] * (SETTINGS.fetch_redirects + 1)


@pytest.mark.parametrize(
    "addresses", [["127.0.0.1"], ["10.0.0.1"], [ALLOWED, "10.0.0.1"], ["::ffff:169.254.169.254"], ["8.8.8.8", "::1"]]
)
def test_a_name_that_leads_inside_is_refused_whatever_else_it_leads_to(addresses: list[str]) -> None:
    with site(answering(BODY)) as inside, pytest.raises(ForbiddenUrl):
        fetcher(inside=addresses).fetch(f"http://inside.example:{inside.port}/")

    assert inside.requests == []


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "169.254.169.254",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "0.0.0.0",
        "0",
        "127.1",
        "2130706433",
        "0x7f.1",
        "0177.0.0.1",
        "0x7f000001",
    ],
)
def test_every_spelling_of_an_inner_address_is_refused(host: str) -> None:
    with site(answering(BODY)) as inside, pytest.raises(ForbiddenUrl):
        UrlFetcher(SETTINGS, system_resolve).fetch(f"http://{host}:{inside.port}/")

    assert inside.requests == []


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "gopher://127.0.0.1/x",
        "ftp://photos.example/a",
        "javascript:1",
        "data:image/png;base64,AA",
    ],
)
def test_other_schemes_are_refused(url: str) -> None:
    with pytest.raises(ForbiddenUrl):
        fetcher().fetch(url)


@pytest.mark.parametrize(
    "url", ["http://user:pass@photos.example/", "http://photos.example@10.0.0.1/", "http://@photos.example/"]
)
def test_credentials_are_refused(url: str) -> None:
    with pytest.raises(ForbiddenUrl):
        fetcher().fetch(url)


@pytest.mark.parametrize(
    "url", ["http://", "http:///a", "http://[::1/", "http://a:99999/", "http://.example/", "http://*/"]
)
def test_what_is_no_url_is_named(url: str) -> None:
    with pytest.raises(BadParam) as caught:
        fetcher().fetch(f"{url}?signature=secret")
    assert caught.value.param == "url"
    assert "secret" not in caught.value.reason


@pytest.mark.parametrize(
    "to",
    [
        "http://127.0.0.1:{port}/",
        "http://inside.example:{port}/",
        "//inside.example:{port}/",
        "file:///etc/passwd",
        "gopher://photos.example/",
        "http://u:p@photos.example:{port}/",
    ],
)
def test_a_redirect_does_not_lead_inside(to: str) -> None:
    with site(answering(BODY)) as inside:
        target = to.format(port=inside.port)
        names = {"inside": "127.0.0.1", "127": "127.0.0.1"}
        with site(redirecting(target), ALLOWED) as photos, pytest.raises(ForbiddenUrl):
            fetcher(**names).fetch(f"http://photos.example:{photos.port}/")

    assert inside.requests == []


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See Other", "307 Again", "308 Moved"])
def test_a_redirect_is_followed_without_cookies(status: str) -> None:
    def send(connection: socket.socket) -> None:
        answering(b"", status, f"Location: http://other.example:{target.port}/b", "Set-Cookie: a=b")(connection)

    with site(answering(BODY), "127.0.0.3") as target, site(send, ALLOWED) as photos:
        found = fetcher(other="127.0.0.3").fetch(f"http://photos.example:{photos.port}/a")

    assert found == BODY
    assert "cookie" not in target.requests[0].lower()
    assert "referer" not in target.requests[0].lower()


@pytest.mark.parametrize("to", ["http://[::1", "http://:80:80/", ""])
def test_a_broken_redirect_is_the_servers_failure(to: str) -> None:
    with site(redirecting(to), ALLOWED) as photos, pytest.raises(FetchFailed):
        fetcher().fetch(f"http://photos.example:{photos.port}/")


def endless(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        connection.sendall(b"\xff" * 10_000)


def endless_chunks(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffff\r\n")
    while True:
        connection.sendall(b"\xff" * 10_000)


@pytest.mark.parametrize(
    "behave", [answering(b"\xff" * 100_001), answering(b"", length=10**12), endless, endless_chunks]
)
def test_more_bytes_than_allowed(behave: Behave) -> None:
    with site(behave, ALLOWED) as photos, pytest.raises(TooLarge):
        fetcher().fetch(f"http://photos.example:{photos.port}/")


def test_as_many_bytes_as_allowed() -> None:
    with site(answering(b"\xff" * 100_000), ALLOWED) as photos:
        assert len(fetcher().fetch(f"http://photos.example:{photos.port}/")) == 100_000


def endless_redirect(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n")
    while True:
        connection.sendall(b"\xff" * 10_000)


def hang_up(connection: socket.socket) -> None:
    connection.close()


def garbage(connection: socket.socket) -> None:
    connection.sendall(b"\x00\x01nonsense\r\n\r\n")


def endless_headers(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    while True:
        connection.sendall(b"X: y\r\n" * 1000)


@pytest.mark.parametrize(
    "behave",
    [
        answering(BODY, "404 Not Found"),
        answering(BODY, "500 Broken"),
        answering(BODY, "206 Partial"),
        answering(BODY, "304 Not Modified"),
        answering(BODY, "200 OK", "Content-Encoding: gzip"),
        answering(BODY, length=len(BODY) + 1),
        endless_redirect,
        hang_up,
        garbage,
        endless_headers,
    ],
)
def test_a_server_that_fails(behave: Behave) -> None:
    with site(behave, ALLOWED) as photos, pytest.raises(FetchFailed):
        fetcher().fetch(f"http://photos.example:{photos.port}/")


def test_a_name_that_nobody_has() -> None:
    with pytest.raises(FetchFailed):
        fetcher().fetch("http://nowhere.example/")


def test_a_server_that_takes_no_connection() -> None:
    with socket.socket() as closed:
        closed.bind((ALLOWED, 0))
        with pytest.raises(FetchFailed):
            fetcher().fetch(f"http://photos.example:{closed.getsockname()[1]}/")


class Hold:
    """Behaviour that sends something now and then until it is released."""

    def __init__(self, beginning: bytes, drip: bytes) -> None:
        self._beginning = beginning
        self._drip = drip
        self.released = threading.Event()

    def __call__(self, connection: socket.socket) -> None:
        connection.sendall(self._beginning)
        while not self.released.wait(0.05):
            connection.sendall(self._drip)


@pytest.mark.parametrize(
    ("beginning", "drip", "settings"),
    [
        (b"", b"", {"fetch_read_timeout": 0.3}),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", b"", {"fetch_read_timeout": 0.3}),
        (b"", b"H", {"fetch_total_timeout": 0.4}),
        (b"HTTP/1.1 200 OK\r\n", b"X: y\r\n", {"fetch_total_timeout": 0.4}),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n", b"x", {"fetch_total_timeout": 0.4}),
        (b"HTTP/1.1 200 OK\r\n\r\n", b"x", {"fetch_total_timeout": 0.4}),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n", {"fetch_total_timeout": 0.4}),
    ],
)
def test_a_server_that_is_too_slow(beginning: bytes, drip: bytes, settings: dict[str, float]) -> None:
    hold = Hold(beginning, drip)
    started = time.monotonic()
    with site(hold, ALLOWED) as photos:
        with stopwatch() as watch, pytest.raises(FetchTimeout):
            fetcher(replace(SETTINGS, **settings)).fetch(f"http://photos.example:{photos.port}/")  # type: ignore[arg-type]
        passed = time.monotonic() - started
        hold.released.set()

    assert passed > 0.25
    assert watch.seconds < 3


def test_a_server_that_never_accepts() -> None:
    with socket.socket() as full:
        full.bind((ALLOWED, 0))
        full.listen(0)
        port = full.getsockname()[1]
        waiting = [socket.socket() for _ in range(3)]
        for connection in waiting:
            connection.setblocking(False)
            connection.connect_ex((ALLOWED, port))
        with pytest.raises(FetchTimeout):
            fetcher(replace(SETTINGS, fetch_connect_timeout=0.3)).fetch(f"http://photos.example:{port}/")
        for connection in waiting:
            connection.close()


def test_a_name_server_that_does_not_answer() -> None:
    answered = threading.Event()

    def resolve(host: str, port: int) -> list[str]:
        answered.wait(20)
        return [ALLOWED]

    try:
        with pytest.raises(FetchTimeout):
            UrlFetcher(replace(SETTINGS, fetch_connect_timeout=0.3), resolve).fetch("http://photos.example/")
    finally:
        answered.set()


def test_only_half_of_the_threads_fetch() -> None:
    hold = Hold(b"HTTP/1.1 200 OK\r\n\r\n", b"x")
    ours = fetcher(replace(SETTINGS, threads=2))
    with site(hold, ALLOWED) as photos, ThreadPoolExecutor(1) as pool:
        url = f"http://photos.example:{photos.port}/"
        first = pool.submit(ours.fetch, url)
        until = time.monotonic() + 10
        while not photos.requests and time.monotonic() < until:
            threading.Event().wait(0.01)
        with pytest.raises(Backpressure):
            ours.fetch(url)
        hold.released.set()
        assert set(first.result(10)) <= {ord("x")}


def test_only_half_of_the_threads_call_a_webhook() -> None:
    hold = Hold(b"", b"")
    ours = fetcher(replace(SETTINGS, threads=2))
    with site(hold, ALLOWED) as receiver, ThreadPoolExecutor(1) as pool:
        url = f"http://photos.example:{receiver.port}/"
        first = pool.submit(ours.post, url, b"{}", {})
        until = time.monotonic() + 10
        while not receiver.requests and time.monotonic() < until:
            threading.Event().wait(0.01)
        with pytest.raises(Backpressure):
            ours.post(url, b"{}", {})
        hold.released.set()
        with pytest.raises(FetchFailed):
            first.result(10)


def test_proxies_and_netrc_of_the_environment_take_no_part(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with socket.socket() as closed, site(answering(BODY), ALLOWED) as photos:
        closed.bind(("127.0.0.1", 0))
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{closed.getsockname()[1]}")
        (tmp_path / "netrc").write_text("machine photos.example login u password p\n")
        monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
        assert fetcher().fetch(f"http://photos.example:{photos.port}/") == BODY

    assert "authorization" not in photos.requests[0].lower()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate of photos.example, signed by itself, and its key in one file."""
    file = tmp_path_factory.mktemp("tls") / "both.pem"
    command = (
        "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=photos.example"
        f" -addext subjectAltName=DNS:photos.example -keyout {file}.key -out {file}.crt"
    )
    try:
        subprocess.run(command.split(), check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("openssl is not installed")
    file.write_bytes(Path(f"{file}.key").read_bytes() + Path(f"{file}.crt").read_bytes())
    return file


@pytest.fixture
def tls(certificate: Path) -> Iterator[tuple[ssl.SSLContext, list[str | None]]]:
    """A server's side of TLS, and the names that clients asked for."""
    asked: list[str | None] = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    def note(_socket: ssl.SSLObject, name: str | None, _context: ssl.SSLContext) -> None:
        asked.append(name)

    context.sni_callback = note
    return context, asked


def test_tls_is_for_the_name_and_not_the_address(
    certificate: Path, tls: tuple[ssl.SSLContext, list[str | None]]
) -> None:
    context, asked = tls
    ours = UrlFetcher(SETTINGS, Names(photos=ALLOWED, other=ALLOWED), ca_file=str(certificate))
    with site(answering(BODY), ALLOWED, context) as photos:
        assert ours.fetch(f"https://photos.example:{photos.port}/") == BODY
        with pytest.raises(FetchFailed):
            ours.fetch(f"https://other.example:{photos.port}/")

    assert asked == ["photos.example", "other.example"]


def test_an_unknown_certificate_is_not_trusted(tls: tuple[ssl.SSLContext, list[str | None]]) -> None:
    with site(answering(BODY), ALLOWED, tls[0]) as photos, pytest.raises(FetchFailed):
        fetcher().fetch(f"https://photos.example:{photos.port}/")


def test_a_slow_tls_server_is_cut_off(certificate: Path, tls: tuple[ssl.SSLContext, list[str | None]]) -> None:
    hold = Hold(b"HTTP/1.1 200 OK\r\n\r\n", b"x")
    ours = UrlFetcher(replace(SETTINGS, fetch_total_timeout=0.5), Names(photos=ALLOWED), ca_file=str(certificate))
    with site(hold, ALLOWED, tls[0]) as photos:
        with pytest.raises(FetchTimeout):
            ours.fetch(f"https://photos.example:{photos.port}/")
        hold.released.set()


def test_every_failure_is_one_of_ours() -> None:
    """A resolver that answers nonsense is a failure of the fetch and not of the service."""
    for nonsense in ("not an address", "999.1.1.1"):
        with pytest.raises(FacerecError):
            fetcher(photos=nonsense).fetch("http://photos.example/")
