"""The engine pool with real child processes that run the fake engine, which misbehaves on demand."""

from __future__ import annotations

import os
import queue
import signal
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

import pytest

from facerec.engine.options import EngineOptions
from facerec.errors import BadParam, ChildDied, TimeLimitExceeded, UnreadableImage
from facerec.faces import Analysis, Box, Model
from facerec.wire import Task
from worker.pool import EnginePool, Result

LONGEST = 30.0
MakePool = Callable[..., EnginePool]


@pytest.fixture
def make_pool(tmp_path: Path) -> Iterator[MakePool]:
    pools = []

    def make(processes: int = 1, time_limit: float = LONGEST, reserved: int = 0) -> EnginePool:
        settings = {
            "engine": "fake",
            "model": Model.HOG.value,
            "device": "auto",
            "cache": str(tmp_path),
            "options": asdict(EngineOptions()),
        }
        pool = EnginePool(
            settings, processes, reserved, time_limit, lambda: pytest.fail("a thread of the pool crashed")
        )
        pools.append(pool)
        pool.start()
        return pool

    yield make
    for pool in pools:
        pool.close()


def run(pool: EnginePool, *images: bytes) -> list[Result]:
    """The results of these pictures, in their order."""
    answers: queue.Queue[tuple[int, Result]] = queue.Queue()
    for number, image in enumerate(images):
        pool.submit(Task(image), lambda result, number=number: answers.put((number, result)))  # type: ignore[misc]
    return [result for _, result in sorted((answers.get(timeout=LONGEST) for _ in images), key=lambda pair: pair[0])]


def test_results_and_errors_come_back(make_pool: MakePool) -> None:
    good, bad = run(make_pool(), b"a picture", b"BROKEN")
    assert isinstance(good, Analysis)
    assert isinstance(bad, UnreadableImage)


def test_a_box_beside_the_picture_is_a_wrong_parameter(make_pool: MakePool) -> None:
    answers: queue.Queue[Result] = queue.Queue()
    make_pool().submit(Task(b"a picture", boxes=(Box(top=0, right=100_001, bottom=9, left=100_000),)), answers.put)
    error = answers.get(timeout=LONGEST)
    assert isinstance(error, BadParam)
    why = "no face can be there: the box lies outside the picture of 640 x 480 pixels"
    assert (error.param, error.reason) == ("face", why)


def test_a_job_that_kills_its_child_takes_no_other_down(make_pool: MakePool) -> None:
    pool = make_pool(processes=2)
    results = run(pool, *(b"CRASH" if n == 3 else f"picture {n}".encode() for n in range(10)))
    assert isinstance(results[3], ChildDied)
    assert "SIGKILL" in results[3].reason
    assert all(isinstance(result, Analysis) for n, result in enumerate(results) if n != 3)


def test_a_job_that_hangs_is_stopped_at_its_time_limit(make_pool: MakePool) -> None:
    pool = make_pool(time_limit=1.0)
    (result,) = run(pool, b"HANG")
    assert isinstance(result, TimeLimitExceeded)
    assert isinstance(run(pool, b"a picture")[0], Analysis)


def test_a_child_killed_while_idle_is_replaced(make_pool: MakePool) -> None:
    pool = make_pool()
    (child,) = pool.process_ids
    os.kill(child, signal.SIGKILL)
    results = [run(pool, b"a picture")[0] for _ in range(2)]
    assert isinstance(results[1], Analysis)
    assert pool.process_ids != [child]


def test_what_a_person_waits_for_goes_first(make_pool: MakePool) -> None:
    pool = make_pool()
    order: queue.Queue[str] = queue.Queue()
    for n in range(20):
        pool.submit(Task(b"bulk %d" % n), lambda _: order.put("bulk"))
    pool.submit(Task(b"person"), lambda _: order.put("person"), urgent=True)
    assert "person" in [order.get(timeout=LONGEST) for _ in range(19)]


def test_a_reserved_child_does_what_a_person_waits_for_while_the_others_are_busy(make_pool: MakePool) -> None:
    pool = make_pool(reserved=1)
    answers: queue.Queue[Result] = queue.Queue()
    pool.submit(Task(b"HANG"), lambda _: pytest.fail("hangs"))
    pool.submit(Task(b"bulk"), lambda _: pytest.fail("waits behind it"))
    pool.submit(Task(b"person"), answers.put, urgent=True)
    assert isinstance(answers.get(timeout=LONGEST), Analysis)


def test_unwanted_work_is_not_done(make_pool: MakePool) -> None:
    pool = make_pool()
    pool.submit(Task(b"CRASH"), lambda _: pytest.fail("nobody wants this"), is_wanted=lambda: False)
    assert isinstance(run(pool, b"a picture")[0], Analysis)


def test_letting_go_drops_what_waits_and_finishes_what_runs(make_pool: MakePool) -> None:
    pool = make_pool()
    results: queue.Queue[object] = queue.Queue()
    running: queue.Queue[bool] = queue.Queue()
    pool.submit(Task(b"first"), results.put, is_wanted=lambda: running.put(True) or True)  # type: ignore[func-returns-value]
    running.get(timeout=LONGEST)
    pool.let_go()
    pool.submit(Task(b"second"), lambda _: pytest.fail("dropped"), dropped=lambda: results.put("dropped"))
    assert isinstance(results.get(timeout=LONGEST), Analysis)
    assert results.get(timeout=LONGEST) == "dropped"


def test_children_end_with_their_parent(make_pool: MakePool) -> None:
    pool = make_pool(processes=2)
    children = pool.process_ids
    pool.close()
    assert not any(Path(f"/proc/{child}").exists() for child in children)


def test_children_hold_no_secrets(make_pool: MakePool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_PASSWORD", "hush hush")
    (child,) = make_pool().process_ids
    assert b"hush hush" not in Path(f"/proc/{child}/environ").read_bytes()
