"""How the worker and its engine children talk: frames over a pair of pipes.

A frame is two unsigned 32 bit big-endian lengths, a JSON object of the first length and raw bytes of the second. Nothing
that comes out of a child can make its parent run code, whatever a hostile picture did to the child.
"""

from __future__ import annotations

import json
import os
import select
import struct
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from facerec.errors import ChildDied, EngineFailure, TimeLimitExceeded
from facerec.faces import Analysis, Box, Model, Renderings
from facerec.records import PackedFaces, join_records, records_of, split_records

_LENGTHS = struct.Struct(">II")
_CHUNK = 1 << 20


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


def analysis_of(header: Mapping[str, Any], body: bytes) -> Analysis:
    """The analysis in a frame. Raises InternalError when a face record is damaged."""
    chips_start = header["records"]
    chips_end = chips_start + header["chips"]
    return Analysis(
        width=header["width"],
        height=header["height"],
        model=Model(header["model"]),
        faces=PackedFaces(split_records(body[:chips_start])),
        chips=tuple(split_records(body[chips_start:chips_end])),
        renderings=_split_renderings(body[chips_end:]),
    )


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

    def send(self, header: Mapping[str, Any], body: bytes = b"") -> None:
        """Raises ChildDied when the other end is gone."""
        text = json.dumps(header).encode()
        try:
            for part in (_LENGTHS.pack(len(text), len(body)) + text, body):
                view = memoryview(part)
                while view:
                    view = view[os.write(self._writing, view[:_CHUNK]) :]
        except OSError as error:
            raise ChildDied(f"the pipe broke: {error.strerror}") from error

    def receive(self, seconds: float | None = None) -> tuple[dict[str, Any], bytes]:
        """The next frame. Raises TimeLimitExceeded after ``seconds``, ChildDied when the other end is gone."""
        deadline = None if seconds is None else time.monotonic() + seconds
        text_size, body_size = _LENGTHS.unpack(self._read(_LENGTHS.size, deadline))
        text = self._read(text_size, deadline)
        body = self._read(body_size, deadline)
        try:
            header = json.loads(text)
        except ValueError as error:
            raise EngineFailure("a child answered with no frame of ours") from error
        return header, body

    def close(self) -> None:
        os.close(self._reading)
        os.close(self._writing)

    def _read(self, size: int, deadline: float | None) -> bytes:
        parts: list[bytes] = []
        missing = size
        while missing:
            if deadline is not None:
                self._wait(deadline)
            part = os.read(self._reading, min(missing, _CHUNK))
            if not part:
                raise ChildDied("the pipe was closed")
            parts.append(part)
            missing -= len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _wait(self, deadline: float) -> None:
        poll = select.poll()
        poll.register(self._reading, select.POLLIN)
        if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
            raise TimeLimitExceeded("the time limit of a job has passed")


def tell_fds(pipes: Sequence[int]) -> str:
    """File descriptors as an argument for a child."""
    return ",".join(str(pipe) for pipe in pipes)
