"""An engine for tests: no networks, no dlib, answers at once and always the same.

What the bytes of the "picture" begin with says what happens:

=============  =====================================================================================================
``FACES:``     the rest is JSON and says what is found, see ``_told``
``CRASH``      the process kills itself with SIGKILL
``HANG``       never returns
``BROKEN``     UnreadableImage
nothing        UnsupportedImage
anything else  0 to 3 faces that follow from the SHA-256 of the bytes; those of different bytes never match
=============  =====================================================================================================

A real picture, which the front door lets pass, carries such a text behind its end: what follows the last line ``FAKE:``.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facerec.engine.chips import CHIP_SIZE, chip_from_png, chip_to_png
from facerec.engine.detection import checked
from facerec.engine.options import EngineOptions
from facerec.errors import UnreadableImage, UnsupportedImage
from facerec.faces import ENCODING_LENGTH, Analysis, Box, Encoding, Face, Mark, Model, Point

MARK = b"\nFAKE:\n"
WIDTH, HEIGHT = 640, 480
"""Size of every picture that does not say its own."""


@dataclass(frozen=True, slots=True, eq=False)
class _Scene:
    width: int
    height: int
    faces: tuple[Face, ...]


class FakeEngine:
    """``FaceEngine`` that looks at no pixel. ``options`` are heeded as far as ``chips``."""

    device = "cpu"

    def __init__(self, model: Model = Model.HOG, options: EngineOptions | None = None) -> None:
        self.model = model
        self._chips = options is not None and options.chips

    def faces(self, image: bytes) -> Analysis:
        """The faces of the picture, as the head of this module says."""
        scene = self._scene(image)
        return self._analysis(scene, scene.faces)

    def faces_many(self, images: Sequence[bytes]) -> list[Analysis]:
        """``faces`` of each picture."""
        return [self.faces(image) for image in images]

    def compute(self, image: bytes, boxes: Sequence[Box]) -> Analysis:
        """The face in each box: the one that ``faces`` finds exactly there, or one that follows from bytes and box."""
        scene = self._scene(image)
        known = {face.box: face.encoding for face in scene.faces}
        given = checked(boxes, scene.width, scene.height)
        faces = [self._face(box, known.get(box, fake_encoding(f"{_digest(image)}{box}")), 0.0) for box in given]
        return self._analysis(scene, faces)

    def encode_chips(self, chips: Sequence[bytes]) -> list[Encoding]:
        """The encodings that ``faces`` hid in its chips."""
        return [_revealed(chip) for chip in chips]

    def _scene(self, image: bytes) -> _Scene:
        text = _text(image)
        _misbehave(text)
        if text.startswith(b"FACES:"):
            return self._told(text.removeprefix(b"FACES:"))
        count = int(_digest(image)[:2], 16) % 4
        faces = [self._face(_box(i), fake_encoding(f"{_digest(image)}{i}"), 1.0) for i in range(count)]
        return _Scene(WIDTH, HEIGHT, tuple(faces))

    def _told(self, text: bytes) -> _Scene:
        """``{"width": 640, "height": 480, "faces": [{...}, ...], "models": {"cnn": {"faces": ...}}}``, everything optional.

        What stands under the name of the engine's model is what that one sees.

        A face has ``box`` as [top, right, bottom, left], ``confidence``, ``marks`` as names of ``Mark``, and either
        ``encoding`` (128 numbers) or ``person`` (any text or number: equal ones have distance 0, different ones more
        than 1) with ``distance`` (how far from that person's own encoding it lies). Raises UnreadableImage for bad JSON.
        """
        try:
            told = json.loads(text)
            told = told.get("models", {}).get(self.model.name.lower(), told)
            faces = tuple(self._told_face(number, face) for number, face in enumerate(told.get("faces", [])))
            return _Scene(int(told.get("width", WIDTH)), int(told.get("height", HEIGHT)), faces)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise UnreadableImage(f"the fake picture does not say what it shows: {error}") from error

    def _told_face(self, number: int, told: dict[str, Any]) -> Face:
        top, right, bottom, left = told["box"] if "box" in told else _sides(_box(number))
        marks = frozenset(Mark[name] for name in told.get("marks", []))
        box = Box(top=int(top), right=int(right), bottom=int(bottom), left=int(left))
        return self._face(box, _told_encoding(number, told), float(told.get("confidence", 1.0)), marks)

    def _face(self, box: Box, encoding: Encoding, confidence: float, marks: frozenset[Mark] = frozenset()) -> Face:
        count = 68 if self.model is Model.CNN_68 else 5
        width, height = box.right - box.left, box.bottom - box.top
        points = tuple(Point(box.left + width * i // count, box.top + height * i // count) for i in range(count))
        return Face(box, points, confidence, encoding, self.model, marks)

    def _analysis(self, scene: _Scene, faces: Sequence[Face]) -> Analysis:
        chips = tuple(_hidden(face.encoding) for face in faces) if self._chips else ()
        return Analysis(scene.width, scene.height, self.model, tuple(faces), chips)


def fake_encoding(seed: str, distance: float = 0.0) -> Encoding:
    """A vector of length 1 that follows from ``seed``, or a vector at exactly that distance from it."""
    generator = np.random.default_rng(int(_digest(seed.encode())[:16], 16))
    base = _unit(generator.standard_normal(ENCODING_LENGTH))
    aside = _unit(generator.standard_normal(ENCODING_LENGTH))
    return np.asarray(base + distance * aside, np.float32)


def _unit(vector: NDArray[np.float64]) -> NDArray[np.float64]:
    length: float = np.linalg.norm(vector).item()
    return vector / length


def _told_encoding(number: int, told: dict[str, Any]) -> Encoding:
    if "encoding" not in told:
        return fake_encoding(str(told.get("person", f"face {number}")), float(told.get("distance", 0.0)))
    encoding = np.asarray(told["encoding"], np.float32)
    if encoding.shape != (ENCODING_LENGTH,):
        raise ValueError(f"an encoding has {ENCODING_LENGTH} numbers")
    return encoding


def _text(image: bytes) -> bytes:
    """What tells the engine what to do."""
    _, mark, text = image.rpartition(MARK)
    return text if mark else image


def _misbehave(image: bytes) -> None:
    if image.startswith(b"CRASH"):
        os.kill(os.getpid(), signal.SIGKILL)
    while image.startswith(b"HANG"):
        time.sleep(60)
    if image.startswith(b"BROKEN"):
        raise UnreadableImage("this fake picture is broken")
    if not image:
        raise UnsupportedImage("no bytes are no picture")


def _digest(image: bytes) -> str:
    return hashlib.sha256(image).hexdigest()


def _box(number: int) -> Box:
    """Boxes side by side."""
    return Box(top=100, right=120 + 150 * number, bottom=200, left=20 + 150 * number)


def _sides(box: Box) -> tuple[int, int, int, int]:
    return box.top, box.right, box.bottom, box.left


def _hidden(encoding: Encoding) -> bytes:
    """A chip whose first pixels are the bytes of the encoding."""
    pixels = np.zeros(CHIP_SIZE * CHIP_SIZE * 3, np.uint8)
    raw = np.frombuffer(encoding.astype("<f4").tobytes(), np.uint8)
    pixels[: raw.size] = raw
    return chip_to_png(pixels.reshape(CHIP_SIZE, CHIP_SIZE, 3))


def _revealed(chip: bytes) -> Encoding:
    raw = chip_from_png(chip).reshape(-1)[: 4 * ENCODING_LENGTH].tobytes()
    return np.frombuffer(raw, "<f4").astype(np.float32)
