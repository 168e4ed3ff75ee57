"""The engine for models 1 to 4: dlib's networks on ONNX Runtime, dlib itself for the rest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from facerec.engine.chips import chip_from_png, chip_to_png
from facerec.engine.detection import Detection, Detector, checked, points_to_original, to_decoded, to_original
from facerec.engine.dlibs import Landmarks, chips_of, points_of
from facerec.engine.encoder import Encoder
from facerec.engine.memory import give_back
from facerec.engine.options import EngineOptions
from facerec.engine.pictures import Picture, Pixels, decode, shrink
from facerec.engine.quality import marks
from facerec.faces import Analysis, Box, Encoding, Face, Model


@dataclass(frozen=True, slots=True, eq=False)
class _Found:
    """A picture with its faces, before they are encoded. The sequences run in step."""

    picture: Picture
    detections: Sequence[Detection]
    shapes: Sequence[Any]
    chips: Sequence[Pixels]


class FastEngine:
    """``FaceEngine`` of one thread. Box and confidence come from ``detector``, alignment and encoding are dlib's.

    The detector sees the picture at no more than ``options.detect_max_area`` pixels; landmarks and chips are taken from
    the decoded picture, which for a large JPEG is between one and four times that.
    """

    def __init__(
        self,
        model: Model,
        options: EngineOptions,
        *,
        detector: Detector,
        landmarks: Landmarks,
        encoder: Encoder,
        device: str,
    ) -> None:
        self.model = model
        self.device = device
        self._options = options
        self._detector = detector
        self._landmarks = landmarks
        self._encoder = encoder

    def faces(self, image: bytes) -> Analysis:
        """Every face in the picture, best first. Raises what ``pictures.decode`` raises."""
        return self.faces_many([image])[0]

    def faces_many(self, images: Sequence[bytes]) -> list[Analysis]:
        """``faces`` of each picture, the encoder taking the faces of all of them together; made for a GPU."""
        analyses = self._encoded([self._detected(image) for image in images])
        give_back()
        return analyses

    def compute(self, image: bytes, boxes: Sequence[Box]) -> Analysis:
        """Landmarks and encodings of the faces in ``boxes`` (of the upright picture), in the same order.

        A box from ``faces`` gives the same encoding again; the confidence is 0, because nothing was detected.
        Raises what ``pictures.decode`` raises, and BadParam for a box that can hold no face.
        """
        picture = decode(image, self._options)
        given = [Detection(box, 0.0) for box in checked(boxes, picture.width, picture.height)]
        (analysis,) = self._encoded([self._located(picture, given)])
        give_back()
        return analysis

    def encode_chips(self, chips: Sequence[bytes]) -> list[Encoding]:
        """Encodings of stored chips, as ``Analysis.chips`` gave them. Raises UnreadableImage for anything else."""
        return self._encoder.encode([chip_from_png(chip) for chip in chips])

    def _detected(self, image: bytes) -> _Found:
        picture = decode(image, self._options)
        small = shrink(picture.pixels, self._options.detect_max_area)
        found = [Detection(to_original(d.box, small, picture), d.confidence) for d in self._detector.find(small)]
        return self._located(picture, found)

    def _located(self, picture: Picture, detections: Sequence[Detection]) -> _Found:
        """Landmarks start from the box in whole pixels of the original, so that ``compute`` can repeat them."""
        shapes = [self._landmarks.find(picture.pixels, to_decoded(d.box, picture)) for d in detections]
        return _Found(picture, detections, shapes, chips_of(picture.pixels, shapes))

    def _encoded(self, found: Sequence[_Found]) -> list[Analysis]:
        encodings = iter(self._encoder.encode([chip for one in found for chip in one.chips]))
        return [self._analysis(one, [next(encodings) for _ in one.chips]) for one in found]

    def _analysis(self, found: _Found, encodings: Sequence[Encoding]) -> Analysis:
        picture = found.picture
        steps = zip(found.detections, found.shapes, found.chips, encodings, strict=True)
        faces = tuple(self._face(picture, *step) for step in steps)
        chips = tuple(chip_to_png(chip) for chip in found.chips) if self._options.chips else ()
        return Analysis(picture.width, picture.height, self.model, faces, chips)

    def _face(self, picture: Picture, detection: Detection, shape: Any, chip: Pixels, encoding: Encoding) -> Face:
        points = points_to_original(points_of(shape), picture)
        reasons = marks(
            detection.box,
            points,
            confidence=detection.confidence,
            chip=chip,
            model=self.model,
            options=self._options,
        )
        return Face(detection.box, points, detection.confidence, encoding, self.model, reasons)
