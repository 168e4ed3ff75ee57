"""The fast engine against plain face_recognition: HOG boxes identical, encodings within 1e-5."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from facerec.engine import EngineOptions, FaceEngine, open_engine
from facerec.engine.dlibs import HogDetector
from facerec.engine.pictures import decode
from facerec.faces import Model
from tests.parity.conftest import MODELS

OPTIONS = EngineOptions(detect_max_area=10_000_000)
"""Nothing is shrunk: the reference sees what face_recognition would see."""


@pytest.fixture(scope="module")
def fast() -> FaceEngine:
    return open_engine(Model.HOG, OPTIONS, MODELS, "cpu")


@pytest.fixture(scope="module")
def plain() -> FaceEngine:
    return open_engine(Model.REFERENCE, OPTIONS, MODELS)


@pytest.mark.timeout(1800)
def test_the_fast_engine_is_face_recognition(fast: FaceEngine, plain: FaceEngine, compared: dict[str, Path]) -> None:
    farthest = faces = 0
    for name, path in compared.items():
        image = path.read_bytes()
        ours, theirs = fast.faces(image), plain.faces(image)
        assert [f.box for f in ours.faces] == [f.box for f in theirs.faces], name
        for our, their in zip(ours.faces, theirs.faces, strict=True):
            assert our.landmarks == their.landmarks, name
            farthest, faces = max(farthest, float(np.linalg.norm(our.encoding - their.encoding))), faces + 1

    print(f"{len(compared)} pictures, {faces} faces: encodings at most {farthest:.1e} apart")  # noqa: T201
    assert faces >= 6
    assert farthest < 1e-5


def test_the_reference_is_face_recognition(plain: FaceEngine, archive: dict[str, Path]) -> None:
    """The reference engine adds nothing to what a user of face_recognition gets."""
    import face_recognition

    path = archive["obama_partial_face.jpg"]
    pixels = face_recognition.load_image_file(path)
    boxes = face_recognition.face_locations(pixels)

    (face,) = plain.faces(path.read_bytes()).faces

    assert [(face.box.top, face.box.right, face.box.bottom, face.box.left)] == boxes
    assert np.allclose(face_recognition.face_encodings(pixels, boxes)[0], face.encoding, atol=1e-6)


def test_hog_is_dlib_s_for_every_upsampling(archive: dict[str, Path]) -> None:
    import dlib

    pixels = decode(archive["obama_partial_face2.jpg"].read_bytes(), OPTIONS).pixels
    for upsample in (0, 1, 2):
        theirs, scores, _ = dlib.get_frontal_face_detector().run(pixels, upsample, 0.0)
        ours = HogDetector(upsample).find(pixels)
        assert [(d.box.top, d.box.right, d.box.bottom, d.box.left) for d in ours] == [
            (r.top(), r.right(), r.bottom(), r.left()) for r in theirs
        ]
        assert [d.confidence for d in ours] == pytest.approx(list(scores))
