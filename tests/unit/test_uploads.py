"""Pictures that plugins keep."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from facerec.adapters.imagestore import open_image_store
from facerec.errors import BadParam, TooLarge, UnsupportedImage
from facerec.ports import ImageStore, Place
from facerec.services.uploads import Uploads

HASH = "ab" * 32


def check(picture: bytes) -> None:
    if picture.startswith(b"no"):
        raise UnsupportedImage("no picture")


@pytest.fixture
def store(tmp_path: Path) -> ImageStore:
    return open_image_store(tmp_path.as_uri())


@pytest.fixture
def uploads(store: ImageStore) -> Uploads:
    return Uploads(store, check, 10, lambda: 1_700_000_000.0)


def test_a_key_tells_whose_it_is_of_when_and_of_which_photo(uploads: Uploads) -> None:
    key = uploads.key("bob", HASH, "photo")
    assert re.fullmatch(rf"bob/20231114/{HASH}_[0-9a-f]{{12}}_photo\.jpeg", key)
    assert uploads.key("bob", HASH, "photo") != key
    assert uploads.key("bob", HASH, "norm").endswith("_norm.png")


@pytest.mark.parametrize(
    ("owner", "photo_hash", "kind", "error"),
    [("b/b", HASH, "photo", BadParam), ("bob", "../x", "photo", BadParam), ("bob", HASH, "film", ValueError)],
)
def test_no_key_leads_elsewhere(
    uploads: Uploads, owner: str, photo_hash: str, kind: str, error: type[Exception]
) -> None:
    with pytest.raises(error):
        uploads.key(owner, photo_hash, kind)


def test_only_the_owner_has_what_is_put(uploads: Uploads) -> None:
    key = uploads.key("bob", HASH, "photo")
    assert uploads.get("bob", key) is None
    assert uploads.put("bob", key, b"picture")
    assert uploads.get("bob", key) == b"picture"
    assert uploads.get("eve", key) is None
    with pytest.raises(ValueError, match="no key"):
        uploads.put("eve", key, b"picture")


@pytest.mark.parametrize("change", [str.upper, lambda key: key + "x", lambda key: f"bob/../{key}", lambda _: ""])
def test_what_is_no_key_of_ours_is_refused(uploads: Uploads, change: Callable[[str], str]) -> None:
    key = change(uploads.key("bob", HASH, "photo"))
    assert uploads.get("bob", key) is None
    with pytest.raises(ValueError, match="no key"):
        uploads.put("bob", key, b"picture")


def test_what_is_no_picture_or_too_large_is_refused(uploads: Uploads) -> None:
    key = uploads.key("bob", HASH, "thumb")
    with pytest.raises(UnsupportedImage):
        uploads.put("bob", key, b"no")
    with pytest.raises(TooLarge):
        uploads.put("bob", key, b"x" * 11)
    assert uploads.get("bob", key) is None


def test_uploads_go_with_their_image_and_expire_as_pictures_do(uploads: Uploads, store: ImageStore) -> None:
    first, second = (uploads.key("bob", HASH, kind) for kind in ("photo", "thumb"))
    place = Place("bob", HASH, 8)
    for key in (first, second):
        uploads.put("bob", key, b"picture")
    store.put(place, {"original": b"o"})
    assert uploads.erase("bob", HASH) == 2
    assert store.get(place, "original") == b"o"
    uploads.put("bob", first, b"picture")
    assert store.erase("bob", HASH, 8) == 2
    uploads.put("bob", first, b"picture")
    assert store.expire(time.time() + 60) == 1
    assert uploads.get("bob", first) is None


def test_a_service_that_keeps_no_pictures_keeps_none_of_plugins() -> None:
    uploads = Uploads(open_image_store("none"), check, 10, lambda: 0.0)
    key = uploads.key("bob", HASH, "photo")
    assert not uploads.put("bob", key, b"picture")
    assert uploads.get("bob", key) is None
