"""Every thread is known here, and none dies unseen: a worker whose thread breaks says so and ends, so that others do its work."""

from __future__ import annotations

import ast
import io
import logging
import re
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from facerec.config import RabbitSettings, RedisSettings, Settings, WorkerSettings
from tests.client import wait_until
from worker import child_output
from worker.__main__ import build
from worker.app import Worker
from worker.committer import Committer
from worker.conductor import Conductor
from worker.grouper import Grouper
from worker.intake import Intake
from worker.keeper import Keeper
from worker.lookout import Lookout
from worker.pool import EnginePool
from worker.postman import Postman
from worker.pulse import Pulse
from worker.regenerator import Regenerator
from worker.undertaker import Undertaker

ROOT = Path(__file__).parents[2]
LONGEST = 60.0
THREADS: dict[str, tuple[type | ModuleType, str]] = {
    "committer": (Committer, "_run"),
    "conductor": (Conductor, "_run"),
    "consumer": (Worker, "_receive"),
    "engine": (EnginePool, "_feed"),
    "grouper": (Grouper, "_run"),
    "intake": (Intake, "_run"),
    "keeper": (Keeper, "_run"),
    "lookout": (Lookout, "_run"),
    "output": (child_output, "_log_lines"),
    "postman": (Postman, "_run"),
    "pulse": (Pulse, "_run"),
    "regenerator": (Regenerator, "_run"),
    "tidier": (Keeper, "_tidy"),
    "undertaker": (Undertaker, "_run"),
}
"""Those of a worker, and what each of them runs."""
OF_CLIENTS = re.compile(r"facerec .*|webhook|ThreadPoolExecutor.*|of the test.*|Thread|Thread-.*")
"""Threads of connections, which are made anew when they are needed next, and of pools, which hand on what their tasks raise. Those
without a name are of other tests and of timers: every other of ours has one."""
MADE_IN = {
    "facerec/adapters/fetch.py": "Timer",
    "facerec/adapters/rabbitmq/link.py": "_Owner",
    "facerec/cli/scanning/run.py": "Thread",
    "facerec/client/watch.py": "Thread",
    "facerec/services/contacts_turns.py": "Thread",
    "facerec/services/write_check.py": "Thread",
    "rest/hub.py": "Thread",
    "rest/threads.py": "Thread",
    "worker/app.py": "Timer",
    "worker/committer.py": "Timer",
    "worker/guard.py": "Thread",
}
"""Where threads are made beside `guarded_thread`: who adds one sees to it that its death is seen."""


@pytest.fixture
def settings(redis_settings: RedisSettings, rabbit_settings: RabbitSettings, tmp_path: Path) -> Settings:
    own = WorkerSettings(engine="fake", processes=1, reserved=0, grace=1.0, model_cache=tmp_path)
    return Settings(redis=redis_settings, rabbitmq=rabbit_settings, worker=own, image_store=f"file://{tmp_path}/kept")


@pytest.fixture
def working(settings: Settings) -> Iterator[Callable[[], tuple[Worker, Future[bool]]]]:
    with ThreadPoolExecutor(1, thread_name_prefix="of the test") as pool:
        workers = []

        def start() -> tuple[Worker, Future[bool]]:
            worker = build(settings, "w")
            workers.append(worker)
            return worker, pool.submit(worker.run)

        yield start
        for worker in workers:
            worker.stop()


def names() -> set[str]:
    """Of the threads that live, without numbers."""
    return {re.sub(r"[-_]\d+$", "", thread.name) for thread in threading.enumerate()}


def test_these_are_all_threads_of_a_worker(working: Callable[[], tuple[Worker, Future[bool]]]) -> None:
    before = names() - set(THREADS)
    worker, ended = working()
    wait_until(lambda: names() >= set(THREADS), "all threads live")
    assert {name for name in names() - before if not OF_CLIENTS.fullmatch(name)} == set(THREADS)
    worker.stop()
    assert ended.result(LONGEST)
    assert not names() & set(THREADS)


@pytest.mark.parametrize("name", THREADS)
def test_a_worker_whose_thread_breaks_says_so_and_ends(
    name: str,
    working: Callable[[], tuple[Worker, Future[bool]]],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def broken(*given: Any, **__: Any) -> None:
        for each in given:
            if isinstance(each, io.IOBase):
                each.close()  # what this thread alone would have read
        raise ZeroDivisionError(name)

    monkeypatch.setattr(*THREADS[name], broken)
    _, ended = working()

    assert ended.result(LONGEST) is False
    told = [record for record in caplog.records if getattr(record, "action", "") == "crashed"]
    assert told
    assert {record.levelno for record in told} == {logging.ERROR}
    assert all(name in record.getMessage() for record in told)


def test_threads_are_made_where_their_death_is_seen() -> None:
    made: dict[str, set[str]] = {}
    for path in (each for top in ("facerec", "rest", "worker") for each in (ROOT / top).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef) and any(
                ast.unparse(base) in {"threading.Thread", "Thread"} for base in node.bases
            ):
                made.setdefault(path.relative_to(ROOT).as_posix(), set()).add(node.name)
            if isinstance(node, ast.Call) and ast.unparse(node.func) in {
                "threading.Thread",
                "threading.Timer",
                "Thread",
                "Timer",
            }:
                made.setdefault(path.relative_to(ROOT).as_posix(), set()).add(ast.unparse(node.func).rpartition(".")[2])
    assert made == {path: {kind} for path, kind in MADE_IN.items()}
