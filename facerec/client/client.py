"""The client class: one method for each thing that the service does."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Iterator
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl, quote, urlsplit

from facerec.client.errors import Busy, Unavailable, Unreachable, WaitTimeout
from facerec.client.patience import Patience
from facerec.client.people import People
from facerec.client.transport import Call, Transport
from facerec.client.watch import End, Watch

DEFAULT_URL = "http://127.0.0.1:5000"
_REPEATABLE = (Busy, Unavailable, Unreachable)
_NOT_DONE = (Busy, Unavailable)
"""Answers that say that nothing was done, so that a call which must not be made twice may be repeated."""


class Client:
    """Talks to one facerec service on behalf of one token's owner. Safe for many threads; connects when first used.

    ``timeout``: seconds for connecting and for each wait for bytes. ``patience``: seconds that one call may wait altogether
    while the queue is full (429), a part of the service is away (503) or nobody answers; it comes again when the service's
    Retry-After says so. With 0 such an answer is raised at once as Busy, Unavailable or Unreachable, else as ServiceAway when
    the patience ends. ``connections``: how many are kept open, best as many as threads call.

    ``people`` has the methods about persons. Every method may raise `ClientError`; the tree is in `facerec.client.errors`.
    """

    def __init__(
        self,
        base_url: str = DEFAULT_URL,
        token: str = "",
        *,
        timeout: float = 30.0,
        patience: float = 0.0,
        connections: int = 8,
        ca_file: Path | None = None,
    ) -> None:
        self._transport = Transport(base_url, token, timeout, connections, ca_file)
        self._patience_limit = patience
        self._patience = Patience(patience)
        self.people = People(self.call)

    @property
    def base_url(self) -> str:
        return self._transport.base_url

    # -- scanning ---------------------------------------------------------------------------------------------------------

    def scan_file(self, picture: str | PathLike[str] | bytes, name: str | None = None) -> str:
        """Have a picture scanned, given as path or bytes; its hash, when the service has promised to do it.

        ``name`` is what the picture is called from then on, the file's own name by default; bytes need one.
        Raises OSError when the file cannot be read, ValueError for a name that cannot be sent.
        """
        if isinstance(picture, bytes):
            body = picture
        else:
            body = Path(picture).read_bytes()
            name = name or Path(picture).name
        call = Call("POST", f"/scan/image/{quoted_name(name or '')}", body=body)
        return str(self.call(call)["hash"])

    def scan_url(self, url: str) -> str:
        """Have the picture behind a URL scanned, which the service fetches; its hash."""
        return str(self.call(Call("POST", "/scan/url", json={"url": url}))["hash"])

    def wait(self, hashes: Iterable[str], timeout: float | None = None) -> Iterator[End]:
        """The ends of these images in the order in which they come. Raises WaitTimeout after ``timeout`` seconds.

        An image that was scanned already ends at once.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        wanted = set(hashes)
        watch = self.watch()
        try:
            for image_hash in wanted:
                watch.add(image_hash)
            while wanted:
                left = 10.0 if deadline is None else deadline - time.monotonic()
                if left <= 0:
                    raise WaitTimeout(f"{len(wanted)} images were not finished after {timeout:g} s", wanted)
                for end in watch.next(left):
                    wanted.discard(end.hash)
                    yield end
        finally:
            watch.close()

    def watch(self) -> Watch:
        """For those who wait for images while they still send others. Close it after use."""
        return Watch(self._transport, self._patience_limit)

    # -- looking ----------------------------------------------------------------------------------------------------------

    def match(self, image_hash: str) -> list[str]:
        """The sorted names of the images that show a face of this image; its own are not in it."""
        return [str(name) for name in self.call(Call("GET", f"/match/{quote(image_hash, safe='')}"))]

    def image(self, image_hash: str) -> dict[str, Any]:
        """The image document. Raises Missing."""
        return dict(self.call(Call("GET", f"/images/{quote(image_hash, safe='')}")))

    def images(self, state: str | None = None, name: str | None = None, page: int = 500) -> Iterator[dict[str, Any]]:
        """The documents of all images without their faces, newest first; of one ``state``, or with names that begin so."""
        wished = {"state": state, "name": name, "limit": page}
        return self.pages("/images", {key: value for key, value in wished.items() if value is not None})

    def pages(self, path: str, query: dict[str, str | int]) -> Iterator[dict[str, Any]]:
        """What is in the ``results`` of a list, page after page."""
        while True:
            answer = self.call(Call("GET", path, query=query))
            yield from answer["results"]
            following = answer.get("next_page")
            if not following:
                return
            query = dict(parse_qsl(urlsplit(following).query, keep_blank_values=True))

    def erase(self, image_hash: str) -> dict[str, Any]:
        """Erase an image; the receipt. Raises Missing."""
        return dict(self.call(Call("DELETE", f"/images/{quote(image_hash, safe='')}"), once=True))

    def identify(
        self,
        picture: str | PathLike[str] | bytes,
        preset: str | None = None,
        tolerance: float | None = None,
        n: int = 5,
    ) -> dict[str, Any]:
        """Who is on a picture that is not stored: for each face the ``n`` nearest known ones, or ``unknown``.

        ``preset``: strict, medium or low; or ``tolerance``, the largest distance that counts. Raises OSError, ClientError.
        """
        body = picture if isinstance(picture, bytes) else Path(picture).read_bytes()
        name = "picture" if isinstance(picture, bytes) else Path(picture).name
        wished = {"preset": preset, "tolerance": tolerance, "n": n}
        fields = {key: str(value) for key, value in wished.items() if value is not None}
        return dict(self.call(Call("POST", "/identify", file=(name, body), fields=fields)))

    # -- operating --------------------------------------------------------------------------------------------------------

    def status(self) -> dict[str, Any]:
        """The state of every part, images by state, jobs that wait, dead letters, workers. Never waits."""
        return dict(self._transport.json(Call("GET", "/status")))

    def dead(self) -> list[dict[str, Any]]:
        """The jobs that were given up, oldest first."""
        return list(self.pages("/dead", {}))

    def redrive(self, hashes: Collection[str] | None = None) -> list[str]:
        """Queue given up jobs once more, those of some images or all; the hashes of those that were."""
        return self._pick("/dead/redrive", hashes)

    def drop(self, hashes: Collection[str] | None = None) -> list[str]:
        """Throw given up jobs away, those of some images or all; the hashes of those that were."""
        return self._pick("/dead/drop", hashes)

    def _pick(self, path: str, hashes: Collection[str] | None) -> list[str]:
        which = {"all": True} if hashes is None else {"hashes": sorted(hashes)}
        return [str(each) for each in self.call(Call("POST", path, json=which), once=True)["hashes"]]

    # -- anything else ----------------------------------------------------------------------------------------------------

    def call(self, call: Call, *, once: bool = False) -> Any:
        """The JSON of any call, with patience; ``once``: not repeated when it may have been done already."""
        return self._patience.call(lambda: self._transport.json(call), _NOT_DONE if once else _REPEATABLE)

    def end_patience(self) -> None:
        """Calls that wait, in other threads, wait no longer but raise ServiceAway."""
        self._patience.end()

    def close(self) -> None:
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def quoted_name(name: str) -> str:
    """``name`` as a part of a path. Raises ValueError for one that would arrive as another or not at all."""
    if not name or any(part in {".", ".."} for part in name.split("/")):
        raise ValueError(f"{name!r} cannot be the name of an image")
    try:
        return quote(name, safe="/")
    except UnicodeEncodeError as error:
        raise ValueError(f"{name!r} is no text: a name must be UTF-8") from error
