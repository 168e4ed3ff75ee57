"""`facerec enroll prepare`: the list, and what it cannot be made of."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.unit.cli.running import Facerec


def test_a_table_that_a_spreadsheet_wrote(facerec: Facerec) -> None:
    facerec.put("ann.jpg")
    facerec.put("metas.csv", "\ufeffann.jpg,Ännchen\r\n".encode())
    facerec("enroll", "prepare", "job", "--meta-csv", "metas.csv", "ann.jpg")
    assert json.loads(Path("job").read_text(encoding="utf-8"))["meta"] == "Ännchen"


@pytest.mark.parametrize(("option", "name"), [(["--meta-csv", "ann.txt"], "ann.txt"), (["--meta-file"], "ann.txt")])
def test_metas_that_are_no_utf8_are_named(facerec: Facerec, option: list[str], name: str) -> None:
    facerec.put("ann.jpg")
    facerec.put(name, "ann.jpg,Jürgen".encode("latin-1"))
    ended = facerec("enroll", "prepare", "job", *option, "ann.jpg", status=2)
    assert f"{name} is no UTF-8 text" in ended.err
    assert not Path("job").exists()


def test_a_photo_whose_name_is_no_text_is_named(facerec: Facerec) -> None:
    os.close(os.open(os.fsencode(facerec.folder) + b"/b\xff.jpg", os.O_CREAT | os.O_WRONLY))
    assert r"b\xff.jpg" in facerec("enroll", "prepare", "job", ".", status=2).err
    assert not Path("job").exists()


def test_an_address_is_no_photo_of_a_list(facerec: Facerec) -> None:
    ended = facerec("enroll", "prepare", "job", "https://example.org/ann.jpg", status=2)
    assert "https://example.org/ann.jpg" in ended.err


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ('{"state": "done"}', "file"),
        ('{"file": 5, "state": "done"}', "file"),
        ('{"file": "/ann.jpg"}', "state"),
        ('{"file": "/ann.jpg", "state": "sent"}', "state"),
        ('{"file": "/ann.jpg", "state": "failed"}', "reason"),
        ("[]", "is no JSON object"),
        ("5", "is no JSON object"),
    ],
)
@pytest.mark.parametrize("what", ["print", "run"])
def test_results_that_were_changed_by_hand_are_named(facerec: Facerec, what: str, line: str, complaint: str) -> None:
    Path("job").write_text('{"file": "/ann.jpg"}\n', encoding="utf-8")
    good = '{"file": "/bob.jpg", "state": "done"}'
    Path("job.results").write_text(f'{good}\n{{"file": "cut o\n{line}\n', encoding="utf-8")
    ended = facerec("enroll", what, "job", status=2)
    assert "job.results: line 3" in ended.err
    assert complaint in ended.err


def test_a_list_that_is_not_there_is_named_once(facerec: Facerec) -> None:
    ended = facerec("enroll", "print", "nowhere.jsonl", status=2)
    assert ended.err == "facerec: nowhere.jsonl: No such file or directory\n"
