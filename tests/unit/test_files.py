"""Files that are replaced in one step: whole for every reader, for nobody else."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from facerec.files import write_private


def test_whoever_reads_while_it_is_written_sees_one_whole_text_or_the_other(tmp_path: Path) -> None:
    file = write_private(tmp_path / "facts", "a" * 100)
    stop = threading.Event()

    def write() -> None:
        while not stop.is_set():
            write_private(file, "b" * 100)
            write_private(file, "a" * 100)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        seen = {file.read_text(encoding="utf-8") for _ in range(3000)}
    finally:
        stop.set()
        writer.join()
    assert seen <= {"a" * 100, "b" * 100}
    assert [path.name for path in tmp_path.iterdir()] == ["facts"]


def test_what_cannot_be_written_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    file = write_private(tmp_path / "facts", "before")
    with pytest.raises(UnicodeEncodeError):
        write_private(file, "after\ud800")
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("facts", "before")]


def test_it_is_for_its_owner_alone_also_where_it_was_not(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.touch(mode=0o644)
    assert write_private(file, "secret").stat().st_mode & 0o777 == 0o600
