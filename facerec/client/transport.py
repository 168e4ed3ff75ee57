"""The one place where requests is used: a pool of connections, and its errors turned into ours."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.cookiejar import DefaultCookiePolicy
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter

from facerec.client.errors import BadAnswer, ClientError, Unreachable, error_of

EVENTS_SILENCE = 30.0
"""Seconds without a byte after which a stream of events counts as cut."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request. ``path`` begins with a slash and is URL-encoded already.

    The body is ``body``, ``json``, or a multipart form of ``file`` (its name and bytes), which is called ``part``, and ``fields``.
    """

    method: str
    path: str
    body: bytes | None = None
    json: object = None
    file: tuple[str, bytes] | None = None
    part: str = "file"
    fields: Mapping[str, str] | None = None
    query: Mapping[str, str | int] | None = None
    accept: str = "application/json"


@contextmanager
def mapped_errors(base_url: str) -> Iterator[None]:
    """Turn the client library's errors into ours: Unreachable when waiting may help, BadAnswer when it cannot."""
    try:
        yield
    except requests.exceptions.SSLError as error:
        raise BadAnswer(f"no trusted connection: {error}") from error
    except (
        requests.ConnectionError,
        requests.Timeout,
        requests.exceptions.ChunkedEncodingError,
        requests.exceptions.ContentDecodingError,
    ) as error:
        raise Unreachable(f"no answer from {base_url}: {_innermost(error)}") from error
    except requests.RequestException as error:
        raise BadAnswer(str(error)) from error


def _innermost(error: BaseException) -> str:
    """The cause that a person understands: the library wraps it several times."""
    inner = error
    while inner.args and isinstance(inner.args[-1], BaseException):
        inner = inner.args[-1]
    reason = getattr(inner, "reason", None)
    if isinstance(reason, BaseException):
        return _innermost(reason)
    if isinstance(inner.__cause__, OSError) and inner.__cause__.strerror:
        return inner.__cause__.strerror.lower()
    return str(inner) or type(inner).__name__


class _TokenAuth(requests.auth.AuthBase):
    """Sends our token, or nothing: without it the library would send what a .netrc file says."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._token:
            request.headers["Authorization"] = f"Token {self._token}"
        return request


class Transport:
    """Sends calls to one service; safe for many threads. Proxy settings of the environment are not heeded.

    ``timeout`` is the limit in seconds for connecting and for each wait for bytes. ``ca_file`` is a certificate authority to
    trust instead of the well-known ones. Raises ValueError for an address or a token that cannot be one.
    """

    def __init__(self, base_url: str, token: str, timeout: float, connections: int, ca_file: Path | None) -> None:
        self.base_url = checked_base(base_url)
        if not (token.isascii() and token.isprintable()):
            raise ValueError(
                "what was given as token cannot be one: it has letters beyond ASCII, or control characters"
            )
        self._timeout = timeout
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.verify = True if ca_file is None else str(ca_file)
        self._session.auth = _TokenAuth(token)
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        # One more for the stream of events.
        adapter = HTTPAdapter(pool_connections=1, pool_maxsize=connections + 1)
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, adapter)

    def json(self, call: Call) -> Any:
        """The answer's JSON. Raises ApiError, Unreachable, BadAnswer."""
        return json_of(self.send(call))

    def send(self, call: Call) -> requests.Response:
        """The answer, whatever its status, but no redirect. Raises Unreachable, BadAnswer."""
        with mapped_errors(self.base_url):
            response = self._request(call, stream=False, silence=self._timeout)
        return _not_redirected(response)

    def stream(self, call: Call) -> Iterator[bytes]:
        """The bytes of a good answer as they come; first none, when it begins. Raises ApiError, Unreachable, BadAnswer."""
        with mapped_errors(self.base_url), self._request(call, stream=True, silence=EVENTS_SILENCE) as response:
            if not _not_redirected(response).ok:
                raise _error_in(response)
            yield b""
            # In pieces as the server sent them; without pieces the library would wait for the end.
            yield from response.iter_content(None if response.raw.chunked else 1)

    def _request(self, call: Call, *, stream: bool, silence: float) -> requests.Response:
        return self._session.request(
            call.method,
            self.base_url + call.path,
            params=dict(call.query or {}),
            data=dict(call.fields or {}) if call.file else call.body,
            json=call.json,
            files={call.part: call.file} if call.file else None,
            headers={"Accept": call.accept, "User-Agent": "facerec-client"},
            timeout=(self._timeout, silence),
            allow_redirects=False,
            stream=stream,
        )

    def close(self) -> None:
        self._session.close()


def checked_base(url: str) -> str:
    """``url`` without a slash at its end. Raises ValueError unless it is an http(s) address without query."""
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        raise ValueError(f"{url!r} is no address of a service: it must look like http://host:5000")
    if parts.username is not None:
        raise ValueError("the address must not hold a user name; use a token")
    return url.rstrip("/")


def json_of(response: requests.Response) -> Any:
    """The JSON of a good answer, None when it has no content. Raises ApiError, Unreachable, BadAnswer."""
    if not response.ok:
        raise _error_in(response)
    if response.status_code == 204:
        return None
    try:
        return response.json()
    except requests.exceptions.JSONDecodeError as error:
        raise BadAnswer(f"{response.url} answers with something that is no JSON; is the address right?") from error


def _not_redirected(response: requests.Response) -> requests.Response:
    """A redirect is not followed: the token would go with it, and a POST would become a GET."""
    if 300 <= response.status_code < 400:
        raise BadAnswer(f"the service is at another address: {response.headers.get('Location', 'not said where')}")
    return response


def _error_in(response: requests.Response) -> ClientError:
    try:
        document = response.json()
    except requests.exceptions.JSONDecodeError:
        document = None
    return error_of(response.status_code, document, response.headers.get("Retry-After"))
