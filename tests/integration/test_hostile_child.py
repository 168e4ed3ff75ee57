"""An engine child that answers what cannot be, or hangs: only that child is replaced, and only its job is told."""

from __future__ import annotations

import json
import os
import queue
import signal
import struct
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facerec.engine.options import EngineOptions
from facerec.errors import ChildDied, EngineUnavailable, ModelMissing, TimeLimitExceeded, UnreadableImage
from facerec.faces import Analysis, Model, Point, Renderings
from facerec.wire import Task, analysis_frame
from tests.faces import analysis
from tests.stopwatch import stopwatch
from worker import pool as pool_module
from worker import slot
from worker.pool import EnginePool, Result

LONGEST = 30.0
SOUND = analysis(0.5, 2.0)


def frame(header: object, body: bytes = b"") -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack(">II", len(text), len(body)) + text + body


def answer(sent: Analysis, **changes: Any) -> bytes:
    """The frame of an analysis, with another header."""
    header, body = analysis_frame(sent)
    return frame({name: value for name, value in (header | changes).items() if value is not ...}, body)


def damaged(**changes: Any) -> Analysis:
    """An analysis whose first face is not as it should be."""
    return replace(SOUND, faces=(replace(SOUND.faces[0], **changes), *SOUND.faces[1:]))


NONSENSE = {
    "a list": frame([1]),
    "a number": frame(7),
    "no JSON": frame(b"\xff{"),
    "200 000 nested lists": frame(b"[" * 200_000 + b"]" * 200_000),
    "nothing": frame({}),
    "nothing but ok": frame({"ok": True}),
    "ok that is a text": frame({"ok": "yes"}),
    "an endless header": struct.pack(">II", 0xFFFFFFFF, 0),
    "an endless body": struct.pack(">II", 2, 0xFFFFFFFF) + b"{}",
    "an unknown model": answer(SOUND, model=77),
    "a model that is a list": answer(SOUND, model=[1]),
    "no model": answer(SOUND, model=...),
    "another model": answer(analysis(0.5, model=Model.CNN)),
    "faces of another model": answer(SOUND, model=Model.CNN.value),
    "a negative size": answer(SOUND, width=-1),
    "a size that is no number": answer(SOUND, height="10"),
    "an endless size": answer(SOUND, height=1 << 40),
    "more records than bytes": answer(SOUND, records=1 << 30),
    "records that are cut": answer(SOUND, records=100),
    "negative chips": answer(SOUND, chips=-5),
    "a chip too few": answer(replace(SOUND, chips=(b"chip",))),
    "a thumbnail too many": answer(replace(SOUND, renderings=Renderings(b"p", b"s", (b"1", b"2", b"3")))),
    "an encoding of no numbers": answer(damaged(encoding=np.full(128, np.nan, np.float32))),
    "an endless confidence": answer(damaged(confidence=float("inf"))),
    "a landmark outside of the world": answer(damaged(landmarks=(Point(1 << 40, 1),))),
    "more faces than an image may have": answer(analysis(*[0.5] * 4097)),
    "an error without words": frame({"ok": False}),
    "an error that is a list": frame({"ok": False, "code": [], "reason": {}}),
    "an error of another part": frame({"ok": False, "code": "STOPPING", "reason": "this worker stops"}),
    "an error that nobody has": frame({"ok": False, "code": "SERVICE_UNAVAILABLE", "reason": "wait for ever"}),
    "an endless reason": frame({"ok": False, "code": "UNREADABLE_IMAGE", "reason": "x" * 1_000_000}),
}


def made(tmp_path: Path, time_limit: float = LONGEST) -> EnginePool:
    settings = {
        "engine": "fake",
        "model": Model.HOG.value,
        "device": "auto",
        "cache": str(tmp_path),
        "options": asdict(EngineOptions()),
    }
    return EnginePool(settings, 1, 0, time_limit, lambda: pytest.fail("a thread of the pool crashed"))


@pytest.fixture
def hostile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[EnginePool]:
    monkeypatch.setattr(slot, "CHILD", "tests.hostile_child")
    pool = made(tmp_path)
    pool.start()
    yield pool
    pool.close()


@pytest.fixture
def pool(tmp_path: Path) -> Iterator[EnginePool]:
    pool = made(tmp_path, time_limit=1.0)
    pool.start()
    yield pool
    pool.close()


def run(pool: EnginePool, image: bytes, **task: Any) -> Result:
    answers: queue.Queue[Result] = queue.Queue()
    pool.submit(Task(image, **{"model": Model.HOG} | task), answers.put)
    return answers.get(timeout=LONGEST)


@pytest.mark.parametrize("name", NONSENSE)
def test_a_child_that_answers_nonsense_is_replaced(hostile: EnginePool, name: str) -> None:
    (child,) = hostile.process_ids

    assert isinstance(run(hostile, NONSENSE[name]), ChildDied)

    assert not Path(f"/proc/{child}").exists()
    assert isinstance(run(hostile, answer(SOUND)), Analysis)
    assert hostile.process_ids != [child]


def test_an_answer_to_another_task_is_nonsense(hostile: EnginePool) -> None:
    assert isinstance(run(hostile, answer(SOUND), boxes=(SOUND.faces[0].box,)), ChildDied)
    assert isinstance(run(hostile, answer(SOUND), boxes=tuple(face.box for face in SOUND.faces)), Analysis)


def test_an_error_that_an_engine_has_is_told(hostile: EnginePool) -> None:
    (child,) = hostile.process_ids
    told = run(hostile, frame({"ok": False, "code": "UNREADABLE_IMAGE", "reason": "broken"}))
    assert isinstance(told, UnreadableImage)
    assert hostile.process_ids == [child]


def test_a_child_that_is_stopped_before_it_reads_is_replaced_at_the_time_limit(pool: EnginePool) -> None:
    """The picture is larger than what a pipe holds."""
    (child,) = pool.process_ids
    os.kill(child, signal.SIGSTOP)
    with stopwatch() as watch:
        assert isinstance(run(pool, bytes(5_000_000)), TimeLimitExceeded)
    assert watch.seconds < 10
    assert isinstance(run(pool, b"a picture"), Analysis)


def test_pictures_wait_for_a_child_that_cannot_be_started(pool: EnginePool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_module, "LONGEST_PAUSE", 0.1)
    monkeypatch.setattr(slot, "CHILD", "tests.no_such_module")
    assert isinstance(run(pool, b"CRASH"), ChildDied)
    answers: queue.Queue[Result] = queue.Queue()
    pool.submit(Task(b"a picture"), answers.put)
    with pytest.raises(queue.Empty):
        answers.get(timeout=1.0)
    assert "no engine process" in pool.problem or "did not start" in pool.problem

    monkeypatch.undo()

    assert isinstance(answers.get(timeout=LONGEST), Analysis)
    assert pool.problem == ""


def test_a_model_that_is_lost_while_the_worker_runs_is_no_picture_s_fault(
    pool: EnginePool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lost(_: object) -> str:
        raise ModelMissing("the file is gone")

    (child,) = pool.process_ids
    monkeypatch.setattr(slot.Slot, "wait_ready", lost)
    os.kill(child, signal.SIGKILL)
    os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
    assert isinstance(run(pool, b"a picture"), EngineUnavailable)


def test_a_pool_whose_children_cannot_be_started_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slot, "CHILD", "tests.no_such_module")
    pool = made(tmp_path)
    with pytest.raises(EngineUnavailable):
        pool.start()
    pool.close()
