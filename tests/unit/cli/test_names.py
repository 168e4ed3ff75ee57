"""Names that no table has room for: escaped for people, one a line; as they are for programs."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from facerec.cli.output import printable
from tests.stack import ROOT
from tests.unit.cli.running import Facerec
from tests.unit.cli.stub import StubService, letter

ODD = "a\nb\tc\u202ed\u200d\u200b\ufeffe\\n\x1b[2J.png"
SHOWN = r"a\nb\tc\u202ed\u200d\u200b\ufeffe\n\x1b[2J.png"
BYTES = b"\xff b\n.png"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Screenshot at 3.14.15\u202fPM.png", "Screenshot at 3.14.15\u202fPM.png"),
        ("Ünïcödé (1) אבא 👧.png", "Ünïcödé (1) אבא 👧.png"),
        ("می\u200cخواهم", "می\\u200cخواهم"),
        ("👩\u200d👧", "👩\\u200d👧"),
        ("\u200fa\u2067b", r"\u200fa\u2067b"),
        ("a\r\n\t\x1b\x7f\x9b\u2028", r"a\r\n\t\x1b\x7f\u009b\u2028"),
        ("\u3164\u2800\u034f", r"\u3164\u2800\u034f"),
        ("\U000e0041", r"\U000e0041"),
        ("\udcff", r"\xff"),
        ("\ud800", r"\ud800"),
    ],
)
def test_what_is_not_seen_is_written_out(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_a_name_is_a_line_for_people_and_itself_for_programs(facerec: Facerec, service: StubService) -> None:
    names = [ODD, "plain.png"]
    for arguments, expected in (([], f"{SHOWN}\nplain.png\n"), (["-0"], f"{ODD}\0plain.png\0")):
        service.fail_next((200, names, {}))
        assert facerec("match", *arguments, "a" * 64).out == expected
    service.fail_next((200, names, {}))
    assert facerec("match", "--json", "a" * 64).document == names
    assert "either --json or --null" in facerec("match", "--json", "-0", "a" * 64, status=2).document["reason"]


def test_a_row_of_a_table_is_a_line(facerec: Facerec, service: StubService) -> None:
    service.letters = [letter("a" * 64, ODD)]
    assert facerec("dead", "list").out.splitlines()[0].split("\t")[-1] == SHOWN
    assert len(facerec("dead", "list").out.splitlines()) == 1
    assert facerec("dead", "list", "-0").out.split("\t", 4)[-1] == f"{ODD}\0"
    assert facerec("dead", "list", "--json").document[0]["name"] == ODD
    assert f"name       {SHOWN}\n" in facerec("dead", "show", "a" * 64).out


def test_a_list_of_photos_is_printed_with_names_as_they_are(facerec: Facerec) -> None:
    facerec.put(ODD)
    facerec("enroll", "prepare", "job", ODD)
    path = facerec.folder / ODD
    assert facerec("enroll", "print", "job").out == f"waiting  {facerec.folder}/{SHOWN}    \n"
    assert facerec("enroll", "print", "-0", "job").out == f"waiting\t\t\t{path}\0"


def test_null_is_for_lists_of_names(facerec: Facerec) -> None:
    facerec.put("a.png")
    assert "--dry-run" in facerec("scan", "-0", "a.png", status=2).err


def test_bytes_that_are_no_text_go_through_a_pipe(facerec: Facerec) -> None:
    """What xargs -0 hands on is the file; JSON comes back as the same name; for people the byte is written out."""
    facerec.put(os.fsdecode(BYTES), b"picture")

    def scan(*form: str) -> bytes:
        command = [sys.executable, "-m", "facerec", "scan", "--dry-run", *form, "."]
        environment = os.environ | {"PYTHONPATH": str(ROOT), "LC_ALL": "C", "PYTHONUTF8": "0"}
        return subprocess.run(command, env=environment, check=True, capture_output=True, timeout=60).stdout

    assert scan("-0") == BYTES + b"\0"
    assert os.fsencode(json.loads(scan("--json"))["name"]) == BYTES
    assert scan() == rb"\xff b\n.png" + b"\n"
