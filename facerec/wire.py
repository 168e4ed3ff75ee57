"""How the worker and its engine children talk: frames over a pair of pipes.

A frame is two unsigned 32 bit big-endian lengths, a JSON object of the first length and raw bytes of the second. Nothing
that comes out of a child can make its parent run code, whatever a hostile picture did to the child.
"""

from __future__ import annotations

import json
import math
import os
import select
import struct
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from facerec.errors import ChildDied, EngineFailure, InternalError, TimeLimitExceeded
from facerec.faces import Analysis, Box, Model, Renderings
from facerec.identity import FACES_PER_IMAGE
from facerec.nesting import parse_shallow_json
from facerec.records import PackedFaces, join_records, records_of, split_records

_LENGTHS = struct.Struct(">II")
_CHUNK = 1 << 20
_MAX_HEADER = 1 << 24
_MAX_BODY = 1 << 30
_BEYOND = 1 << 31
"""More pixels, bytes or models than there can be."""


@dataclass(frozen=True, slots=True)
class Task:
    """Work for an engine: find all faces of ``image``, or encode those in ``boxes``. ``model`` None is the worker's own.

    ``pictures`` asks for chips and renderings as well. ``chips``: ``image`` is no picture but joined chips (`join_records`);
    of the faces in the answer only the encodings mean anything.
    """

    image: bytes
    model: Model | None = None
    boxes: tuple[Box, ...] | None = None
    pictures: bool = False
    chips: bool = False

    @property
    def header(self) -> dict[str, Any]:
        boxes = None if self.boxes is None else [[box.top, box.right, box.bottom, box.left] for box in self.boxes]
        model = None if self.model is None else self.model.value
        return {"model": model, "boxes": boxes, "pictures": self.pictures, "chips": self.chips}

    @classmethod
    def from_frame(cls, header: Mapping[str, Any], body: bytes) -> Task:
        model, boxes = header["model"], header["boxes"]
        return cls(
            image=body,
            model=None if model is None else Model(model),
            boxes=None if boxes is None else tuple(Box(*box) for box in boxes),
            pictures=bool(header["pictures"]),
            chips=bool(header["chips"]),
        )


def analysis_frame(analysis: Analysis) -> tuple[dict[str, Any], bytes]:
    """An analysis as the header and body of a frame."""
    records = join_records(records_of(analysis.faces, range(len(analysis.faces))))
    chips = join_records(analysis.chips)
    header = {
        "ok": True,
        "width": analysis.width,
        "height": analysis.height,
        "model": analysis.model.value,
        "records": len(records),
        "chips": len(chips),
    }
    return header, records + chips + _join_renderings(analysis.renderings)


def analysis_of(header: Mapping[str, Any], body: bytes, task: Task) -> Analysis:
    """The analysis in the answer to ``task``. Raises EngineFailure when it is none, or none of that task.

    Everything is looked at here: a hostile picture may have taken the child over, and those behind trust what they get.
    """
    try:
        chips_start = _natural(header, "records")
        chips_end = chips_start + _natural(header, "chips")
        if chips_end > len(body):
            raise ValueError("the body is shorter than it should be")
        analysis = Analysis(
            width=_natural(header, "width"),
            height=_natural(header, "height"),
            model=Model(_natural(header, "model")),
            faces=PackedFaces(split_records(body[:chips_start])),
            chips=tuple(split_records(body[chips_start:chips_end])),
            renderings=_split_renderings(body[chips_end:]),
        )
        _check(analysis, task)
    except (ValueError, InternalError) as error:
        raise EngineFailure(f"a child gave an answer that cannot be: {error}") from error
    return analysis


def _natural(header: Mapping[str, Any], name: str) -> int:
    value = header.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < _BEYOND:
        raise ValueError(f"{name} is no number that can be")
    return value


def _check(analysis: Analysis, task: Task) -> None:
    """Raises ValueError when parts do not fit each other or the task."""
    count = len(analysis.faces)
    wanted = sum(1 for _ in split_records(task.image)) if task.chips else count
    if count != (wanted if task.boxes is None else len(task.boxes)):
        raise ValueError(f"{count} faces")
    if count > FACES_PER_IMAGE and task.boxes is None and not task.chips:
        raise ValueError(f"{count} faces of one picture")
    if task.model not in (None, analysis.model):
        raise ValueError("another model")
    if len(analysis.chips) not in (0, count):
        raise ValueError(f"{len(analysis.chips)} chips of {count} faces")
    if analysis.renderings and len(analysis.renderings.thumbnails) != count:
        raise ValueError(f"{len(analysis.renderings.thumbnails)} thumbnails of {count} faces")
    for face in analysis.faces:
        if face.model is not analysis.model:
            raise ValueError("a face of another model")
        if not (math.isfinite(face.confidence) and np.isfinite(face.encoding).all()):
            raise ValueError("a face with what is no number")
        if any(max(abs(point.x), abs(point.y)) >= _BEYOND for point in face.landmarks):
            raise ValueError("a landmark outside of every picture")


def _join_renderings(renderings: Renderings | None) -> bytes:
    if renderings is None:
        return b""
    return join_records([renderings.preview, renderings.small, *renderings.thumbnails])


def _split_renderings(joined: bytes) -> Renderings | None:
    if not joined:
        return None
    preview, small, *thumbnails = split_records(joined)
    return Renderings(preview, small, tuple(thumbnails))


class FramePipe:
    """One end of a pair of pipes. ``reading`` and ``writing`` are file descriptors that it owns from now on."""

    def __init__(self, reading: int, writing: int) -> None:
        self._reading = reading
        self._writing = writing
        # A write takes what fits, so that a reader that hangs holds nobody for longer than the deadline.
        os.set_blocking(writing, False)

    def send(self, header: Mapping[str, Any], body: bytes = b"", seconds: float | None = None) -> None:
        """Raises TimeLimitExceeded after ``seconds``, ChildDied when the other end is gone."""
        deadline = None if seconds is None else time.monotonic() + seconds
        text = json.dumps(header).encode()
        try:
            for part in (_LENGTHS.pack(len(text), len(body)) + text, body):
                view = memoryview(part)
                while view:
                    _wait(self._writing, select.POLLOUT, deadline)
                    view = view[os.write(self._writing, view[:_CHUNK]) :]
        except OSError as error:
            raise ChildDied(f"the pipe broke: {error.strerror}") from error

    def receive(self, seconds: float | None = None) -> tuple[dict[str, Any], bytes]:
        """The next frame. Raises TimeLimitExceeded after ``seconds``, ChildDied when the other end is gone, EngineFailure for
        what is no frame or larger than any of ours."""
        deadline = None if seconds is None else time.monotonic() + seconds
        text_size, body_size = _LENGTHS.unpack(self._read(_LENGTHS.size, deadline))
        if text_size > _MAX_HEADER or body_size > _MAX_BODY:
            raise EngineFailure("a frame is larger than any of ours")
        text = self._read(text_size, deadline)
        body = self._read(body_size, deadline)
        try:
            header = parse_shallow_json(text.decode())
        except ValueError as error:
            raise EngineFailure("a frame has no header of ours") from error
        if not isinstance(header, dict):
            raise EngineFailure("a frame has no header of ours")
        return header, body

    def close(self) -> None:
        os.close(self._reading)
        os.close(self._writing)

    def _read(self, size: int, deadline: float | None) -> bytes:
        parts: list[bytes] = []
        missing = size
        while missing:
            _wait(self._reading, select.POLLIN, deadline)
            part = os.read(self._reading, min(missing, _CHUNK))
            if not part:
                raise ChildDied("the pipe was closed")
            parts.append(part)
            missing -= len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)


def _wait(pipe: int, event: int, deadline: float | None) -> None:
    """Until ``event`` of a file descriptor. Raises TimeLimitExceeded."""
    poll = select.poll()
    poll.register(pipe, event)
    if not poll.poll(None if deadline is None else max(0.0, deadline - time.monotonic()) * 1000):
        raise TimeLimitExceeded("the time limit of a job has passed")


def tell_fds(pipes: Sequence[int]) -> str:
    """File descriptors as an argument for a child."""
    return ",".join(str(pipe) for pipe in pipes)
