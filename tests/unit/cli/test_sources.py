from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from facerec.cli.errors import UsageError
from facerec.cli.scanning.dispatch import FileRefused, read_picture, stat_of
from facerec.cli.scanning.sources import Item, find_items


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder ``here``, which is the current one, beside a folder ``there``."""
    here = tmp_path / "here"
    for name in (
        "here/b.png",
        "here/a.JPG",
        "here/notes.txt",
        "here/.c.png",
        "here/sub/d.webp",
        "there/b.png",
        "there/x/e.gif",
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    (here / ".hidden").mkdir()
    (here / ".hidden" / "f.png").write_bytes(b"")
    (here / "sub" / "round").symlink_to(here)
    monkeypatch.chdir(here)
    return here


def names(folder: Path, *sources: str, recursive: bool = False, base: Path | None = None) -> list[str]:
    return [item.name for item in find_items(sources, base or folder, recursive=recursive).items]


def test_a_folder_gives_its_pictures_in_order(folder: Path) -> None:
    assert names(folder, ".") == ["a.JPG", "b.png"]
    assert find_items(["."], folder, recursive=False).passed_over == 1


def test_recursively_without_hidden_ones_and_circles(folder: Path) -> None:
    assert names(folder, ".", recursive=True) == ["a.JPG", "b.png", "sub/d.webp"]


def test_a_file_that_is_named_is_taken_whatever_its_ending(folder: Path) -> None:
    assert names(folder, "notes.txt", "sub/d.webp") == ["notes.txt", "sub/d.webp"]


def test_outside_the_base_names_begin_with_the_folder_that_was_named(folder: Path) -> None:
    assert names(folder, "../there", recursive=True) == ["there/b.png", "there/x/e.gif"]
    assert names(folder, "../there/b.png") == ["b.png"]
    assert names(folder, "../there", recursive=True, base=folder.parent) == ["there/b.png", "there/x/e.gif"]
    assert names(folder, str(folder), base=folder.parent) == ["here/a.JPG", "here/b.png"]


def test_addresses_are_their_own_names(folder: Path) -> None:
    found = find_items(["https://x/y.png", "http://x/z"], folder, recursive=False)
    assert [(item.name, item.path) for item in found.items] == [("https://x/y.png", None), ("http://x/z", None)]


def test_the_same_picture_named_twice_is_one(folder: Path) -> None:
    assert names(folder, "b.png", ".", str(folder / "b.png")) == ["b.png", "a.JPG"]


def test_two_pictures_with_one_name_are_refused(folder: Path) -> None:
    with pytest.raises(UsageError, match="choose another --base"):
        names(folder, "b.png", "../there/b.png")


def test_a_path_that_is_not_there_is_refused(folder: Path) -> None:
    with pytest.raises(UsageError, match="not there"):
        names(folder, "nowhere")


def test_a_name_that_is_no_text_is_kept_as_it_is(folder: Path) -> None:
    (folder / "\udcff.png").write_bytes(b"")
    assert names(folder, ".") == ["a.JPG", "b.png", "\udcff.png"]


def test_what_fits_a_pattern_is_left_out(folder: Path) -> None:
    for name in ("@eaDir/a.JPG", "sub/#recycle/old.png", "sub/x/private/me.png", "lost+found/1.png"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"")

    def taken(*exclude: str, source: str = ".") -> list[str]:
        return [item.name for item in find_items([source], folder, recursive=True, exclude=exclude).items]

    assert taken() == ["a.JPG", "b.png", "sub/d.webp", "sub/x/private/me.png"]
    assert taken("private") == ["a.JPG", "b.png", "sub/d.webp"]
    assert taken("sub/x/*", "?.png") == ["a.JPG", "sub/d.webp"]
    assert taken("*.JPG", "sub") == ["b.png"]
    assert taken(source="@eaDir") == ["@eaDir/a.JPG"], "a folder that is named is taken whatever it is called"


def test_a_folder_that_cannot_be_read_is_named_and_passed_over(folder: Path, lock: Callable[[str], None]) -> None:
    lock("sub")
    found = find_items(["."], folder, recursive=True)
    assert [item.name for item in found.items] == ["a.JPG", "b.png"]
    assert found.unreadable == {"./sub": "Permission denied"}


@pytest.mark.parametrize("kind", ["pipe", "socket", "device"])
def test_what_is_no_file_is_refused_at_once(folder: Path, kind: str) -> None:
    path = folder / "pipe.png"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(str(path))
    else:
        path.symlink_to("/dev/zero")
    assert names(folder, ".") == ["a.JPG", "b.png", "pipe.png"]
    with pytest.raises(FileRefused, match="no file but"):
        stat_of(Item("pipe.png", path))
    with pytest.raises(FileRefused):
        read_picture(path, 1000)
