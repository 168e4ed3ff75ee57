"""Two workers with pictures of one person, in every interleaving of their steps, and with a crash at every step.

A worker's steps are its calls to the store; between two of them nothing of it can be seen from outside. A conductor lets
each call through in the order that a schedule says, and all schedules are tried.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from itertools import count
from typing import Any

import pytest

from facerec.adapters.redis import RedisAdmissions, RedisCommits, RedisDatabases, RedisJournal
from facerec.adapters.redis.layout import FACES, LINKS, OWN
from facerec.jobs import ScanJob
from facerec.rule import ScanRule, to_scanned
from tests.faces import analysis, scan_job

LONGEST = 30.0


class Crash(Exception):
    """A worker dies before a step."""


class Conductor:
    """Lets the steps of several players through one by one, in the order of a schedule; who is not in it any more runs free."""

    def __init__(self, schedule: Sequence[int]) -> None:
        self._left = list(schedule)
        self._turn = threading.Condition()
        self._finished: set[int] = set()
        self.played: list[int] = []

    def step(self, player: int) -> None:
        with self._turn:
            assert self._turn.wait_for(lambda: self._may_play(player), LONGEST)
            if self._left:
                self._left.pop(0)
            self.played.append(player)
            self._turn.notify_all()

    def finish(self, player: int) -> None:
        with self._turn:
            self._finished.add(player)
            self._turn.notify_all()

    def _may_play(self, player: int) -> bool:
        while self._left and self._left[0] in self._finished:
            self._left.pop(0)
        return not self._left or self._left[0] == player


class Stepped:
    """Commits and journal of one worker, each call a step; ``crash_at`` is the number of the step that is never made."""

    def __init__(self, databases: RedisDatabases, step: Callable[[], None], crash_at: int | None = None) -> None:
        self._commits, self._journal = RedisCommits(databases), RedisJournal(databases)
        self._step = step
        self._crash_at = crash_at
        self._numbers = count()

    def __getattr__(self, name: str) -> Callable[..., Any]:
        target = getattr(self._commits, name, None) or getattr(self._journal, name)

        def call(*arguments: Any) -> Any:
            if next(self._numbers) == self._crash_at:
                raise Crash
            self._step()
            return target(*arguments)

        return call


def work(store: Any, job: ScanJob, place: float) -> None:
    """All that a worker does with a job, up to where it would acknowledge."""
    rule = ScanRule(store, store, 0.6)
    rule.load()
    start = store.begin([job])[0]
    if start.verdict == "go":
        rule.finish([to_scanned(job, start.image_ticket, analysis(place))])


def schedules(steps: int) -> Iterator[tuple[int, ...]]:
    """All orders of ``steps`` steps of player 0 and as many of player 1."""

    def extend(zeros: int, ones: int) -> Iterator[tuple[int, ...]]:
        if not zeros and not ones:
            yield ()
        if zeros:
            yield from ((0, *rest) for rest in extend(zeros - 1, ones))
        if ones:
            yield from ((1, *rest) for rest in extend(zeros, ones - 1))

    return extend(steps, steps)


def assert_linked_once(databases: RedisDatabases, one: ScanJob, other: ScanJob) -> None:
    links = databases.client(LINKS)
    assert links.smembers(one.hash) == {other.hash.encode()}
    assert links.smembers(other.hash) == {one.hash.encode()}
    assert [databases.client(FACES).llen(job.hash) for job in (one, other)] == [1, 1]
    entries = databases.client(OWN).xrange("journal")
    assert sorted(fields[b"hash"].decode() for _, fields in entries) == sorted((one.hash, other.hash))


def play(databases: RedisDatabases, jobs: Sequence[ScanJob], schedule: Sequence[int]) -> Conductor:
    conductor = Conductor(schedule)
    errors: list[BaseException] = []

    def player(number: int) -> None:
        try:
            work(Stepped(databases, lambda: conductor.step(number)), jobs[number], 0.1 * number)
        except BaseException as error:  # noqa: BLE001 - handed to the test
            errors.append(error)
        finally:
            conductor.finish(number)

    threads = [threading.Thread(target=player, args=(number,)) for number in range(len(jobs))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LONGEST)
    assert not errors
    return conductor


def test_two_workers_in_every_interleaving(databases: RedisDatabases) -> None:
    admissions = RedisAdmissions(databases)
    played = set()
    # A lone worker makes five steps (load, its replay, catch up, begin, commit); one that was overtaken makes one more.
    for schedule in schedules(6):
        databases.client(OWN).flushall()
        jobs = [scan_job(admissions, "one.jpg"), scan_job(admissions, "other.jpg")]
        played.add(tuple(play(databases, jobs, schedule).played))
        assert_linked_once(databases, *jobs)
    assert len(played) >= 252, "every order of five steps and five steps was really played"


def test_the_same_image_twice_in_every_interleaving(databases: RedisDatabases) -> None:
    admissions = RedisAdmissions(databases)
    for schedule in schedules(5):
        databases.client(OWN).flushall()
        first = scan_job(admissions, "one.jpg")
        second = scan_job(admissions, "two.jpg", first.body)
        play(databases, [first, second], schedule)
        found = admissions.image(first.owner, first.hash)
        assert found is not None
        assert (found["state"], found["names"], len(found["faces"])) == ("done", ["one.jpg", "two.jpg"], 1)
        assert databases.client(OWN).xlen("journal") == 1


@pytest.mark.parametrize("crash_at", range(6))
def test_a_crash_before_any_step_and_a_redelivery_lose_and_double_nothing(
    databases: RedisDatabases, crash_at: int
) -> None:
    admissions = RedisAdmissions(databases)
    one, other = scan_job(admissions, "one.jpg"), scan_job(admissions, "other.jpg")
    work(Stepped(databases, lambda: None), one, 0.0)
    try:
        work(Stepped(databases, lambda: None, crash_at), other, 0.1)
    except Crash:
        work(Stepped(databases, lambda: None), other, 0.1)
    work(Stepped(databases, lambda: None), other, 0.1)
    assert_linked_once(databases, one, other)
