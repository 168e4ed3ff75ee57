"""Bases for a plugin's own paths: a class with methods ``get``, ``post`` ..., async or not, for each request a new object."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from facerec.errors import BadParam
from facerec.plugins.context import Context, ExtractionFace


class BaseHandler:
    """``user`` is the owner of the request's token. What a method returns is answered: text, bytes, JSON, or pieces of a stream."""

    def __init__(self, ctx: Context, user: str, parameters: Mapping[str, Any], files: Mapping[str, bytes]) -> None:
        self.ctx = ctx
        self.user = user
        self.parameters = parameters
        self.files = files
        self.status = 200
        self.content_type = ""
        self.timings: dict[str, float] = {}
        self.written: list[str | bytes] = []

    def write(self, piece: str | bytes) -> None:
        """Add to the answer."""
        self.written.append(piece)

    @contextmanager
    def timeit(self, key: str) -> Iterator[None]:
        """Measure what happens inside, in seconds, under a key of ``timings``."""
        started = time.monotonic()
        try:
            yield
        finally:
            self.timings[key] = self.timings.get(key, 0.0) + time.monotonic() - started


class BaseVideoHandler(BaseHandler):
    """Takes the posts of a video detector: override `process_frame`."""

    async def post(self, *args: str) -> Any:
        """Raises BadParam for a frame without a picture, or with a time or parameters that cannot be read."""
        image = self.files.get("photo")
        if image is None:
            raise BadParam("photo", "a frame is a file of a multipart body")
        timestamp, detector_info = (
            self._read("timestamp", datetime.fromisoformat),
            self._read("detectorParams", json.loads),
        )
        with self.timeit("extract"):
            faces = await self.ctx.extractor.extract(self.user, image)
        return await self.process_frame(
            *args,
            image=image,
            faces=faces,
            timestamp=timestamp,
            detector_info=detector_info,
            cam_id=self.parameters.get("cam_id"),
        )

    def _read(self, name: str, parse: Callable[[str], Any]) -> Any:
        text = self.parameters.get(name)
        if not isinstance(text, str) or not text:
            return None
        try:
            return parse(text)
        except ValueError as error:
            raise BadParam(name, f"cannot be read: {error}", text[:100]) from error

    async def process_frame(
        self, *args: str, image: bytes, faces: list[ExtractionFace], timestamp: Any, detector_info: Any, **kwargs: Any
    ) -> Any:
        """Answer a frame; ``faces`` are all that the photo shows, ``timestamp`` is a datetime, ``detector_info`` the parsed
        detectorParams; both None when they were not sent.
        """
        raise NotImplementedError
