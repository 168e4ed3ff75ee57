"""Grouping in real workers: side by side, killed, stopped, and on real pictures."""

from __future__ import annotations

import random
import signal
from collections import Counter
from pathlib import Path

import pytest

from facerec.adapters.redis import RedisDatabases
from facerec.adapters.redis.layout import OWN
from facerec.adapters.redis.people_check import check_people
from facerec.config import RabbitSettings, RedisSettings
from tests import pictures
from tests.client import wait_until
from tests.drawings import showing
from tests.stack import Stack

SEVERAL = ("Ann", "Bea", "Cem")


def persons_on(stack: Stack, image_hash: str) -> list[int | None]:
    return [face["person"] for face in stack.image(image_hash)["faces"]]


def wait_grouped(stack: Stack, databases: RedisDatabases, seconds: float = 30.0) -> None:
    """Until the grouping has come to the end of the journal."""

    def grouped() -> bool:
        position, end = databases.client(OWN).mget("grouping:position", "journal:position")
        return bool(position == end)

    wait_until(grouped, "everything is grouped", stack.log_tails, seconds)


def leader(databases: RedisDatabases) -> int:
    """The process id of the worker whose turn it is."""
    found = databases.client(OWN).get("grouping:leader")
    assert found is not None
    return int(found.rpartition(b"-")[2])


def test_pictures_gather_while_two_workers_scan(
    redis_settings: RedisSettings, rabbit_settings: RabbitSettings, databases: RedisDatabases, tmp_path: Path
) -> None:
    with Stack(redis_settings, rabbit_settings, tmp_path, workers=2, ENGINE="fake") as stack:
        shown = {stack.scan(showing(SEVERAL[n % 3]), f"{n}.png"): SEVERAL[n % 3] for n in range(60)}
        stack.wait_ended(shown)
        wait_grouped(stack, databases)
        groups = Counter((name, *persons_on(stack, image_hash)) for image_hash, name in shown.items())
    assert sorted(groups.values()) == [20, 20, 20]
    assert len({person for _, person in groups}) == 3
    assert list(check_people(databases)) == []


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_another_worker_goes_on_within_seconds(
    redis_settings: RedisSettings,
    rabbit_settings: RabbitSettings,
    databases: RedisDatabases,
    tmp_path: Path,
    number: signal.Signals,
) -> None:
    with Stack(redis_settings, rabbit_settings, tmp_path, workers=2, ENGINE="fake") as stack:
        first = stack.scan(showing("Ann"), "first.png")
        stack.wait_ended([first])
        wait_grouped(stack, databases)
        (ended,) = [worker for worker in stack.workers if worker.pid == leader(databases)]
        ended.send(number)
        shown = [stack.scan(showing("Ann"), f"{n}.png") for n in range(5)]
        stack.wait_ended(shown)
        wait_grouped(stack, databases, seconds=10.0)
        ended.wait()
        assert leader(databases) != ended.pid
        assert len({persons_on(stack, image_hash)[0] for image_hash in [first, *shown]}) == 1
    assert list(check_people(databases)) == []


def test_workers_that_do_no_grouping(
    redis_settings: RedisSettings, rabbit_settings: RabbitSettings, databases: RedisDatabases, tmp_path: Path
) -> None:
    with Stack(redis_settings, rabbit_settings, tmp_path, ENGINE="fake", GROUPING="off") as stack:
        shown = [stack.scan(showing("Ann"), f"{n}.png") for n in range(2)]
        stack.wait_ended(shown)
        assert databases.client(OWN).get("grouping:leader") is None
        assert [persons_on(stack, image_hash) for image_hash in shown] == [[None], [None]]


@pytest.mark.usefixtures("every_core")
def test_ten_people_on_a_hundred_real_pictures(
    redis_settings: RedisSettings, rabbit_settings: RabbitSettings, databases: RedisDatabases, tmp_path: Path
) -> None:
    people = pictures.lfw100()
    if not people:
        pytest.skip("the pictures lfw100 are not here")
    paths = [(name, path) for name, own in people.items() for path in own]
    random.Random(11).shuffle(paths)
    with Stack(redis_settings, rabbit_settings, tmp_path, workers=1) as stack:
        shown = {stack.scan(path.read_bytes(), path.name): name for name, path in paths}
        stack.wait_ended(shown)
        wait_grouped(stack, databases)
        found: dict[int, Counter[str]] = {}
        for image_hash, name in shown.items():
            for person in set(persons_on(stack, image_hash)) - {None}:
                found.setdefault(person, Counter())[name] += 1  # type: ignore[arg-type]
    whole = [names for names in found.values() if max(names.values()) >= 9]
    assert len(whole) == len(people)
    assert all(len(names) == 1 for names in found.values())
