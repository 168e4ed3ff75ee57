"""Each command against the stub: what it prints for people and as JSON, and its exit status."""

from __future__ import annotations

import json
import os
import re
import resource
import subprocess
import sys
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest

from facerec.local.ports import free_port
from tests.stack import ROOT
from tests.unit.cli.running import Facerec
from tests.unit.cli.stub import FACE, IDENTIFIED, TOKEN, StubService, letter
from tests.unit.cli.stub_people import error


def hash_of(text: str) -> str:
    return sha256(text.encode()).hexdigest()


class TestScan:
    def test_pictures_of_a_folder(self, facerec: Facerec, service: StubService) -> None:
        for name in ("p/a.png", "p/b/c.jpg", "p/notes.txt"):
            facerec.put(name)
        ended = facerec("scan", "-r", "p")
        assert sorted(service.uploads) == ["p/a.png", "p/b/c.jpg"]
        assert re.fullmatch(r"2 pictures: 2 done \(\d\.\d s\)\n", ended.out)
        assert "do not look like pictures: 1 file\n" in ended.err

    def test_json_has_a_line_for_each_and_a_summary(self, facerec: Facerec, service: StubService) -> None:
        facerec.put("a.png")
        service.refused = lambda name: error(415, "UNSUPPORTED_IMAGE") if name == "b.png" else None
        facerec.put("b.png")
        ended = facerec("scan", "--json", "a.png", "b.png", "http://x/y", status=1)
        *pictures, summary = ended.lines
        assert sorted(pictures, key=lambda line: str(line["name"])) == [
            {"name": "a.png", "hash": hash_of("a.png"), "state": "done"},
            {
                "name": "b.png",
                "state": "refused",
                "code": "UNSUPPORTED_IMAGE",
                "reason": "the reason of UNSUPPORTED_IMAGE",
            },
            {"name": "http://x/y", "hash": hash_of("http://x/y"), "state": "done"},
        ]
        assert summary["summary"] == {"done": 2, "refused": 1}
        assert Path(summary["job_file"]).parent == facerec.folder / "state" / "facerec"

    def test_what_failed_is_said_with_its_reason(self, facerec: Facerec, service: StubService) -> None:
        facerec.put("a.png")
        service.refused = lambda name: error(422, "UNREADABLE_IMAGE")
        ended = facerec("scan", "a.png", status=1)
        assert "refused: a.png: UNREADABLE_IMAGE the reason of UNREADABLE_IMAGE" in ended.err
        assert "1 refused" in ended.out

    def test_a_scan_that_fails_later_fails_the_command(self, facerec: Facerec, service: StubService) -> None:
        facerec.put("a.png")
        service.state = "failed"
        assert facerec("scan", "--json", "a.png", status=1).lines[0]["state"] == "failed"

    def test_no_wait_ends_when_all_is_sent(self, facerec: Facerec, service: StubService) -> None:
        facerec.put("a.png")
        service.state = "queued"
        lines = facerec("scan", "--json", "--no-wait", "a.png").lines
        assert lines[0] == {"name": "a.png", "hash": hash_of("a.png"), "state": "sent"}
        assert lines[1]["summary"] == {"sent": 1}

    def test_resuming_waits_for_what_was_only_sent(self, facerec: Facerec, service: StubService) -> None:
        facerec.put("a.png")
        service.state = "queued"
        facerec("scan", "--no-wait", "a.png")
        service.finish(hash_of("a.png"))
        assert facerec("scan", "--json", "--resume", "a.png").lines[0]["state"] == "done"
        assert service.uploads == ["a.png"]

    def test_failed_ones_are_sent_again_and_no_others(self, facerec: Facerec, service: StubService) -> None:
        for name in ("a.png", "b.png"):
            facerec.put(name)
        service.refused = lambda name: error(500, "INTERNAL") if name == "b.png" else None
        facerec("scan", "--job-file", "job", "a.png", "b.png", status=1)
        service.refused = lambda name: None
        ended = facerec("scan", "--json", "--failed", "--job-file", "job")
        assert ended.lines[-1]["summary"] == {"done": 1}
        assert service.uploads == ["a.png", "b.png"]

    def test_resume_needs_a_job(self, facerec: Facerec) -> None:
        facerec.put("a.png")
        assert "nothing to resume" in facerec("scan", "--resume", "a.png", status=2).err

    def test_an_earlier_job_is_not_overwritten(self, facerec: Facerec, service: StubService) -> None:
        facerec.put("a.png")
        facerec("scan", "--job-file", "job", "a.png")
        assert "earlier job" in facerec("scan", "--job-file", "job", "a.png", status=2).err
        assert len(service.uploads) == 1

    def test_what_cannot_be_read_is_named_counted_and_passed_over(
        self, facerec: Facerec, service: StubService, lock: Callable[[str], None]
    ) -> None:
        for name in ("p/a.png", "p/locked/b.png", "p/@eaDir/a.png", "p/drafts/c.png"):
            facerec.put(name)
        os.mkfifo(facerec.folder / "p/pipe.png")
        lock("locked")
        arguments = ("scan", "-r", "--exclude", "drafts", "p")
        ended = facerec(*arguments, status=1)
        assert service.uploads == ["p/a.png"]
        assert "2 pictures: 1 done, 1 refused" in ended.out
        for said in ("p/locked: Permission denied", "p/pipe.png", "cannot be read: 1 folder"):
            assert said in ended.err
        assert facerec(*arguments, "--json", status=1).lines[-1]["unreadable_folders"] == 1
        assert facerec(*arguments, "--dry-run", status=1).out == "p/a.png\n"
        assert "locked" in facerec("enroll", "prepare", "job", "-r", "p", status=2).err

    def test_dry_run_sends_nothing(self, facerec: Facerec, service: StubService) -> None:
        facerec.put("p/a.png")
        ended = facerec("scan", "--dry-run", "p")
        assert ended.out == "p/a.png\n"
        assert facerec("scan", "--dry-run", "--json", "p").lines == [{"name": "p/a.png", "action": "send", "size": 7}]
        assert service.calls == []
        assert not (facerec.folder / "state").exists()

    def test_a_full_queue_is_waited_for(self, facerec: Facerec, service: StubService) -> None:
        facerec.put("a.png")
        refusals = [error(429, "BACKPRESSURE", 0), error(429, "BACKPRESSURE", 1)]
        service.refused = lambda name: refusals.pop() if refusals else None
        facerec("scan", "a.png")
        assert service.uploads == ["a.png"]

    def test_a_full_queue_is_not_waited_for_for_ever(self, facerec: Facerec, service: StubService) -> None:
        facerec.put("a.png")
        service.refused = lambda name: error(429, "BACKPRESSURE", 60)
        ended = facerec("scan", "--json", "--patience", "1", "a.png", status=3)
        assert ended.lines[-1]["code"] == "SERVICE_AWAY"
        assert "--resume goes on" in ended.err

    def test_a_wrong_token_ends_it_at_once(self, facerec: Facerec, service: StubService) -> None:
        for number in range(20):
            facerec.put(f"{number}.png")
        service.needs_token = True
        ended = facerec("scan", "--json", "--jobs", "1", ".", status=2)
        assert ended.lines[-1]["code"] == "AUTH_FAILED"
        assert len([path for _, path in service.calls if path.startswith("/scan")]) == 1
        facerec("scan", "--token", TOKEN, "--resume", ".")
        assert len(service.uploads) == 20

    def test_nothing_to_scan(self, facerec: Facerec) -> None:
        facerec.put("p/q/a.png")
        assert "--recursive" in facerec("scan", "p", status=1).err
        assert facerec("scan", "nowhere", status=2)
        assert facerec("scan", status=2)

    def test_a_name_that_is_no_text_fails_alone(self, facerec: Facerec, service: StubService) -> None:
        facerec.put("a.png")
        facerec.put("\udcff.png", b"content")
        lines = facerec("scan", "--json", ".", status=1).lines
        assert lines[-1]["summary"] == {"done": 1, "refused": 1}
        assert service.uploads == ["a.png"]

    def test_a_hidden_terminal_sequence_in_a_name_is_not_printed(self, facerec: Facerec, service: StubService) -> None:
        facerec.put("a\x1b[2J.png", b"content")
        service.refused = lambda name: error(400, "BAD_PARAM")
        assert "\x1b" not in facerec("scan", ".", status=1).err

    def test_bars_on_a_terminal(self, facerec: Facerec, service: StubService) -> None:
        facerec.put("a.png")
        shown = on_a_terminal(facerec, service, "scan", "a.png")
        assert re.search(r"sent.*1/1.*\n.*done.*1/1", shown), shown
        assert "1 done" in shown


class TestImages:
    def test_match(self, facerec: Facerec, service: StubService) -> None:
        facerec.put("a.png")
        ended = facerec("match", hash_of("a.png"))
        assert (ended.out, ended.err) == ("", f"facerec: {hash_of('a.png')}: this picture was not scanned\n")
        facerec("scan", "a.png")
        assert facerec("match", "a.png").out == "other.png\nä.png\n"
        assert facerec("match", "--json", "a.png").document == ["other.png", "ä.png"]

    def test_a_reason_in_json_does_not_repeat_its_code(self, facerec: Facerec, service: StubService) -> None:
        error = facerec("show", "--json", "a" * 64, status=1).document
        assert (error["code"], error["reason"]) == ("NOT_FOUND", "the reason of NOT_FOUND")

    def test_a_narrow_terminal_breaks_neither_hashes_nor_names(self, facerec: Facerec, service: StubService) -> None:
        facerec.put("a.png")
        facerec("scan", "a.png")
        shown = on_a_terminal(facerec, service, "show", "a.png", columns=60)
        assert f"0.2500    other.png  {'b' * 64}\n" in shown

    @pytest.mark.parametrize(
        ("state", "faces", "remark"),
        [
            ("queued", [], "this picture is not scanned yet, it is queued"),
            ("failed", [], "the scan of this picture failed: UNREADABLE_IMAGE"),
            ("done", [], "no face was found on this picture"),
            ("done", [FACE], ""),
        ],
    )
    def test_no_match_says_why(
        self, facerec: Facerec, service: StubService, state: str, faces: list[object], remark: str
    ) -> None:
        document = {"state": state, "faces": faces, "reason": "UNREADABLE_IMAGE"}
        service.fail_next((200, [], {}), (200, document, {}))
        ended = facerec("match", "--json", "a" * 64)
        assert ended.document == []
        assert ended.err == (f"facerec: {'a' * 64}: {remark}\n" if remark else "")

    def test_show(self, facerec: Facerec, service: StubService) -> None:
        facerec.put("a.png")
        facerec("scan", "a.png")
        ended = facerec("show", "a.png")
        assert f"hash      {hash_of('a.png')}\nstate     done\n" in ended.out
        assert "4096\t1\t4\t3\t2\t0.9000" in ended.out
        assert f"0.2500\tother.png\t{'b' * 64}" in ended.out
        assert facerec("show", "--json", hash_of("a.png")).document["names"] == ["a.png"]

    def test_show_says_why_it_failed(self, facerec: Facerec, service: StubService) -> None:
        facerec.put("a.png")
        facerec("scan", "a.png")
        service.finish(hash_of("a.png"), "failed", "UNREADABLE_IMAGE")
        assert "reason    UNREADABLE_IMAGE: told by the test" in facerec("show", "a.png").out

    def test_an_unknown_image_fails(self, facerec: Facerec) -> None:
        assert facerec("show", "a" * 64, status=1).out == ""
        assert facerec("show", "--json", "a" * 64, status=1).document["code"] == "NOT_FOUND"

    def test_what_is_neither_hash_nor_file_is_wrong_usage(self, facerec: Facerec) -> None:
        assert "neither a file nor the hash" in facerec("show", "nowhere.png", status=2).err

    def test_erase_prints_the_receipt(self, facerec: Facerec, service: StubService) -> None:
        facerec.put("a.png")
        facerec("scan", "a.png")
        assert "--yes" in facerec("erase", "a.png", status=2).err
        assert service.images
        receipt = facerec("erase", "--yes", "--json", "a.png").lines
        assert receipt == [{"hash": hash_of("a.png"), "names": ["a.png"], "removed": {"database 1": 1}}]
        assert not service.images

    def test_erase_for_people(self, facerec: Facerec, service: StubService) -> None:
        facerec.put("a.png")
        facerec("scan", "a.png")
        out = facerec("erase", "--yes", "a.png").out
        assert f"hash                {hash_of('a.png')}" in out
        assert "removed database 1  1" in out

    def test_erase_names_what_is_not_there_and_erases_the_others(self, facerec: Facerec, service: StubService) -> None:
        for name in ("a.png", "b.png", "c.png"):
            facerec.put(name)
        facerec("scan", "a.png", "c.png")
        ended = facerec("erase", "--yes", "a.png", "b.png", "c.png", status=1)
        assert f"b.png: there is no image {hash_of('b.png')}" in ended.err
        assert not service.images
        facerec("scan", "a.png")
        missing, receipt = facerec("erase", "--yes", "--json", "b.png", "a.png", status=1).lines
        assert missing["code"] == "NOT_FOUND"
        assert receipt["hash"] == hash_of("a.png")

    def test_erase_asks_on_a_terminal(self, facerec: Facerec, service: StubService) -> None:
        facerec.put("a.png")
        facerec("scan", "a.png")
        assert "nothing was erased" in on_a_terminal(facerec, service, "erase", "a.png", answer="n")
        assert service.images
        assert "removed" in on_a_terminal(facerec, service, "erase", "a.png", answer="y")
        assert not service.images


class TestIdentify:
    def test_known_and_unknown_faces(self, facerec: Facerec, service: StubService) -> None:
        facerec.put("a.png")
        out = facerec("identify", "a.png").out
        assert f"1\t0.2500\tother.png\t{'b' * 64}\n2\t-\tunknown\t-\n" in out
        assert facerec("identify", "--json", "a.png").document["known_faces"] == 9

    def test_where_no_face_is_nothing_was_compared(self, facerec: Facerec, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("tests.unit.cli.stub.IDENTIFIED", IDENTIFIED | {"faces": [], "known_faces": 0})
        facerec.put("a.png")
        assert facerec("identify", "a.png").out == "faces found: 0\n"

    @pytest.mark.parametrize(
        ("arguments", "fields"),
        [
            ([], {"n": "5"}),
            (["--preset", "strict", "-n", "2"], {"preset": "strict", "n": "2"}),
            (["--tolerance", "0.4"], {"tolerance": "0.4", "n": "5"}),
        ],
    )
    def test_what_is_sent(
        self, facerec: Facerec, service: StubService, arguments: list[str], fields: dict[str, str]
    ) -> None:
        facerec.put("a.png")
        facerec("identify", *arguments, "a.png")
        parts = re.findall(rb'name="(\w+)"(?:; filename="(.*?)")?\r\n\r\n(.*?)\r\n', service.bodies[-1])
        sent = {name.decode(): content.decode() for name, _, content in parts}
        assert sent == fields | {"file": "a.png"}

    def test_wrong_usage(self, facerec: Facerec) -> None:
        facerec("identify", "nowhere.png", status=2)
        facerec("identify", "--preset", "loose", "a.png", status=2)
        facerec("identify", "--preset", "low", "--tolerance", "1", "a.png", status=2)


class TestDead:
    def test_list_and_show(self, facerec: Facerec, service: StubService) -> None:
        facerec.put("a.png")
        assert facerec("dead", "list").out == ""
        service.letters = [letter(hash_of("a.png"), "a.png"), letter("", "no job")]
        assert f"{hash_of('a.png')}\tCHILD_DIED\t5\t" in facerec("dead", "list").out
        assert len(facerec("dead", "list", "--json").document) == 2
        assert "reason     the child died" in facerec("dead", "show", "a.png").out
        assert facerec("dead", "show", "--json", "a" * 64, status=1).document["code"] == "NOT_FOUND"

    @pytest.mark.parametrize("verb", ["redrive", "drop"])
    def test_some_or_all(self, facerec: Facerec, service: StubService, verb: str) -> None:
        service.letters = [letter(sign * 64, "name") for sign in "abc"]
        ended = facerec("dead", verb, "--json", "a" * 64, "d" * 64, status=1)
        assert ended.document == {"hashes": ["a" * 64], "missing": ["d" * 64]}
        assert f"/dead/{verb}" in service.calls[-1]
        facerec("dead", verb, status=2)
        facerec("dead", verb, "--all", "b" * 64, status=2)
        assert len(facerec("dead", verb, "--all").out.splitlines()) == 2
        assert service.letters == []


class TestPeople:
    def test_list(self, facerec: Facerec) -> None:
        assert facerec("people", "list").out == "7\t3\tAda\n9\t1\t-\n"
        assert facerec("people", "list", "--unnamed").out == "9\t1\t-\n"
        assert [each["id"] for each in facerec("people", "list", "--named", "--json").document] == [7]

    def test_show_goes_through_all_pages(self, facerec: Facerec) -> None:
        out = facerec("people", "show", "7").out
        assert "name    Ada\n" in out
        assert out.endswith("".join(f"{face}\t{'c' * 64}\n" for face in (1, 2, 3)))
        assert len(facerec("people", "show", "--json", "7").document["some_faces"]) == 3
        facerec("people", "show", "8", status=1)
        facerec("people", "show", "Ada", status=2)

    def test_unknown(self, facerec: Facerec) -> None:
        assert facerec("people", "unknown").out == f"4\t1\t9\t{'c' * 64}\n"

    def test_name(self, facerec: Facerec, service: StubService) -> None:
        assert "name    Bert" in facerec("people", "name", "9", "Bert").out
        assert facerec("people", "name", "--json", "9", "").document["name"] is None

    def test_merge(self, facerec: Facerec, service: StubService) -> None:
        ended = facerec("people", "merge", "9", "7", "--name", "Ada L.")
        assert "faces   4" in ended.out
        assert "not the other person: 4" in ended.err
        assert service.people.persons == {7: ("Ada L.", [1, 2, 3, 4])}

    def test_split(self, facerec: Facerec) -> None:
        assert facerec("people", "split", "--json", "7", "1", "2").document["faces"] == 2

    def test_not(self, facerec: Facerec, service: StubService) -> None:
        facerec("people", "not", "7", "1", "2")
        assert service.people.rejected == [(7, [1, 2])]

    def test_undo(self, facerec: Facerec) -> None:
        assert facerec("people", "undo").out == "undone: merge, 1 faces went back\n"

    def test_undo_of_what_moved_no_face(self, facerec: Facerec, service: StubService) -> None:
        service.people.newest = {"operation": "edit", "persons": [9], "faces": 0}
        assert facerec("people", "undo").out == "undone: the change of a name\n"


class TestStatus:
    def test_ready(self, facerec: Facerec, service: StubService) -> None:
        service.letters = [letter("a" * 64, "a")]
        out = facerec("status").out
        assert "broker  ok\n" in out
        assert "images done        3\n" in out
        assert "jobs waiting       5\ndead letters       1\n" in out
        assert "w1\thog\tcpu\t2\t9\t0" in out
        assert facerec("status", "--json").document["waiting"] == 5

    def test_a_part_is_away(self, facerec: Facerec, service: StubService) -> None:
        service.ready = False
        assert "broker  away: it is away" in facerec("status", status=3).out


class TestAccess:
    def test_nobody_there(self, facerec: Facerec) -> None:
        url = f"http://127.0.0.1:{free_port()}"
        ended = facerec("match", "--json", "--url", url, "a" * 64, status=3)
        assert ended.document["code"] == "UNREACHABLE"
        plain = facerec("match", "--url", url, "a" * 64, status=3)
        assert plain.err == f"facerec: no answer from {url}: connection refused\n"

    def test_a_wrong_address(self, facerec: Facerec) -> None:
        assert "no address of a service" in facerec("status", "--url", "localhost:5000", status=2).err

    @pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
    def test_a_closed_stream_is_no_fault(self, service: StubService, closed: str) -> None:
        command = f"{sys.executable} -m facerec status --url {service.url} {closed}"
        ended = subprocess.run(command, shell=True, cwd=ROOT, capture_output=True, text=True, check=True)
        assert ended.stderr == ""

    def test_what_is_no_facerec(self, facerec: Facerec, service: StubService) -> None:
        service.fail_next((200, b"<html>", {}))
        facerec("match", "a" * 64, status=3)

    def test_where_the_token_comes_from(
        self, facerec: Facerec, service: StubService, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        service.needs_token = True
        file = facerec.put("token", TOKEN.encode() + b"\n")
        ways = (["--token", TOKEN], ["--token-file", str(file)], [])
        facerec("match", "a" * 64, status=2)
        for arguments in ways[:2]:
            facerec("match", *arguments, "a" * 64)
        monkeypatch.setenv("FACEREC_TOKEN", TOKEN)
        facerec("match", "a" * 64)
        monkeypatch.setenv("FACEREC_TOKEN", "wrong")
        facerec("match", "--token", TOKEN, "a" * 64)
        monkeypatch.setenv("FACEREC_TOKEN_FILE", str(file))
        facerec("match", "a" * 64)
        facerec("match", "--token", "wrong", "a" * 64, status=2)
        monkeypatch.setenv("FACEREC_TOKEN_FILE", "nowhere")
        assert "FACEREC_TOKEN_FILE" in facerec("match", "a" * 64, status=2).err


class TestHelp:
    def test_starts_quickly(self) -> None:
        """Hardly longer than the least that a command of typer takes, in processor time: the best of some, side by side."""
        ours, least = zip(*((seconds_of("-m", "facerec"), seconds_of("-c", LEAST)) for _ in range(4)), strict=True)
        assert min(ours) < 1.6 * min(least)

    def test_does_not_import_what_it_does_not_need(self) -> None:
        code = "import sys, facerec.cli.app as a; a.build_app(); print([m for m in sys.modules if '.' not in m])"
        loaded = subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True
        ).stdout
        for heavy in ("numpy", "requests", "redis", "pika"):
            assert f"'{heavy}'" not in loaded

    @pytest.mark.parametrize("command", ["scan", "match", "show", "erase", "identify", "fsck", "status", "logs"])
    def test_each_command_has_examples(self, facerec: Facerec, command: str) -> None:
        assert f"facerec {command}" in facerec(command, "--help").out.split("Examples:")[1]

    def test_wrong_usage(self, facerec: Facerec) -> None:
        facerec("nonsense", status=2)
        assert "token" in facerec("status", "--token", "€", status=2).err
        facerec("scan", "--jobs", "0", "x", status=2)

    def test_version(self, facerec: Facerec) -> None:
        assert facerec("--version").out == "facerec 0.1.0\n"

    def test_completion(self, facerec: Facerec, monkeypatch: pytest.MonkeyPatch) -> None:
        script = subprocess.run(
            # The command looks which shell it is called from; a test run by a service has none.
            ["bash", "-c", f"{sys.executable} -m facerec --show-completion; exit $?"],
            cwd=ROOT,
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        assert "_FACEREC_COMPLETE" in script
        monkeypatch.setenv("_FACEREC_COMPLETE", "complete_bash")
        monkeypatch.setenv("COMP_WORDS", "facerec sc")
        monkeypatch.setenv("COMP_CWORD", "1")
        assert "scan" in facerec().out


def test_a_reader_that_has_seen_enough_is_no_error(facerec: Facerec, service: StubService) -> None:
    facerec.put("a.png")
    facerec("scan", "a.png")
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-m", "facerec", "match", "a.png"]
    with subprocess.Popen(
        command, cwd=facerec.folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        assert process.stderr.read() == b""
        assert process.wait(30) == 0


LEAST = """
import typer
app = typer.Typer(pretty_exceptions_enable=False)
app.command("scan")(lambda: None)
app.command("match")(lambda: None)
app()
"""


def seconds_of(*program: str) -> float:
    """Processor time of the help of a program."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, *program, "--help"]
    shown = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert "scan" in shown
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def on_a_terminal(facerec: Facerec, service: StubService, *arguments: str, answer: str = "", columns: int = 100) -> str:
    """What a person at a terminal sees, who types ``answer``."""
    driver = "import json, pty, sys; sys.exit(pty.spawn(json.loads(sys.argv[1])) >> 8)"
    command = json.dumps([sys.executable, "-m", "facerec", *arguments])
    environment = os.environ | {"PYTHONPATH": str(ROOT), "TERM": "xterm", "NO_COLOR": "1", "COLUMNS": str(columns)}
    shown = subprocess.run(
        [sys.executable, "-c", driver, command],
        cwd=facerec.folder,
        env=environment,
        input=f"{answer}\n",
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return shown.stdout.replace("\r\n", "\n")
