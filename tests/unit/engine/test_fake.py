"""The fake does what a test tells it, always the same."""

from __future__ import annotations

import json
import multiprocessing
import signal

import numpy as np
import pytest

from facerec.engine.fake import FakeEngine, fake_encoding
from facerec.engine.options import EngineOptions
from facerec.errors import UnreadableImage, UnsupportedImage
from facerec.faces import Box, Mark, Model

ENGINE = FakeEngine()


def told(*faces: dict[str, object], **scene: object) -> bytes:
    return b"FACES:" + json.dumps({"faces": faces, **scene}).encode()


def test_any_bytes_have_zero_to_three_faces_of_their_own() -> None:
    counts = {len(ENGINE.faces(bytes([i])).faces) for i in range(50)}
    assert counts == {0, 1, 2, 3}
    encodings = np.array([face.encoding for i in range(50) for face in ENGINE.faces(bytes([i])).faces])
    distances = np.linalg.norm(encodings[:, None] - encodings[None], axis=2)
    assert distances[~np.eye(len(encodings), dtype=bool)].min() > 0.9


def test_a_picture_can_say_what_it_shows() -> None:
    image = told(
        {"box": [1, 2, 3, 0], "encoding": list(range(128)), "confidence": 0.5, "marks": ["SMALL", "TURNED"]},
        {"person": "ann"},
        {"person": "ann", "distance": 0.6},
        width=1000,
        height=20,
    )

    analysis = ENGINE.faces(image)

    first, second, third = analysis.faces
    assert (analysis.width, analysis.height) == (1000, 20)
    assert first.box == Box(top=1, right=2, bottom=3, left=0)
    assert first.encoding.tolist() == list(range(128))
    assert (first.confidence, first.marks) == (0.5, {Mark.SMALL, Mark.TURNED})
    assert np.linalg.norm(second.encoding - third.encoding) == pytest.approx(0.6, abs=1e-6)
    assert np.array_equal(second.encoding, fake_encoding("ann"))


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"[]",
        b'{"faces": [{"encoding": [1]}]}',
        b'{"faces": [{"marks": ["NO"]}]}',
        b'{"faces": [{"box": [1]}]}',
    ],
)
def test_nonsense_is_unreadable(text: bytes) -> None:
    with pytest.raises(UnreadableImage):
        ENGINE.faces(b"FACES:" + text)


def test_broken_and_empty() -> None:
    with pytest.raises(UnreadableImage):
        ENGINE.faces(b"BROKEN and more")
    with pytest.raises(UnsupportedImage):
        ENGINE.faces(b"")


def test_chips_carry_the_encoding() -> None:
    engine = FakeEngine(Model.CNN, EngineOptions(chips=True))
    analysis = engine.faces(told({"person": 1}, {"person": 2}))
    assert np.array_equal(engine.encode_chips(analysis.chips), [face.encoding for face in analysis.faces])
    assert ENGINE.faces(told({"person": 1})).chips == ()


def test_compute_of_a_box_nobody_is_in_follows_from_the_box() -> None:
    image = told({"person": "ann"})
    one, other = ENGINE.compute(image, [Box(0, 9, 9, 0), Box(0, 9, 9, 1)]).faces
    assert not np.array_equal(one.encoding, other.encoding)
    assert np.array_equal(one.encoding, ENGINE.compute(image, [one.box]).faces[0].encoding)


def test_crash_kills_the_process() -> None:
    child = multiprocessing.get_context("spawn").Process(target=ENGINE.faces, args=(b"CRASH",))
    child.start()
    child.join(60)
    assert child.exitcode == -signal.SIGKILL


def test_hang_hangs() -> None:
    child = multiprocessing.get_context("spawn").Process(target=ENGINE.faces, args=(b"HANG",))
    child.start()
    child.join(1.5)
    try:
        assert child.is_alive()
    finally:
        child.kill()
        child.join(60)
