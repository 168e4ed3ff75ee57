"""What becomes of the faces of one image that moves to another model."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from facerec.errors import BadParam
from facerec.faces import Box, Face, Model
from facerec.identity import face_id
from facerec.records import face_id_of, model_of, pack_face, unpack_face
from facerec.regenerate import (
    Share,
    Skip,
    Wanted,
    carried,
    iou,
    lost_boxes,
    parse_parts,
    redetected,
    reencoded,
    shares_of,
    shares_text,
)
from tests.faces import encoding, face

TICKET = 7
LEFT, RIGHT, FAR = Box(0, 100, 100, 0), Box(0, 300, 100, 200), Box(500, 600, 600, 500)


def at(box: Box, place: float = 0.0, model: Model = Model.HOG) -> Face:
    return replace(face(place, model), box=box)


def wanted(*faces: Face, model: Model = Model.CNN, shares: tuple[Share, ...] = (Share(),), **more: object) -> Wanted:
    records = tuple(pack_face(face_id(TICKET, n), each) for n, each in enumerate(faces))
    plain = Wanted(
        run=1,
        owner="default",
        hash="0" * 64,
        ticket=TICKET,
        old=Model.HOG,
        model=model,
        parts=("encodings",),
        shares=shares,
        skip=Skip(),
        seen="",
        records=records,
        aside=(),
    )
    return replace(plain, **more)  # type: ignore[arg-type]


def ids(*numbers: int) -> tuple[int, ...]:
    return tuple(face_id(TICKET, number) for number in numbers)


def test_iou_is_that_of_the_book() -> None:
    assert iou(LEFT, LEFT) == 1.0
    assert iou(LEFT, RIGHT) == 0.0
    assert iou(LEFT, Box(0, 150, 100, 50)) == pytest.approx(1 / 3)
    assert iou(Box(0, 0, 0, 0), Box(0, 0, 0, 0)) == 0.0


def test_half_is_enough_and_less_is_not() -> None:
    half = Box(0, 200, 100, 0)
    assert iou(LEFT, half) == 0.5
    assert carried([LEFT], [half]) == {0: 0}
    assert carried([LEFT], [Box(0, 201, 100, 0)]) == {}


def test_the_highest_iou_goes_first_and_no_box_is_given_twice() -> None:
    near, nearer = Box(0, 110, 100, 10), Box(0, 102, 100, 2)
    assert carried([LEFT, near], [nearer]) == {0: 0}
    assert carried([LEFT, near], [near, nearer]) == {1: 0, 0: 1}


def test_faces_move_stay_or_come_and_keep_their_ids() -> None:
    image = wanted(at(LEFT, 0.1), at(FAR, 0.2))
    found = [at(RIGHT, 0.3, Model.CNN), at(Box(0, 105, 100, 5), 0.4, Model.CNN)]
    assert lost_boxes(image, found) == [FAR]
    made = redetected(image, found, {FAR: at(FAR, 0.5, Model.CNN)})
    assert [face_id_of(record) for record in made.records] == list(ids(0, 1, 2))
    assert (made.moved, made.kept, made.found, made.unmoved) == (ids(0), ids(1), ids(2), ())
    boxes = [unpack_face(record)[1].box for record in made.records]
    assert boxes == [Box(0, 105, 100, 5), FAR, RIGHT]
    assert [float(unpack_face(record)[1].encoding[0]) for record in made.records] == pytest.approx([0.4, 0.5, 0.3])
    assert {model_of(record) for record in made.records} == {Model.CNN}
    assert made.complete
    assert made.counts() == "1 1 0 1"
    assert json.loads(made.note()) == {"kept": [str(ids(1)[0])], "found": [str(ids(2)[0])]}


def test_a_kept_face_has_its_old_score() -> None:
    image = wanted(at(FAR))
    made = redetected(image, [], {FAR: replace(at(FAR, 0.5, Model.CNN), confidence=0.0)})
    assert unpack_face(made.records[0])[1].confidence == 0.75


def test_what_cannot_be_encoded_anew_keeps_its_record() -> None:
    image = wanted(at(LEFT), at(RIGHT))
    made = reencoded(image, {}, "missing original")
    assert made.records == image.records
    assert made.unmoved == ids(0, 1)
    assert made.complete
    assert json.loads(made.note())["trouble"] == "missing original"


def test_encodings_of_chips_change_nothing_else() -> None:
    image = wanted(at(LEFT), model=Model.HOG)
    made = reencoded(image, {ids(0)[0]: encoding(0.9)})
    before, after = unpack_face(image.records[0])[1], unpack_face(made.records[0])[1]
    assert np.array_equal(after.encoding, encoding(0.9))
    assert (after.box, after.landmarks, after.confidence, after.marks) == (
        before.box,
        before.landmarks,
        before.confidence,
        before.marks,
    )
    assert made.note() == ""


@pytest.mark.parametrize("every", [2, 3, 5])
def test_shares_together_make_each_face_once(every: int) -> None:
    whole = wanted(at(LEFT), at(FAR))
    found = [at(LEFT, 0.4, Model.CNN), at(RIGHT, 0.3, Model.CNN)]
    aside: tuple[bytes, ...] = ()
    made_now: list[int] = []
    for offset in range(every):
        part = replace(whole, shares=(Share(every=every, offset=offset),), aside=aside)
        if not part.has_work:
            continue
        made = redetected(part, found, {FAR: at(FAR, 0.5, Model.CNN)})
        made_now += [face_id_of(record) for record in made.records if record not in aside]
        assert set(aside) <= set(made.records)
        aside = made.records
    assert aside == redetected(whole, found, {FAR: at(FAR, 0.5, Model.CNN)}).records
    assert sorted(made_now) == list(ids(0, 1, 2))
    assert made.complete


def test_a_share_without_faces_here_has_no_work() -> None:
    assert not wanted(at(LEFT), shares=(Share(low=face_id(TICKET + 1, 0)),)).has_work


def test_an_image_without_faces_is_looked_at_when_the_detector_changes() -> None:
    assert wanted().has_work
    assert wanted().redetects
    assert not wanted(model=Model.REFERENCE, old=Model.REFERENCE).has_work
    made = redetected(wanted(), [at(LEFT, model=Model.CNN)], {})
    assert made.found == ids(0)


def test_faces_of_the_skipped_length_or_model_stay() -> None:
    record = pack_face(1, at(LEFT))
    assert Skip(length=128).takes(record)
    assert not Skip(length=512).takes(record)
    assert Skip(model=Model.HOG).takes(record)
    assert not Skip(model=Model.CNN).takes(record)
    assert Skip.of(Skip(128, Model.CNN).text()) == Skip(128, Model.CNN)
    assert Skip.of(Skip().text()) == Skip()
    image = wanted(at(LEFT), skip=Skip(model=Model.HOG), model=Model.CNN_68)
    assert redetected(image, [at(LEFT, 0.5)], {}).records == image.records


def test_shares_survive_their_way_through_text() -> None:
    shares = (Share(5, 1 << 62, 3, 2), Share())
    assert shares_of(shares_text(shares)) == shares


@pytest.mark.parametrize(
    "wrong", [{"every": 0}, {"every": 2, "offset": 2}, {"offset": -1}, {"low": 5, "high": 4}, {"low": -1}]
)
def test_shares_that_hold_nothing_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(BadParam):
        Share(**wrong)


def test_parts() -> None:
    assert parse_parts("thumbnails,encodings") == ("encodings", "thumbnails")
    with pytest.raises(BadParam):
        parse_parts("faces")
    with pytest.raises(BadParam):
        parse_parts("")
