"""The invariants of galleries broken by hand: fsck names each, repairs it, and keeps what was said of the faces."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from facerec.adapters.redis import RedisDatabases, RedisFaceBook
from facerec.adapters.redis.layout import FACES, OWN
from facerec.galleries import Change
from tests.integration.test_fsck import BOB, Shop

FACES_PER_IMAGE = 4096


class Gallery(Shop):
    """Bob's face ``known`` has a meta and is in two galleries; ``other`` is in none but the default one."""

    def __init__(self, databases: RedisDatabases) -> None:
        super().__init__(databases)
        self.known, self.other = (job.ticket * FACES_PER_IMAGE for job in self.bobs)
        self.book = RedisFaceBook(databases)
        for name in ("friends", "family"):
            self.book.add_gallery("bob", name)
        self.book.change("bob", self.known, Change(meta="Ann", galleries=("add", ["friends", "family"])))

    def key(self, name: str) -> str:
        return f"bob\x1f{name}"

    def said(self) -> tuple[str, set[str], set[str]]:
        known, other = self.book.faces("bob", [self.known, self.other])
        assert known is not None
        assert other is not None
        return known.meta, set(known.galleries), set(other.galleries)


def lose_a_face_from_all(shop: Gallery) -> None:
    shop.db(OWN).zrem(shop.key("gallery:default"), shop.known)


def hide_a_face_that_is_listed(shop: Gallery) -> None:
    shop.db(OWN).zadd(shop.key("hidden"), {str(shop.known): shop.known})


def lose_a_face_from_a_gallery(shop: Gallery) -> None:
    shop.db(OWN).zrem(shop.key("gallery:friends"), shop.known)


def put_a_face_into_a_gallery(shop: Gallery) -> None:
    shop.db(OWN).zadd(shop.key("gallery:friends"), {str(shop.other): shop.other})


def put_a_face_of_nobody_into_a_gallery(shop: Gallery) -> None:
    face = 10**6 * FACES_PER_IMAGE
    shop.db(OWN).zadd(shop.key("gallery:friends"), {str(face): face})


def lose_a_meta(shop: Gallery) -> None:
    shop.db(OWN).zrem(shop.key("meta:Ann"), shop.known)


def list_a_face_under_anothers_meta(shop: Gallery) -> None:
    shop.db(OWN).zadd(shop.key("meta:Ann"), {str(shop.other): shop.other})


def lose_a_gallery_from_the_list(shop: Gallery) -> None:
    shop.db(OWN).zrem(shop.key("galleries"), "friends")


def die_while_a_gallery_is_removed(shop: Gallery) -> None:
    """Before anybody of it is seen to."""
    shop.book.add_gallery("bob", "old")
    shop.book.change("bob", shop.known, Change(galleries=("add", ["old"])))
    shop.databases.call("findface_gallery", BOB, "remove", "old", "token")


def miscount(shop: Gallery) -> None:
    shop.db(OWN).hincrby(shop.key("gallery:family:metas"), "Ann", 5)


DAMAGES = [
    lose_a_gallery_from_the_list,
    die_while_a_gallery_is_removed,
    miscount,
    lose_a_face_from_all,
    hide_a_face_that_is_listed,
    lose_a_face_from_a_gallery,
    put_a_face_into_a_gallery,
    put_a_face_of_nobody_into_a_gallery,
    lose_a_meta,
    list_a_face_under_anothers_meta,
]


@pytest.fixture
def shop(databases: RedisDatabases) -> Gallery:
    return Gallery(databases)


def test_sound_galleries_are_clean(shop: Gallery) -> None:
    assert shop.check().found == []


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_each_damage_is_named_and_repaired(shop: Gallery, damage: Callable[[Gallery], None]) -> None:
    before = shop.said()
    damage(shop)
    report = shop.check(fix=True)
    assert {fault.invariant for fault in report.found} == {"galleries"}
    assert report.left == []
    assert shop.said() == before
    assert shop.check().found == []


def test_a_face_in_a_gallery_that_is_being_removed_is_repaired_without_it(shop: Gallery) -> None:
    """Whatever else is wrong with the face, it comes into no new gallery of that name."""
    before = shop.said()
    die_while_a_gallery_is_removed(shop)
    lose_a_face_from_all(shop)
    lose_a_meta(shop)
    report = shop.check(fix=True)
    assert {fault.kind for fault in report.found} == {"removal", "gallery"}
    assert report.left == []
    assert shop.said() == before
    assert shop.db(OWN).hget(shop.key(f"face:{shop.known}"), "galleries") == b"friends,family"


def test_a_face_that_comes_back_keeps_its_galleries(shop: Gallery) -> None:
    """Its record is restored from the journal before its galleries are looked at."""
    before = shop.said()
    shop.db(FACES).delete(shop.key(shop.bobs[0].hash))
    assert shop.check(fix=True).clean
    assert shop.said() == before
