"""The headers of dead letters."""

from __future__ import annotations

from typing import Any

import pytest

from facerec.letters import (
    buried_headers,
    dead_letter,
    marked_headers,
    message_id,
    redriven_headers,
    without_brokers,
)


def test_bury_keeps_the_jobs_headers_and_drops_the_brokers() -> None:
    headers = buried_headers({"hash": "ab", "attempt": 4, "x-death": [{"count": 1}]}, "CODE", "r" * 2000)
    assert headers | {"buried-at": ""} == {
        "hash": "ab",
        "attempt": 4,
        "code": "CODE",
        "reason": "r" * 1000,
        "buried-at": "",
        "attempts": 4,
    }


def test_redrive_undoes_bury() -> None:
    job = {"hash": "ab", "ticket": 7, "attempt": 4}
    once = redriven_headers(buried_headers(job, "CODE", "reason"), {})
    assert once == {"hash": "ab", "ticket": 7, "attempt": 1, "redriven": 1}
    assert redriven_headers(buried_headers(once, "CODE", "reason"), {"ticket": 8}) == once | {
        "redriven": 2,
        "ticket": 8,
    }


def test_letter_of_anything() -> None:
    wrong = {"hash": 7, "owner": None, "ticket": "x", "attempts": True, "buried-at": "yesterday", "reason": [1]}
    letter = dead_letter(wrong, 3)
    assert (letter.hash, letter.owner, letter.ticket, letter.attempts, letter.buried_at, letter.size) == (
        "",
        "",
        0,
        0,
        0,
        3,
    )


def test_message_id() -> None:
    assert message_id({"hash": "ab", "ticket": 7}) == "ab:7"
    assert message_id({}) != message_id({})


@pytest.mark.parametrize(
    "buried_at", ["nan", "inf", "-inf", "1e400", "-5", "1e15", "soon", 7, {"a": "dict"}, ["x"], None]
)
def test_a_letter_was_given_up_at_a_time_that_can_be_shown(buried_at: object) -> None:
    letter = dead_letter({"hash": "ab" * 32, "buried-at": buried_at, "name": {"a": "dict"}, "attempts": "3"}, 1)
    assert (letter.buried_at, letter.name, letter.attempts) == (0.0, "", 0)


def test_headers_whose_names_are_no_texts_are_left_out() -> None:
    headers: dict[Any, object] = {b"\xff": 1, "x-death": 2, "owner": "default"}
    assert without_brokers(headers) == {"owner": "default"}


def test_a_letter_with_more_headers_than_fit_keeps_those_of_a_job() -> None:
    kept = buried_headers(
        {"owner": "default", "ticket": 7, "name": "x" * 120_000, "much": "y" * 120_000}, "CODE", "\ud800"
    )
    assert {name: kept[name] for name in ("owner", "ticket", "code", "reason")} == {
        "owner": "default",
        "ticket": 7,
        "code": "CODE",
        "reason": "?",
    }
    assert not kept.keys() & {"name", "much"}


def test_no_id_of_a_message_is_longer_than_a_broker_takes() -> None:
    assert len(message_id({"hash": "é" * 64, "ticket": 7})) == 32


def test_letters_are_told_apart_jobs_by_their_tickets_and_others_by_marks() -> None:
    job = {"hash": "ab" * 32, "ticket": 7, "owner": "ann"}
    letter = dead_letter(buried_headers(job, "CHILD_DIED", "it died"), 1)
    assert (letter.id, letter.seen_by) == (f"{'ab' * 32}:7", "ann")
    junk: dict[str, Any]
    for junk in ({}, {"ticket": 7}, job | {"hash": "?"}, job | {"owner": "../.."}):
        one, other = (dead_letter(buried_headers(marked_headers(junk), "MALFORMED_JOB", ""), 1) for _ in range(2))
        assert one.id != other.id
        assert one.id.rpartition(":")[0] == (junk.get("hash") if len(junk.get("hash", "")) == 64 else "-")
    assert one.seen_by == "default"


def test_what_an_earlier_release_laid_there_without_a_mark_has_one() -> None:
    headers = buried_headers({"ticket": 7, "letter": "?"}, "MALFORMED_JOB", "")
    assert dead_letter(headers, 1).id == dead_letter(headers, 1).id != dead_letter(headers | {"code": "X"}, 1).id


def test_a_mark_is_none_of_the_job() -> None:
    assert "letter" not in redriven_headers(buried_headers(marked_headers({"ticket": 7}), "X", ""), {})
