"""No receiver keeps another waiting; what cannot be told of one image keeps no other from being told of, and ends no worker."""

from __future__ import annotations

import queue
import threading
from collections.abc import Mapping, Sequence
from unittest.mock import Mock

import pytest

from facerec.errors import InternalError
from facerec.ports import Notice
from worker.postman import AT_ONCE, EACH, Postman

SECONDS = 20.0


def notice(image_hash: str, owner: str = "default") -> Notice:
    return Notice(owner, image_hash, "done", 1, "1 1", "https://example.org/hook", "secret")


def test_an_image_with_damaged_keys_is_passed_over() -> None:
    rounds: list[Sequence[Notice]] = [[notice("damaged"), notice("sound")]]
    told: queue.SimpleQueue[str] = queue.SimpleQueue()

    def due(*_: object) -> Sequence[Notice]:
        if not rounds:
            told.put("looked again")
            raise InternalError("Redis refused a command")
        return rounds.pop()

    def deliver(one: Notice) -> None:
        if one.hash == "damaged":
            raise InternalError("Redis refused a command")
        told.put(one.hash)

    crashed = Mock(side_effect=lambda: told.put("crashed"))
    postman = Postman(Mock(due=due, deliver=deliver), crashed)
    postman.start()
    heard = [told.get(timeout=SECONDS) for _ in range(3)]
    postman.close()
    assert sorted(heard) == ["looked again", "looked again", "sound"]
    crashed.assert_not_called()


class Office:
    """As many notices as anybody wants of some owners; the receivers of ``hanging`` ones do not answer."""

    def __init__(self, owners: Sequence[str], hanging: Sequence[str]) -> None:
        self._owners = owners
        self._hanging = hanging
        self.release = threading.Event()
        self.told: queue.SimpleQueue[str] = queue.SimpleQueue()
        self.asked: list[tuple[int, int, dict[str, int]]] = []

    def due(self, limit: int, _lease: float, each: int, calling: Mapping[str, int]) -> Sequence[Notice]:
        self.asked.append((limit, each, dict(calling)))
        found = [notice("ab" * 32, owner) for owner in self._owners for _ in range(each - calling.get(owner, 0))]
        return found[:limit]

    def deliver(self, one: Notice) -> None:
        if one.owner in self._hanging:
            self.release.wait(SECONDS)
        else:
            self.told.put(one.owner)


@pytest.mark.parametrize("hanging", [1, 3, 12])
def test_receivers_that_hang_keep_no_other_waiting(hanging: int) -> None:
    dead = [f"dead {number}" for number in range(hanging)]
    office = Office([*dead, "alive"], dead)
    crashed = Mock()
    postman = Postman(Mock(due=office.due, deliver=office.deliver), crashed)
    postman.start()
    for _ in range(3 * AT_ONCE):
        assert office.told.get(timeout=SECONDS) == "alive"
    office.release.set()
    postman.close()
    crashed.assert_not_called()
    assert all(0 < limit <= AT_ONCE - sum(calling.values()) for limit, _, calling in office.asked)
    assert all(count <= EACH for _, _, calling in office.asked for count in calling.values())


def test_a_call_that_breaks_ends_the_worker() -> None:
    ended = threading.Event()
    due = Mock(side_effect=[[notice("ab" * 32)]] + 1000 * [[]])
    postman = Postman(Mock(due=due, deliver=Mock(side_effect=ZeroDivisionError)), ended.set)
    postman.start()
    assert ended.wait(SECONDS)
    postman.close()
