"""The job file: whenever a scan is killed, resuming sends each picture once and misses none."""

from __future__ import annotations

import json
import os
import tempfile
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facerec.cli.errors import UsageError
from facerec.cli.scanning.dispatch import Dispatch
from facerec.cli.scanning.job_file import JobFile, read_events
from facerec.cli.scanning.ledger import Action, Entry, Ledger, decide
from facerec.cli.scanning.sources import Item
from facerec.client import End, Missing, Refused
from tests.unit.cli.running import Facerec

START = {"url": "http://x", "base": "/", "sources": ["pictures"], "recursive": True}
STARTED = {"event": "start", "version": 1, **START}
BAD = "bad"
"""Pictures whose names begin so are refused."""


class Killed(BaseException):
    """SIGKILL: nothing that follows in the program happens."""


@dataclass
class Fate:
    """Kills at the ``kill_at``-th moment; 0 is the first."""

    kill_at: int | None = None
    moments: int = 0

    def moment(self) -> None:
        fatal = self.moments == self.kill_at
        self.moments += 1
        if fatal:
            raise Killed


class MortalFile(JobFile):
    """A job file whose writer may be killed before, within and after each line."""

    fate: Fate

    def append(self, event: dict[str, Any], *, durable: bool = False) -> None:
        self.fate.moment()
        try:
            self.fate.moment()
        except Killed:
            line = json.dumps(event).encode()
            os.write(self._descriptor, line[: len(line) // 2])
            raise
        super().append(event, durable=durable)
        self.fate.moment()


@dataclass
class Service:
    """Keeps what arrives, whoever is killed meanwhile."""

    fate: Fate = field(default_factory=Fate)
    uploads: Counter[str] = field(default_factory=Counter)
    names: dict[str, set[str]] = field(default_factory=dict)

    def scan_file(self, picture: bytes, name: str) -> str:
        return self._scan(sha256(picture).hexdigest(), name)

    def scan_url(self, url: str) -> str:
        return self._scan(sha256(url.encode()).hexdigest(), url)

    def _scan(self, image_hash: str, name: str) -> str:
        self.fate.moment()
        self.uploads[name] += 1
        if name.startswith(BAD):
            raise Refused(415, "UNSUPPORTED_IMAGE", "no picture")
        self.names.setdefault(image_hash, set()).add(name)
        self.fate.moment()
        return image_hash

    def image(self, image_hash: str) -> dict[str, Any]:
        if image_hash not in self.names:
            raise Missing(404, "NOT_FOUND", "no such image")
        return {"hash": image_hash, "names": sorted(self.names[image_hash])}

    def images(self, _state: str | None, name: str | None, _page: int) -> Iterator[dict[str, Any]]:
        for image_hash, names in self.names.items():
            if any(each.startswith(name or "") for each in names):
                yield {"hash": image_hash, "names": sorted(names)}


@dataclass
class World:
    """Pictures on a disk, a service, and a job that is begun or resumed again and again."""

    folder: Path
    items: list[Item]
    service: Service = field(default_factory=Service)
    synced: int = 0
    only_failed: bool = False

    @property
    def path(self) -> Path:
        return self.folder / "job.jsonl"

    def run(self, fate: Fate, *, power_cut: bool = False) -> Ledger | None:
        """One run; None when it was killed. A power cut takes away what was not brought to the disk."""
        self.service.fate = fate
        try:
            return self._run(fate)
        except Killed:
            if power_cut and self.path.exists():
                os.truncate(self.path, min(self.synced, self.path.stat().st_size))
            return None

    def _run(self, fate: Fate) -> Ledger:
        file, ledger = self._open()
        file.fate = fate
        with file:
            dispatch = Dispatch(self.service, file, ledger, only_failed=self.only_failed, largest=1000)
            for item in self.items:
                outcome = dispatch.send(item)
                if outcome.hash:
                    dispatch.note_end(End(outcome.hash, "done"))
            for image_hash in ledger.waiting():
                dispatch.note_end(End(image_hash, "done"))
        return ledger

    def _open(self) -> tuple[MortalFile, Ledger]:
        MortalFile.fate = Fate()
        if not self.path.exists() or not self.path.stat().st_size:
            return MortalFile.create(self.path, START, self._sync), Ledger()
        file, events = MortalFile.resume(self.path, self._sync)
        return file, Ledger(events)

    def _sync(self, descriptor: int) -> None:
        self.synced = os.fstat(descriptor).st_size


def make_world(folder: Path, contents: list[bytes], *, urls: int = 0, bad: int = 0) -> World:
    items = []
    for number, content in enumerate(contents):
        path = folder / f"{number}.png"
        path.write_bytes(content)
        items.append(Item(f"{BAD if number < bad else ''}{number}.png", path))
    items += [Item(f"http://x/{number}", None) for number in range(urls)]
    return World(folder, items)


def check(world: World, ledger: Ledger | None) -> None:
    """Each was sent once, none was missed."""
    assert ledger is not None
    good = {item.name for item in world.items if not item.name.startswith(BAD)}
    assert {name: world.service.uploads[name] for name in good} == dict.fromkeys(good, 1)
    assert set.union(set(), *world.service.names.values()) == good
    states = {name: entry.state for name, entry in ledger.entries.items()}
    assert states == {item.name: "done" if item.name in good else "refused" for item in world.items}


@pytest.mark.parametrize("power_cut", [False, True])
def test_killed_at_every_single_moment(tmp_path: Path, power_cut: bool) -> None:
    contents = [b"one", b"two", b"two", b"three"]
    counting = Fate()
    (tmp_path / "whole").mkdir()
    check(whole := make_world(tmp_path / "whole", contents, urls=1), whole.run(counting))
    assert counting.moments > 50
    for moment in range(counting.moments):
        folder = tmp_path / str(moment)
        folder.mkdir()
        world = make_world(folder, contents, urls=1)
        assert world.run(Fate(moment), power_cut=power_cut) is None
        check(world, world.run(Fate()))


@settings(max_examples=150, deadline=None)
@given(
    contents=st.lists(st.sampled_from([b"a", b"b", b"c", b"d", b"e"]), min_size=1, max_size=6),
    bad=st.integers(0, 2),
    urls=st.integers(0, 2),
    kills=st.lists(st.tuples(st.integers(0, 40), st.booleans()), max_size=6),
)
def test_killed_again_and_again(contents: list[bytes], bad: int, urls: int, kills: list[tuple[int, bool]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        world = make_world(Path(folder), contents, urls=urls, bad=min(bad, len(contents)))
        for moment, power_cut in kills:
            world.run(Fate(moment), power_cut=power_cut)
        check(world, world.run(Fate()))


def test_only_what_failed_is_sent_again(tmp_path: Path) -> None:
    world = make_world(tmp_path, [b"1", b"2", b"3"], bad=1)
    world.run(Fate())
    world.only_failed = True
    world.run(Fate())
    assert world.service.uploads == {"bad0.png": 2, "1.png": 1, "2.png": 1}


def test_a_file_that_changed_is_sent_again_on_resuming(tmp_path: Path) -> None:
    world = make_world(tmp_path, [b"1", b"2"])
    world.run(Fate())
    (tmp_path / "1.png").write_bytes(b"other bytes")
    world.run(Fate())
    assert world.service.uploads == {"0.png": 1, "1.png": 2}


def test_a_file_that_cannot_be_read_or_is_too_large_fails_alone(tmp_path: Path) -> None:
    world = make_world(tmp_path, [b"1", b"x" * 1001, b"3"])
    (tmp_path / "0.png").unlink()
    (tmp_path / "0.png").mkdir()
    ledger = world.run(Fate())
    assert ledger is not None
    assert {name: (entry.state, entry.code) for name, entry in ledger.entries.items()} == {
        "0.png": ("refused", "UNREADABLE_FILE"),
        "1.png": ("refused", "TOO_LARGE"),
        "2.png": ("done", None),
    }


@pytest.mark.parametrize(
    ("state", "only_failed", "action"),
    [
        (None, False, Action.SEND),
        ("sending", False, Action.CHECK),
        ("sent", False, Action.SKIP),
        ("done", False, Action.SKIP),
        ("refused", False, Action.SKIP),
        ("failed", False, Action.SKIP),
        (None, True, Action.SKIP),
        ("sending", True, Action.CHECK),
        ("sent", True, Action.SKIP),
        ("done", True, Action.SKIP),
        ("refused", True, Action.SEND),
        ("failed", True, Action.SEND),
        ("unknown", True, Action.SEND),
        ("erased", True, Action.SEND),
    ],
)
def test_what_is_done_with_a_picture(state: str | None, only_failed: bool, action: Action) -> None:
    entry = None if state is None else Entry("n", state, "h", 1, 2)
    assert decide(entry, 1, 2, only_failed=only_failed) is action


class TestFile:
    def test_lines_of_many_threads_are_whole_and_share_flushes(self, tmp_path: Path) -> None:
        flushes = []
        with JobFile.create(tmp_path / "job", START, flushes.append) as file, ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda number: file.append({"event": "x", "number": number}, durable=True), range(500)))
        events = read_events(tmp_path / "job")[1]
        assert sorted(event["number"] for event in events[1:]) == list(range(500))
        assert 1 < len(flushes) <= 501

    def test_a_torn_line_is_cut_off(self, tmp_path: Path) -> None:
        path = tmp_path / "job"
        with JobFile.create(path, START) as file:
            file.append({"event": "sending", "name": "a"})
        whole = path.read_bytes()
        path.write_bytes(whole + b'{"event": "se')
        with JobFile.resume(path)[0] as file:
            file.append({"event": "sent", "name": "a"})
        assert path.read_bytes() == whole + b'{"event":"sent","name":"a"}\n'

    @pytest.mark.parametrize("content", [b"", b"no json\n", b"[]\n", b'{"event":"start","version":99}\n', b"torn"])
    def test_what_is_no_job_file_is_left_alone(self, tmp_path: Path, content: bytes) -> None:
        path = tmp_path / "job"
        path.write_bytes(content)
        with pytest.raises(UsageError):
            JobFile.resume(path)
        assert path.read_bytes() == content

    def test_one_process_holds_it(self, tmp_path: Path) -> None:
        with JobFile.create(tmp_path / "job", START), pytest.raises(UsageError, match="another"):
            JobFile.resume(tmp_path / "job")

    def test_none_there(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="nothing to resume"):
            JobFile.resume(tmp_path / "job")
        assert not (tmp_path / "job").exists()


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ({"event": "start", "version": 1}, "line 1 is damaged: base must be a text"),
        ({**STARTED, "sources": "pictures"}, "line 1 is damaged: sources must be a list of texts"),
        ({**STARTED, "sources": [5]}, "line 1 is damaged: sources must be a list of texts"),
        ({**STARTED, "recursive": None}, "line 1 is damaged: recursive must be true or false"),
        ({"event": "sending", "name": ["a"]}, "line 2 is damaged: name must be a text"),
        ({"event": "sending", "name": "a", "hash": ["b"]}, "line 2 is damaged: hash must be a text"),
        ({"event": "sent", "name": "a"}, "line 2 is damaged: hash must be a text"),
        ({"event": "refused"}, "line 2 is damaged: name must be a text"),
        ({"event": "end", "hash": "ab"}, "line 2 is damaged: state must be a text"),
        (["end"], "line 2 is damaged: no object"),
        ({"event": "start", "version": 2}, "is no job file of this version"),
    ],
)
@pytest.mark.parametrize("how", [["--resume"], ["--failed"], ["--resume", "--dry-run"]])
def test_a_job_file_that_was_changed_by_hand_is_named(
    facerec: Facerec, how: list[str], line: Any, complaint: str
) -> None:
    lines = [STARTED, line] if "line 2" in complaint else [line]
    facerec.put("job.jsonl", "".join(f"{json.dumps(each)}\n" for each in lines).encode())
    assert complaint in facerec("scan", *how, "--job-file", "job.jsonl", status=2).err


def test_lines_of_a_newer_version_are_passed_over(facerec: Facerec) -> None:
    lines = [STARTED, {"event": "paused", "sources": 5}, {"event": 5}]
    facerec.put("job.jsonl", "".join(f"{json.dumps(each)}\n" for each in lines).encode())
    assert len(read_events(Path("job.jsonl"))[1]) == 3
