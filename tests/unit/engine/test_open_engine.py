"""Every model opens and says where faces are."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facerec.engine import EngineOptions, FaceEngine, open_engine
from facerec.engine.fake import FakeEngine
from facerec.errors import BadParam, TooLarge, UnreadableImage, UnsupportedImage
from facerec.faces import Box, Model
from tests.unit.engine.conftest import MODELS
from tests.unit.engine.scenes import saved

OPTIONS = EngineOptions(chips=True)


@pytest.fixture(scope="module", params=[*Model, "fake"], ids=str)
def engine(request: pytest.FixtureRequest) -> FaceEngine:
    if request.param == "fake":
        return FakeEngine(options=OPTIONS)
    return open_engine(request.param, OPTIONS, MODELS, "cpu")


@pytest.fixture(scope="module")
def obama(archive: dict[str, Path]) -> bytes:
    return archive["obama.jpg"].read_bytes()


def test_the_engine_finds_the_face(engine: FaceEngine, obama: bytes) -> None:
    analysis = engine.faces(obama)

    if not isinstance(engine, FakeEngine):
        assert (analysis.width, analysis.height) == (910, 1137)
        assert len(analysis.faces) == 1
        box = analysis.faces[0].box
        sides = np.array([box.top, box.right, box.bottom, box.left])
        assert np.abs(sides - (146, 612, 398, 360)).max() <= 15
    for face in analysis.faces:
        assert len(face.landmarks) == (68 if engine.model is Model.CNN_68 else 5)
        assert face.encoding.shape == (128,)
        assert face.encoding.dtype == np.float32
        assert face.model is engine.model
        assert face.comparable


def test_compute_gives_the_encodings_of_faces_again(engine: FaceEngine, obama: bytes) -> None:
    analysis = engine.faces(obama)

    again = engine.compute(obama, [face.box for face in analysis.faces])

    assert [face.box for face in again.faces] == [face.box for face in analysis.faces]
    for one, other in zip(analysis.faces, again.faces, strict=True):
        assert np.linalg.norm(one.encoding - other.encoding) < 1e-5
        assert one.landmarks == other.landmarks


def test_compute_of_no_box_is_no_face(engine: FaceEngine, obama: bytes) -> None:
    assert engine.compute(obama, []).faces == ()


def test_stored_chips_give_the_same_encodings(engine: FaceEngine, obama: bytes) -> None:
    if engine.model is Model.REFERENCE:
        pytest.skip("the reference engine keeps no chips")
    analysis = engine.faces(obama)

    again = engine.encode_chips(analysis.chips)

    assert len(analysis.chips) == len(analysis.faces)
    for face, encoding in zip(analysis.faces, again, strict=True):
        assert np.linalg.norm(face.encoding - encoding) < 1e-5


def test_many_pictures_at_once_are_as_one_by_one(engine: FaceEngine, archive: dict[str, Path]) -> None:
    images = [archive[name].read_bytes() for name in ("obama_partial_face.jpg", "obama_partial_face2.jpg")]

    together = engine.faces_many(images)

    for analysis, image in zip(together, images, strict=True):
        alone = engine.faces(image)
        assert [face.box for face in analysis.faces] == [face.box for face in alone.faces]
        for one, other in zip(analysis.faces, alone.faces, strict=True):
            assert np.linalg.norm(one.encoding - other.encoding) < 1e-5


def test_the_same_bytes_give_the_same_faces(engine: FaceEngine, obama: bytes) -> None:
    one, other = engine.faces(obama), engine.faces(obama)

    assert [hashlib.sha256(f.encoding.tobytes()).digest() for f in one.faces] == [
        hashlib.sha256(f.encoding.tobytes()).digest() for f in other.faces
    ]


def test_bad_pictures_are_typed_errors(engine: FaceEngine, obama: bytes) -> None:
    with pytest.raises(UnsupportedImage):
        engine.faces(b"")
    if isinstance(engine, FakeEngine):
        return
    with pytest.raises(UnsupportedImage):
        engine.faces(b"%PDF-1.7")
    with pytest.raises(UnreadableImage):
        engine.faces(obama[:20_000])


def test_a_bomb_is_refused(obama: bytes) -> None:
    small = open_engine(Model.HOG, EngineOptions(max_pixels=1_000_000), MODELS, "cpu")

    with pytest.raises(TooLarge):
        small.faces(obama)


@pytest.mark.parametrize("size", [(1, 1), (2, 7), (1, 3000), (3000, 1), (9, 20_000), (40, 40)])
def test_pictures_without_room_for_a_face(engine: FaceEngine, size: tuple[int, int]) -> None:
    if isinstance(engine, FakeEngine):
        pytest.skip("the fake looks at no pixel")
    image = saved(Image.effect_noise(size, 100).convert("RGB"), "PNG")

    analysis = engine.faces(image)

    assert (analysis.width, analysis.height) == size
    assert analysis.faces == ()
    around = Box(top=-1, right=size[0] + 1, bottom=size[1] + 1, left=-1)
    assert len(engine.compute(image, [Box(top=0, right=1, bottom=1, left=0), around]).faces) == 2


EMPTY, OUTSIDE, VAST = "the box is empty", "the box lies outside", "the box is more than 10 times as large"
IMPOSSIBLE = {
    Box(top=5, right=5, bottom=5, left=5): EMPTY,
    Box(top=0, right=0, bottom=0, left=0): EMPTY,
    Box(top=10, right=1, bottom=1, left=10): EMPTY,
    Box(top=5000, right=100, bottom=5100, left=0): OUTSIDE,
    Box(top=-100, right=100, bottom=0, left=0): OUTSIDE,
    Box(top=-(10**9), right=10**9, bottom=10**9, left=-(10**9)): VAST,
    Box(top=0, right=2**70, bottom=2**70, left=0): VAST,
}


@pytest.mark.parametrize("box", IMPOSSIBLE, ids=str)
def test_a_box_without_room_for_a_face_is_refused(engine: FaceEngine, box: Box, obama: bytes) -> None:
    with pytest.raises(BadParam, match=IMPOSSIBLE[box]) as refused:
        engine.compute(obama, [box])
    assert refused.value.param == "face"
