"""Many processes, one user: whatever the order and whoever dies, what is there is what some order of the calls gives."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from facerec.adapters.redis import RedisContactAnswers, RedisDatabases
from facerec.services.contacts_store import Change, LeaseLost, Turn
from facerec.services.contacts_turns import Turns
from tests.client import wait_until
from tests.contact_judge import Operation, flaws, order_of, read_logs
from tests.contact_player import USER, known_face
from tests.contact_worlds import Pages, open_books
from tests.stack import ROOT
from tests.stopwatch import stopwatch

PLAYERS, CALLS, KILLS = 10, 30, 8


def start(redis_server: Any, folder: Path, seed: int) -> subprocess.Popen[bytes]:
    log = folder / f"player{seed}.log"
    log.touch()
    arguments = [str(redis_server.port), redis_server.password, str(seed), str(CALLS), str(log)]
    return subprocess.Popen([sys.executable, "-m", "tests.contact_player", *arguments], cwd=ROOT)


def lines(folder: Path) -> int:
    return sum(log.read_bytes().count(b"\n") for log in folder.glob("player*.log"))


def test_ten_processes_one_killed_now_and_then_leave_what_some_order_of_their_calls_gives(
    redis_settings: Any, redis_server: Any, tmp_path: Path
) -> None:
    dice = random.Random(11)
    players = [start(redis_server, tmp_path, seed) for seed in range(PLAYERS)]
    seeds = iter(range(PLAYERS, 1000))
    try:
        for kill in range(KILLS):
            wait_until(lambda n=kill: lines(tmp_path) >= 40 * (n + 1), "the players play")  # type: ignore[misc]
            victim = dice.randrange(PLAYERS)
            if kill % 2:
                # A holder that is away for longer than its lease comes back, and must not write.
                players[victim].send_signal(signal.SIGSTOP)
                before = lines(tmp_path)
                wait_until(lambda n=before: lines(tmp_path) >= n + 10, "the others go on")  # type: ignore[misc]
                players[victim].send_signal(signal.SIGCONT)
            else:
                players[victim].kill()
                players[victim].wait()
                players[victim] = start(redis_server, tmp_path, next(seeds))
        assert [player.wait(120) for player in players] == [0] * PLAYERS
    finally:
        for player in players:
            player.kill()
            player.wait()
    databases = RedisDatabases(redis_settings)
    books = open_books(databases, Pages())
    book = books.of("default")
    assert book.add_faces(USER, 0, []) == {"added": [], "deleted": [], "not_found": [], "error": []}
    operations = read_logs(tmp_path.glob("player*.log"))
    now = time.monotonic()
    operations.append(Operation({"does": "get_faces"}, now, now, book.get_faces(USER)))
    unheard = sum(operation.answer is None for operation in operations)
    assert len(operations) > PLAYERS * CALLS / 2
    assert order_of(operations) is not None
    assert flaws(databases, USER) == []
    print(f"{len(operations)} calls, {unheard} without an answer")  # noqa: T201 - said in the log of the test
    books.close()
    databases.close()


def test_the_judge_finds_a_lost_update(tmp_path: Path) -> None:
    def answer(*, added: list[int] = [], not_found: list[int] = [], deleted: list[int] = []) -> dict[str, Any]:  # noqa: B006
        def some(numbers: list[int]) -> list[dict[str, Any]]:
            return [known_face(0, n) | {"id": n + 1, "is_face": True} for n in numbers]

        return {"added": some(added), "not_found": some(not_found), "deleted": some(deleted), "error": []}

    def add(numbers: list[int], begin: float, end: float, told: Any) -> Operation:
        return Operation({"does": "add_faces", "contact": 0, "numbers": numbers}, begin, end, told)

    def delete(numbers: list[int], begin: float, end: float, told: Any) -> Operation:
        return Operation({"does": "delete_faces", "contact": 0, "numbers": numbers}, begin, end, told)

    one, two = add([1, 2], 0, 2, answer(added=[1, 2])), delete([1], 1, 3, answer(deleted=[1]))
    end = [known_face(0, 2) | {"id": 3, "is_face": True}]
    assert order_of([one, two, Operation({"does": "get_faces"}, 4, 5, end)]) is not None
    assert order_of([one, two, Operation({"does": "get_faces"}, 4, 5, [])]) is None
    assert (
        order_of([one, delete([1], 1, 3, answer(not_found=[1])), Operation({"does": "get_faces"}, 4, 5, end)]) is None
    )
    twice = add([1], 3, 4, answer(added=[1]))
    assert order_of([one, twice]) is None
    assert order_of([add([1, 2], 0, float("inf"), None), Operation({"does": "get_faces"}, 4, 5, end)]) is None
    assert json.dumps(answer())


@pytest.fixture
def store(databases: RedisDatabases) -> RedisContactAnswers:
    return RedisContactAnswers(databases)


def test_a_holder_whose_lease_ran_out_cannot_write(store: RedisContactAnswers) -> None:
    old, new = Turn("default", USER, "old"), Turn("default", USER, "new")
    assert store.take_turn(old, 0.05)
    assert store.take_turn(old, 0.05)
    wait_until(lambda: store.take_turn(new, 10), "the lease runs out")
    assert not store.keep_turn(old, 10)
    assert not store.take_turn(old, 10)
    with pytest.raises(LeaseLost):
        store.write(old, "call", "0.0", [Change(1)])
    with pytest.raises(LeaseLost):
        store.expect(old, "ab" * 32, "http://a/")
    store.end_turn(old)
    assert store.keep_turn(new, 10)
    assert store.write(new, "call", "0.0", [])


def test_a_lease_is_kept_while_its_holder_lives_and_ends_soon_after_it_died(store: RedisContactAnswers) -> None:
    turns, until = Turns(store, lease=0.3), time.time() + 60
    entered, leave = threading.Event(), threading.Event()
    inside: list[str] = []

    def hold() -> None:
        with turns.turn("default", USER, until):
            inside.append("first")
            entered.set()
            leave.wait(30)
            inside.append("first leaves")

    holder = threading.Thread(target=hold)
    holder.start()
    assert entered.wait(30)
    threading.Timer(1.0, leave.set).start()
    with turns.turn("default", USER, until):
        inside.append("second")
    holder.join()
    assert inside == ["first", "first leaves", "second"]
    dead = Turn("default", USER, "dead")
    assert store.take_turn(dead, 0.3)
    with stopwatch() as watch, turns.turn("default", USER, until):
        assert watch.seconds < 5


def test_a_write_that_is_sent_twice_is_done_once(store: RedisContactAnswers) -> None:
    turn = Turn("default", USER, "turn")
    store.take_turn(turn, 10)
    assert store.write(turn, "one", "0.0", [Change(1)])
    assert store.write(turn, "one", "0.0", [Change(1)])
    assert not store.write(turn, "two", "0.0", [Change(1)])
    assert store.read("default", USER, [], records=False).version == "1.0"
