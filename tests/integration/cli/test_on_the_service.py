"""The commands about images on the whole service, one after the other, as a person uses them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from facerec.client import Client
from facerec.config import RabbitSettings, RedisSettings
from tests.client import wait_until
from tests.drawings import drawing, showing
from tests.stack import Stack
from tests.unit.cli.running import Facerec


def test_the_life_of_some_pictures(
    redis_settings: RedisSettings,
    rabbit_settings: RabbitSettings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    facerec = Facerec(tmp_path)
    for name, content in {
        "p/anna.png": showing("anna"),
        "p/both.png": showing("anna", "bert"),
        "p/broken.png": drawing(b"BROKEN"),
        "anna again.png": showing("anna"),
        "stranger.png": showing("carl"),
    }.items():
        facerec.put(name, content)
    with Stack(redis_settings, rabbit_settings, tmp_path, ENGINE="fake") as stack:
        monkeypatch.setenv("FACEREC_URL", stack.url)

        *_, summary = facerec("scan", "--json", "p", status=1).lines
        assert summary["summary"] == {"done": 2, "failed": 1}
        assert facerec("match", "p/anna.png").out == "p/both.png\n"
        assert "p/both.png" in facerec("show", "p/anna.png").out

        found = facerec("identify", "--json", "--preset", "strict", "anna again.png").document
        candidates = found["faces"][0]["candidates"]
        assert sorted(name for each in candidates for name in each["names"]) == ["p/anna.png", "p/both.png"]
        assert facerec("identify", "stranger.png").out.splitlines()[1] == "1\t-\tunknown\t-"

        letters = facerec("dead", "list", "--json").document
        assert [(letter["name"], letter["code"]) for letter in letters] == [("p/broken.png", "UNREADABLE_IMAGE")]
        facerec("dead", "redrive", "p/broken.png")
        with Client(stack.url) as client:
            assert [end.state for end in client.wait([letters[0]["hash"]], timeout=60)] == ["failed"]
        facerec("erase", "--yes", "p/anna.png")
        assert facerec("match", "p/both.png").out == ""
        facerec("show", "p/anna.png", status=1)

        assert re.search(r"^images done\s+1$", facerec("status").out, re.MULTILINE)
        assert "GET '/events' -> 200" in (tmp_path / "rest.log").read_text()


def test_an_odd_name_goes_through_the_service_unchanged(
    redis_settings: RedisSettings, rabbit_settings: RabbitSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name with signs that nobody sees is sent, listed and found again by `xargs -0`; one that the service takes from nobody is
    refused by a name on one line."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    facerec = Facerec(tmp_path)
    odd = "fritz \u202e\u200d\ufeff.png"
    facerec.put(odd, showing("fritz"))
    facerec.put("plain.png", showing("fritz", "gerd"))
    facerec.put("two\nlines.png", showing("hans"))
    with Stack(redis_settings, rabbit_settings, tmp_path, ENGINE="fake") as stack:
        monkeypatch.setenv("FACEREC_URL", stack.url)
        refused = facerec("scan", ".", status=1).err.splitlines()[:1]
        assert refused == [r"facerec: refused: two\nlines.png: BAD_PARAM a name has no control characters"]
        assert facerec("match", "plain.png").out == r"fritz \u202e\u200d\ufeff.png" + "\n"
        assert facerec("match", "--json", "plain.png").document == [odd]
        listed = facerec("match", "-0", "plain.png").out
        assert listed == f"{odd}\0"
        assert facerec("match", listed.rstrip("\0")).out == "plain.png\n", "it names the file"


def test_persons_are_named_merged_split_and_taken_back(
    stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FACEREC_URL", stack.url)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    facerec = Facerec(tmp_path)
    for who in ("dora", "emil"):
        for number in range(4):
            facerec.put(f"{who}{number}.png", showing(who))
    facerec("scan", ".")

    def persons() -> dict[int, int]:
        """The faces of each person. Workers group after the scan."""
        return {each["id"]: each["faces"] for each in facerec("people", "list", "--json").document}

    wait_until(lambda: sorted(persons().values()) == [4, 4], "the faces are grouped")
    one, other = persons()
    assert len(facerec("people", "unknown", "--json").document) == 8

    facerec("people", "name", str(one), "Dora")
    assert facerec("people", "list", "--named").out == f"{one}\t4\tDora\n"
    assert facerec("people", "merge", "--json", str(other), str(one)).document["faces"] == 8
    assert persons() == {one: 8}
    facerec("people", "undo")
    assert persons() == {one: 4, other: 4}

    first, second, *_ = (face["id"] for face in facerec("people", "show", "--json", str(one)).document["some_faces"])
    new = facerec("people", "split", "--json", str(one), str(first)).document["id"]
    assert persons() == {one: 3, other: 4, new: 1}
    facerec("people", "not", str(one), str(second))
    assert persons()[one] == 2
    facerec("people", "not", str(one), str(second), status=1)
