"""The reference engine: plain ``face_recognition``. Slow, and what the fast one is measured against."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import ImageFile

from facerec.engine.detection import checked, points_to_original, to_decoded, to_original
from facerec.engine.options import EngineOptions
from facerec.engine.pictures import Picture, decode, shrink
from facerec.engine.quality import marks
from facerec.errors import EngineFailure, ModelMissing
from facerec.faces import Analysis, Box, Encoding, Face, Model, Point

HOG_UPSAMPLE = 1
"""face_recognition's own default."""


class ReferenceEngine:
    """``FaceEngine`` that calls ``face_locations``, ``face_landmarks`` and ``face_encodings`` as their users do.

    Works wholly on the picture at ``options.detect_max_area``. face_recognition tells no score, so the confidence is 0,
    and it keeps no chips.
    """

    model = Model.REFERENCE
    device = "cpu"

    def __init__(self, options: EngineOptions) -> None:
        """Raises ModelMissing when face_recognition is not installed."""
        self._options = options
        self._api = face_recognition()

    def faces(self, image: bytes) -> Analysis:
        """Every face in the picture. Raises what ``pictures.decode`` raises."""
        picture = self._decode(image)
        upsample = HOG_UPSAMPLE if self._options.upsample is None else self._options.upsample
        found = self._api.face_locations(picture.pixels, number_of_times_to_upsample=upsample, model="hog")
        return self._described(picture, [to_original(Box(*css), picture.pixels, picture) for css in found])

    def faces_many(self, images: Sequence[bytes]) -> list[Analysis]:
        """``faces`` of each picture."""
        return [self.faces(image) for image in images]

    def compute(self, image: bytes, boxes: Sequence[Box]) -> Analysis:
        """Landmarks and encodings of the faces in ``boxes``, in the same order. Raises BadParam as the fast engine."""
        picture = self._decode(image)
        return self._described(picture, checked(boxes, picture.width, picture.height))

    def encode_chips(self, chips: Sequence[bytes]) -> list[Encoding]:
        """Refused with EngineFailure: face_recognition encodes from whole pictures alone."""
        raise EngineFailure(f"the reference engine encodes whole pictures alone, not stored chips ({len(chips)} given)")

    def _decode(self, image: bytes) -> Picture:
        picture = decode(image, self._options)
        return Picture(picture.width, picture.height, shrink(picture.pixels, self._options.detect_max_area))

    def _described(self, picture: Picture, boxes: Sequence[Box]) -> Analysis:
        known = [(b.top, b.right, b.bottom, b.left) for b in (to_decoded(box, picture) for box in boxes)]
        if not known:
            return Analysis(picture.width, picture.height, self.model, ())
        landmarks = self._api.face_landmarks(picture.pixels, face_locations=known, model="small")
        encodings = self._api.face_encodings(
            picture.pixels, known_face_locations=known, num_jitters=max(1, self._options.jitter), model="small"
        )
        faces = [
            self._face(picture, box, _five_points(named), encoding)
            for box, named, encoding in zip(boxes, landmarks, encodings, strict=True)
        ]
        return Analysis(picture.width, picture.height, self.model, tuple(faces))

    def _face(self, picture: Picture, box: Box, decoded: tuple[Point, ...], encoding: Any) -> Face:
        points = points_to_original(decoded, picture)
        reasons = marks(box, points, confidence=0.0, chip=None, model=self.model, options=self._options)
        return Face(box, points, 0.0, np.asarray(encoding, np.float32), self.model, reasons)


def _five_points(named: dict[str, list[tuple[int, int]]]) -> tuple[Point, ...]:
    """face_recognition's named points back in dlib's order."""
    return tuple(Point(x, y) for key in ("right_eye", "left_eye", "nose_tip") for x, y in named[key])


def face_recognition() -> Any:
    """The package, without what its import does to others: it warns, allows truncated pictures everywhere, may exit."""
    before = ImageFile.LOAD_TRUNCATED_IMAGES
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return importlib.import_module("face_recognition")
        except (ImportError, SystemExit) as error:
            raise ModelMissing(
                "face_recognition cannot be imported (it needs face_recognition_models and setuptools<81): "
                f"pip install --no-deps face_recognition 'setuptools<81': {error}"
            ) from error
        finally:
            ImageFile.LOAD_TRUNCATED_IMAGES = before
