"""What every image store promises, over a folder, over S3's protocol, over memory, and for the one that keeps nothing."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
import requests
from moto.server import ThreadedMotoServer

from facerec.adapters.imagestore import open_image_store
from facerec.errors import BadParam, ConfigError, ImageStoreRefusesWrites, ImageStoreUnavailable
from facerec.ports import ImageStore, Place

HASH = "ab" * 32
OTHER = "cd" * 32
PLACE = Place("default", HASH, 7)
PICTURES = {"original": b"\x00\xffbytes", "face-0.jpg": b"face", "chip-0.png": b""}


@pytest.fixture(scope="module")
def s3_server() -> Iterator[str]:
    """The address of a server that speaks S3."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket(s3_server: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of a folder in a new bucket; where it is and who asks is said as the AWS tools are told."""
    told = {
        "ENDPOINT_URL": s3_server,
        "ACCESS_KEY_ID": "somebody",
        "SECRET_ACCESS_KEY": "secret",
        "DEFAULT_REGION": "us-east-1",
    }
    for name, value in told.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    name = f"bucket-{uuid4().hex}"
    assert requests.put(f"{s3_server}/{name}", timeout=30).ok
    return f"s3://{name}/pictures"


@pytest.fixture(params=["file", "s3", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ImageStore:
    if request.param == "s3":
        return open_image_store(request.getfixturevalue("bucket"))
    return open_image_store(tmp_path.as_uri() if request.param == "file" else f"memory://{uuid4().hex}")


def test_what_is_put_can_be_had(store: ImageStore) -> None:
    store.put(PLACE, PICTURES)

    assert {name: store.get(PLACE, name) for name in PICTURES} == PICTURES


def test_what_is_not_there_is_none(store: ImageStore) -> None:
    store.put(PLACE, PICTURES)

    assert store.get(PLACE, "face-1.jpg") is None
    assert store.get(Place("default", HASH, 8), "original") is None
    assert store.get(Place("default", OTHER, 7), "original") is None
    assert store.get(Place("other", HASH, 7), "original") is None


def test_an_empty_store_is_a_store(store: ImageStore) -> None:
    store.ping()
    assert store.get(PLACE, "original") is None
    assert store.erase("default", HASH, 100) == 0
    assert store.expire(time.time()) == 0


def test_to_see_whether_it_takes_pictures_leaves_nothing_behind(store: ImageStore) -> None:
    store.check_writes()
    store.check_writes()

    assert store._files.find(store._opened[1]) == []  # type: ignore[attr-defined]


def test_putting_twice_is_harmless(store: ImageStore) -> None:
    store.put(PLACE, PICTURES)
    store.put(PLACE, PICTURES | {"original": b"newer"})

    assert store.get(PLACE, "original") == b"newer"
    assert store.erase("default", HASH, 7) == len(PICTURES)


def test_erasing_takes_all_of_one_image(store: ImageStore) -> None:
    neighbours = [Place("default", OTHER, 7), Place("other", HASH, 7)]
    for place in (PLACE, *neighbours):
        store.put(place, PICTURES)

    assert store.erase("default", HASH, 7) == len(PICTURES)
    assert store.erase("default", HASH, 7) == 0

    assert store.get(PLACE, "original") is None
    assert all(store.get(place, "original") for place in neighbours)


def test_erasing_spares_what_was_sent_again_later(store: ImageStore) -> None:
    again = Place("default", HASH, 12)
    store.put(PLACE, PICTURES)
    store.put(again, PICTURES)

    assert store.erase("default", HASH, 11) == len(PICTURES)

    assert store.get(PLACE, "original") is None
    assert store.get(again, "original") == PICTURES["original"]


def test_expiry_takes_what_is_older(store: ImageStore) -> None:
    store.put(PLACE, PICTURES)

    assert store.expire(time.time() - 60) == 0
    assert store.get(PLACE, "original") is not None
    assert store.expire(time.time() + 60) == len(PICTURES)
    assert store.get(PLACE, "original") is None


def test_no_name_of_a_client_becomes_a_path(store: ImageStore) -> None:
    for owner, image_hash in (("../x", HASH), ("default", "../../etc/passwd"), ("default", HASH.upper())):
        with pytest.raises(BadParam):
            store.put(Place(owner, image_hash, 1), PICTURES)
        with pytest.raises(BadParam):
            store.erase(owner, image_hash, 1)


def test_nothing_is_kept_by_none() -> None:
    store = open_image_store("none")
    store.put(PLACE, PICTURES)

    assert store.kind == "none"
    assert store.get(PLACE, "original") is None
    assert (store.erase("default", HASH, 7), store.expire(time.time() + 60)) == (0, 0)
    store.ping()


def test_a_folder_that_cannot_be_written_is_a_store_that_is_away(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    store = open_image_store((tmp_path / "file").as_uri())

    with pytest.raises(ImageStoreUnavailable):
        store.put(PLACE, PICTURES)
    with pytest.raises(ImageStoreRefusesWrites):
        store.check_writes()


def test_no_half_written_picture_shows_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = open_image_store(tmp_path.as_uri())
    store.put(PLACE, PICTURES)

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("fsspec.implementations.local.LocalFileSystem.mv", full)
    with pytest.raises(ImageStoreUnavailable, match="No space left on device"):
        store.put(PLACE, {"original": b"other"})

    assert store.get(PLACE, "original") == PICTURES["original"]
    assert {path.name for path in tmp_path.rglob("*") if path.is_file()} == set(PICTURES), "the part takes no room"
    assert store.erase("default", HASH, 7) == len(PICTURES)


def test_a_folder_that_another_program_made_is_passed_over(tmp_path: Path) -> None:
    store = open_image_store(tmp_path.as_uri())
    store.put(PLACE, PICTURES)
    (original,) = tmp_path.rglob("original")
    foreign = original.parent.parent / "@eaDir"
    foreign.mkdir()

    assert store.erase("default", HASH, 7) == len(PICTURES)
    assert store.get(PLACE, "original") is None
    assert foreign.exists()


def test_no_empty_folder_stays_of_an_image(tmp_path: Path) -> None:
    store = open_image_store(tmp_path.as_uri())
    later = Place("default", HASH, 12)
    for place in (PLACE, later, Place("default", OTHER, 7)):
        store.put(place, PICTURES)

    assert store.erase("default", HASH, 7) == len(PICTURES)
    assert store.get(later, "original") == PICTURES["original"]
    assert store.erase("default", HASH, 12) == len(PICTURES)
    assert store.expire(time.time() + 60) == len(PICTURES)
    assert {path.name for path in tmp_path.rglob("*")} & {HASH, OTHER} == set()


@pytest.mark.parametrize("url", ["", "ftp://host/x", "zip::file:///x", "/var/lib/pictures"])
def test_other_stores_are_refused(url: str) -> None:
    with pytest.raises(ConfigError):
        open_image_store(url)
