"""Fetching the image behind a URL that a stranger gave, without reaching what only we can reach.

At every hop: the host name is resolved, every address it has is checked, and the connection goes to the very address that
was checked, so that a name cannot point elsewhere a moment later (DNS rebinding). The host name stays in the Host header,
in SNI and in the check of the certificate. Redirects are followed by hand. Nothing of the environment (proxies, .netrc)
takes part, and no cookie or credential is ever sent.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from ipaddress import ip_address
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError, ReadTimeoutError
from urllib3.poolmanager import PoolManager

from facerec import __version__
from facerec.adapters.addresses import Resolve, is_allowed, system_resolve
from facerec.config import RestSettings
from facerec.errors import Backpressure, BadParam, FetchFailed, FetchTimeout, ForbiddenUrl, TooLarge

_PIECE = 64 * 1024
_RETRY_AFTER = 5
_REDIRECTS = {301, 302, 303, 307, 308}


class UrlFetcher:
    """`rest.services.Fetcher`. Safe for many threads; at most half of them fetch or post at once, so that the others can serve."""

    def __init__(
        self,
        settings: RestSettings,
        resolve: Resolve = system_resolve,
        ca_file: str | None = None,
        at_once: int | None = None,
    ) -> None:
        """``ca_file`` replaces the certificate authorities that the client library trusts, ``at_once`` the half of the threads.

        A name that is resolved for ever takes one of as many places, and those of others stay free.
        """
        self._settings = settings
        self._resolve = resolve
        self._verify = ca_file or True
        self._slots = threading.BoundedSemaphore(at_once or max(1, settings.threads // 2))
        # Resolving has no time limit of its own, so it happens where it can be left behind.
        self._resolvers = ThreadPoolExecutor(at_once or settings.threads, thread_name_prefix="resolve")

    def fetch(self, url: str) -> bytes:
        """What a GET of ``url`` gives in the end.

        Raises BadParam, ForbiddenUrl, TooLarge (while reading), FetchFailed, FetchTimeout, Backpressure.
        """
        with self._slot(), Deadline(self._settings.fetch_total_timeout) as deadline:
            return self._follow(url, deadline)

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> int:
        """The status of the answer to a POST; redirects are not followed, and of the answer nothing else is read.

        Raises BadParam, ForbiddenUrl, FetchFailed, FetchTimeout, Backpressure.
        """
        request = _first_request(url, "POST", body, headers)
        with (
            self._slot(),
            Deadline(self._settings.fetch_total_timeout) as deadline,
            _adapter(partial(self._connect, deadline)) as adapter,
            _mapped_errors(deadline),
            self._send(adapter, request) as response,
        ):
            return int(response.status_code)

    @contextmanager
    def _slot(self) -> Iterator[None]:
        if not self._slots.acquire(blocking=False):
            raise Backpressure("too many URLs are being fetched; come again later", _RETRY_AFTER)
        try:
            yield
        finally:
            self._slots.release()

    def _follow(self, url: str, deadline: Deadline) -> bytes:
        request = _first_request(url)
        with _adapter(partial(self._connect, deadline)) as adapter:
            for _ in range(self._settings.fetch_redirects + 1):
                with _mapped_errors(deadline), self._send(adapter, request) as response:
                    if response.status_code not in _REDIRECTS:
                        return self._read(response, deadline)
                    request = _next_request(str(request.url), response)
        raise FetchFailed(f"more than {self._settings.fetch_redirects} redirects")

    @contextmanager
    def _send(self, adapter: HTTPAdapter, request: requests.PreparedRequest) -> Iterator[requests.Response]:
        timeout = (self._settings.fetch_connect_timeout, self._settings.fetch_read_timeout)
        response = adapter.send(request, stream=True, timeout=timeout, verify=self._verify, proxies={})
        try:
            yield response
        finally:
            response.raw.close()

    def _read(self, response: requests.Response, deadline: Deadline) -> bytes:
        if response.status_code != 200:
            raise FetchFailed(f"the server answered {response.status_code}")
        if response.headers.get("Content-Encoding", "identity").lower() != "identity":
            raise FetchFailed("the server sends compressed what was asked for plain")
        limit = self._settings.max_upload_bytes
        announced = response.headers.get("Content-Length", "")
        if announced.isdecimal() and int(announced) > limit:
            raise TooLarge(f"more than {limit} bytes")
        pieces = []
        size = 0
        for piece in response.raw.stream(_PIECE, decode_content=False):
            size += len(piece)
            if size > limit:
                raise TooLarge(f"more than {limit} bytes")
            pieces.append(piece)
        deadline.check()  # its end looks like the end of a body without a length
        return b"".join(pieces)

    def _connect(self, deadline: Deadline, host: str, port: int) -> socket.socket:
        """A connection to a checked address of ``host``. Raises ForbiddenUrl, FetchFailed, FetchTimeout."""
        failure: OSError | None = None
        for address in self._checked(host, port):
            try:
                connection = socket.create_connection((address, port), self._settings.fetch_connect_timeout)
            except OSError as error:
                failure = error
                deadline.check()
                continue
            deadline.guard(connection)
            return connection
        if isinstance(failure, TimeoutError):
            raise FetchTimeout("the server takes no connection in time") from failure
        raise FetchFailed(f"no connection to the server: {failure}") from failure

    def _checked(self, host: str, port: int) -> list[str]:
        """All addresses of ``host``. Raises ForbiddenUrl when one of them is not allowed, FetchFailed, FetchTimeout."""
        name = host.strip("[]")
        try:
            found = self._resolvers.submit(self._resolve, name, port).result(self._settings.fetch_connect_timeout)
        except TimeoutError as error:
            raise FetchTimeout(f"the name {name} is not resolved in time") from error
        except OSError as error:
            raise FetchFailed(f"the name {name} cannot be resolved") from error
        for address in found:
            if not is_allowed(ip_address(address), self._settings.allow_fetch_from):
                raise ForbiddenUrl(f"{name} leads to an address that must not be fetched from")
        return list(found)


class Deadline:
    """A time limit for a whole fetch: when it passes, the guarded connection is cut under its reader.

    The limits of the client library hold for single reads, so a server that sends a byte now and then could stretch a
    fetch for ever.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._until = time.monotonic() + seconds
        self._lock = threading.Lock()
        self._guarded: list[socket.socket] = []
        self._timer = threading.Timer(seconds, self._cut)
        self._timer.daemon = True

    def __enter__(self) -> Deadline:
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        with self._lock:
            for connection in self._guarded:
                connection.close()
            self._guarded.clear()

    def guard(self, connection: socket.socket) -> None:
        """Cut ``connection`` when time is up. A duplicate is kept, because TLS takes the original over."""
        with self._lock:
            self._guarded.append(connection.dup())
        self.check()

    def check(self) -> None:
        """Raises FetchTimeout when time is up."""
        if time.monotonic() >= self._until:
            raise FetchTimeout(f"the fetch took more than {self._seconds:g} seconds")

    def _cut(self) -> None:
        with self._lock:
            for connection in self._guarded:
                with suppress(OSError):  # it may be closed already
                    connection.shutdown(socket.SHUT_RDWR)


@contextmanager
def _mapped_errors(deadline: Deadline) -> Iterator[None]:
    """Turn the client library's errors into ours."""
    try:
        yield
    except (requests.Timeout, ReadTimeoutError) as error:
        raise FetchTimeout("the server took too long") from error
    except (requests.RequestException, HTTPError, OSError, ValueError) as error:
        deadline.check()
        raise FetchFailed(f"the server failed: {type(error).__name__}") from error


def _first_request(
    url: str, method: str = "GET", body: bytes | None = None, headers: Mapping[str, str] | None = None
) -> requests.PreparedRequest:
    try:
        return _request(url, method, body, headers)
    except (requests.RequestException, ValueError) as error:
        raise BadParam("url", f"this is no URL: {type(error).__name__}", url[:100]) from error


def _next_request(url: str, response: requests.Response) -> requests.PreparedRequest:
    location = response.headers.get("Location")
    if not location:
        raise FetchFailed(f"the server answered {response.status_code} without a Location")
    # http.client reads headers as Latin-1, servers send UTF-8
    return _request(urljoin(url, location.encode("latin-1").decode("utf-8", "replace")))


def _request(
    url: str, method: str = "GET", body: bytes | None = None, headers: Mapping[str, str] | None = None
) -> requests.PreparedRequest:
    """Raises ForbiddenUrl, ValueError and the client library's errors for what is no URL."""
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"}:
        raise ForbiddenUrl("only http and https are fetched")
    if "@" in parts.netloc:
        raise ForbiddenUrl("a URL with a user name or password is not fetched")
    accept = "image/*,*/*;q=0.1" if method == "GET" else "*/*"
    always = {"User-Agent": f"facerec/{__version__}", "Accept": accept, "Accept-Encoding": "identity"}
    return requests.Request(method, url, headers=always | dict(headers or {}), data=body).prepare()


Connect = Callable[[str, int], socket.socket]


@contextmanager
def _adapter(connect: Connect) -> Iterator[HTTPAdapter]:
    """An adapter, without pooling over fetches, whose connections are made by ``connect``."""
    adapter = _CheckingAdapter(connect)
    try:
        yield adapter
    finally:
        adapter.close()


class _CheckingAdapter(HTTPAdapter):
    def __init__(self, connect: Connect) -> None:
        self._connect = connect
        super().__init__(pool_connections=1, pool_maxsize=1, max_retries=0)

    def init_poolmanager(self, *_: Any, **__: Any) -> None:
        self.poolmanager = _CheckingPools(self._connect)


class _CheckingPools(PoolManager):
    def __init__(self, connect: Connect) -> None:
        super().__init__(num_pools=1, maxsize=1)
        self._connect = connect

    def _new_pool(self, scheme: str, *arguments: Any, **keywords: Any) -> Any:
        pool = super()._new_pool(scheme, *arguments, **keywords)
        kind = _CheckedHTTPS if scheme == "https" else _CheckedHTTP
        pool.ConnectionCls = partial(kind, connect=self._connect)  # type: ignore[assignment]
        return pool


class _CheckedHTTP(HTTPConnection):
    def __init__(self, *arguments: Any, connect: Connect, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self._connect_to = connect

    def _new_conn(self) -> socket.socket:
        return self._connect_to(self.host, self.port or 80)


class _CheckedHTTPS(HTTPSConnection):
    def __init__(self, *arguments: Any, connect: Connect, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self._connect_to = connect

    def _new_conn(self) -> socket.socket:
        return self._connect_to(self.host, self.port or 443)
