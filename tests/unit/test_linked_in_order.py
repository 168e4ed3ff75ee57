"""Several images written to the set aside in one step: each is linked with what is there when its turn comes."""

from __future__ import annotations

from facerec.faces import Model
from facerec.identity import face_id
from facerec.ports import Scanned
from facerec.records import pack_face
from facerec.rule import link_in_order
from tests.faces import face

TOLERANCE = 0.6


def image(ticket: int, at: float, *known: int) -> Scanned:
    """An image with one face at ``at``, linked by the index with the images that have the tickets ``known``."""
    record = pack_face(face_id(ticket, 0), face(at))
    return Scanned("default", f"{ticket}", ticket, 0, 0, 0, Model.HOG, (record,), frozenset(known))


def links(*batch: Scanned) -> list[set[int]]:
    return [set(each.links) for each in link_in_order(batch, TOLERANCE)]


def test_each_is_linked_with_those_before_it_and_with_what_the_index_knows() -> None:
    assert links(image(5, 0.0, 100), image(3, 0.1, 100, 101), image(4, 9.0), image(6, 0.2)) == [
        {100},
        {100, 101, 5},
        set(),
        {5, 3},
    ]


def test_one_that_the_index_knew_by_another_face_is_known_by_its_new_one_once_it_is_written() -> None:
    # Image 5 had a face near that of 3 and has none now; 3 comes after it. 4 comes before 6 is written, which has one still.
    assert links(image(5, 7.0), image(3, 0.0, 5), image(4, 1.0, 6), image(6, 20.0, 4)) == [set(), set(), {6}, set()]


def test_an_image_is_never_linked_with_itself() -> None:
    assert links(image(5, 0.0), image(5, 0.0)) == [set(), set()]
