"""Face engines: one whole picture in, all its faces out.

Importing this package loads no engine; ``open_engine`` does. ``headers`` is all that the front end uses.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from facerec.engine.options import EngineOptions
from facerec.faces import Analysis, Box, Encoding, Model

__all__ = ["EngineOptions", "FaceEngine", "open_engine"]


class FaceEngine(Protocol):
    """The port. An engine belongs to one thread; ``device`` is ``cpu`` or ``cuda:0 (name)``."""

    model: Model
    device: str

    def faces(self, image: bytes) -> Analysis:
        """Every face of the picture, best first. Raises UnsupportedImage, UnreadableImage, TooLarge."""
        ...

    def faces_many(self, images: Sequence[bytes]) -> list[Analysis]:
        """``faces`` of each picture; on a GPU faster than one by one."""
        ...

    def compute(self, image: bytes, boxes: Sequence[Box]) -> Analysis:
        """Landmarks and encodings for given boxes of the upright picture, in the same order; their confidence is 0.

        Raises what ``faces`` raises, and BadParam for a box in which there can be no face.
        """
        ...

    def encode_chips(self, chips: Sequence[bytes]) -> list[Encoding]:
        """Encodings of stored chips (PNG, 150 x 150), as ``faces`` returned them."""
        ...


def open_engine(model: Model, options: EngineOptions, cache: Path, device: str = "auto") -> FaceEngine:
    """Load the engine for ``model``; takes a second, or some more when its networks are not in ``cache`` yet.

    ``device`` is auto, cpu or cuda. Raises ModelMissing, and ConfigError when the device cannot be used.
    """
    if model is Model.REFERENCE:
        from facerec.engine.reference import ReferenceEngine  # noqa: PLC0415 - loads face_recognition

        return ReferenceEngine(options)
    from facerec.engine.build import fast_engine  # noqa: PLC0415 - loads dlib and ONNX Runtime

    return fast_engine(model, options, cache, device)
