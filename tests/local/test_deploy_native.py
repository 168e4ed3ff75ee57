"""deploy-local-dev.sh without containers, on the real parts: what a newcomer does, and what goes wrong for one."""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import requests
from PIL import Image

from facerec.local.process import wait_until
from facerec.local.servers import RabbitServer, RedisServer
from tests.local.clones import ROOT, SERVICE, Clone, address, exists


@pytest.fixture
def clone(tmp_path: Path) -> Iterator[Clone]:
    made = Clone(tmp_path / "clone")
    made.stand_in("docker", "#!/bin/sh\nexit 1\n")
    yield made
    made.run("down")


def _picture(colour: str = "white") -> bytes:
    content = io.BytesIO()
    Image.new("RGB", (200, 150), colour).save(content, "PNG")
    return content.getvalue()


def test_a_service_comes_up_works_goes_down_and_comes_back_with_its_data(
    clone: Clone, session: requests.Session
) -> None:
    first = clone.run()
    assert first.returncode == 0, first.stderr
    url = address(first.stdout)
    assert f"curl --data-binary @first.jpg {url}/scan/image/first.jpg" in first.stdout
    image_hash = session.post(f"{url}/scan/image/white.png", data=_picture(), timeout=30).json()["hash"]
    image = f"{url}/images/{image_hash}"
    assert wait_until(lambda: session.get(image, timeout=30).json()["state"] == "done", 60, 0.1)

    _check_the_command_finds_its_redis(clone)
    _check_a_facerec_of_ones_own_finds_the_service(clone)

    running = clone.pids()
    assert running.keys() == set(SERVICE)
    second = clone.run("up")
    assert (second.returncode, second.stdout) == (0, f"It runs already at {url}\n")
    assert clone.pids() == running

    down = clone.run("down")
    assert down.returncode == 0, down.stderr
    assert wait_until(lambda: not any(exists(pid) for pid in running.values()), 10)
    assert not clone.data("service.env").exists()
    assert clone.run("facerec", "status").stdout == "the service does not run; ./deploy-local-dev.sh starts it\n"
    assert clone.run("status").returncode == 3
    assert clone.run("down").stdout == "nothing runs\n"

    again = clone.run("up")
    assert again.returncode == 0, again.stderr
    assert address(again.stdout) == url
    assert session.get(image, timeout=30).json()["names"] == ["white.png"]
    _check_what_dies_starts_again(clone)
    _check_nobody_else_can_read(clone)


def _check_the_command_finds_its_redis(clone: Clone) -> None:
    checked = clone.run("facerec", "fsck", "--json")
    assert checked.returncode == 0, checked.stderr
    assert json.loads(checked.stdout)["clean"] is True
    assert clone.run("facerec", "status").returncode == 0, "it knows the port of REST"
    assert clone.run("facerec", "show", "nothing").returncode == 2, "the exit status is that of the command"
    pictures = clone.folder / "my pictures"
    pictures.mkdir()
    (pictures / "black.png").write_bytes(_picture("black"))
    (pictures / "json.py").write_text("raise SystemExit('a file among the pictures was run')")
    scanned = clone.run("facerec", "scan", "--json", ".", place=pictures)
    assert scanned.returncode == 0, scanned.stderr
    assert json.loads(scanned.stdout.splitlines()[0])["name"] == "black.png"


def _check_a_facerec_of_ones_own_finds_the_service(clone: Clone) -> None:
    """Without deploy-local-dev.sh, from a folder below, also with what works on Redis and RabbitMQ themselves."""
    place = clone.folder / "pictures of mine"
    place.mkdir()
    base = {"PATH": os.environ["PATH"], "PYTHONPATH": str(clone.folder), "HOME": str(clone.folder)}

    def own(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "facerec", *arguments]
        return subprocess.run(
            command, cwd=place, env=base | variables, capture_output=True, text=True, check=False, timeout=60
        )

    for arguments in (["status"], ["fsck"], ["token", "list"], ["export"], ["regenerate", "status"]):
        done = own(*arguments)
        assert done.returncode == 0, (arguments, done.stderr)
    assert "REDIS_PORT of the environment" in own("token", "list", REDIS_PORT="1").stderr
    # What the environment says of another service does not lead deploy-local-dev.sh's away.
    assert clone.run("facerec", "token", "list", REDIS_PORT="1", FACEREC_URL="http://127.0.0.1:1").returncode == 0


def _check_what_dies_starts_again(clone: Clone) -> None:
    before = clone.pids()
    os.kill(before["worker"], signal.SIGKILL)
    started_again = wait_until(lambda: clone.pids().get("worker", before["worker"]) != before["worker"], 30, 0.2)
    assert started_again, clone.run("status").stdout + clone.data("keeper/keeper.log").read_text()


def _check_nobody_else_can_read(clone: Clone) -> None:
    assert clone.data("").stat().st_mode & 0o777 == 0o700
    for name in ("redis/password", "redis/redis.conf", "rabbitmq/password", "rabbitmq/rabbitmq.conf", "service.env"):
        assert clone.data(name).stat().st_mode & 0o777 == 0o600
    password = clone.data("redis/password").read_text()
    arguments = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if os.access(path, os.R_OK)]
    assert not any(password.encode() in line for line in arguments)


def test_servers_named_in_the_environment_are_used_and_left_running(
    clone: Clone, session: requests.Session, own_redis: RedisServer, own_rabbit: RabbitServer
) -> None:
    given = {
        "REDIS_HOST": "localhost",
        "REDIS_PORT": str(own_redis.port),
        "REDIS_PASSWORD": own_redis.password,
        "RABBITMQ_HOST": "localhost",
        "RABBITMQ_PORT": str(own_rabbit.port),
        "RABBITMQ_USER": own_rabbit.user,
        "RABBITMQ_PASSWORD": own_rabbit.password,
    }
    up = clone.run(**given)
    assert up.returncode == 0, up.stderr
    assert session.get(f"{address(up.stdout)}/readyz", timeout=30).ok
    assert clone.pids().keys() == {"rest", "worker", "keeper"}
    clone.run("down")
    assert own_redis.answers()
    assert own_rabbit.answers()


def test_the_next_free_port_is_taken_when_somebody_has_5000(clone: Clone, session: requests.Session) -> None:
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            other.bind(("127.0.0.1", 5000))
            other.listen()
        except OSError:
            pass  # somebody has it indeed
        up = clone.run()
    assert up.returncode == 0, up.stderr
    assert not address(up.stdout).endswith(":5000")
    assert session.get(f"{address(up.stdout)}/readyz", timeout=30).ok


def test_a_port_that_is_lost_between_choice_and_start_is_given_up_for_another(
    clone: Clone, session: requests.Session
) -> None:
    """Other programs take REST's and RabbitMQ's ports as soon as they are chosen; what has REST's says that it is ready."""
    taken: dict[str, int] = {}
    answering = ThreadingHTTPServer(("127.0.0.1", 0), AlwaysReady, bind_and_activate=False)
    holder = socket.socket()
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)

    def take() -> None:
        rest = _number(clone.data("stack.json"), "port")
        answering.server_address = ("127.0.0.1", rest)
        answering.server_bind()
        answering.server_activate()
        rabbit = _number(clone.data("rabbitmq/server.json"), "port")
        holder.bind(("127.0.0.1", rabbit))
        holder.listen()
        taken.update(rest=rest, rabbit=rabbit)
        answering.serve_forever()

    with answering, holder:
        thread = threading.Thread(target=take, daemon=True)
        thread.start()
        up = clone.run()
        answering.shutdown()
        thread.join()
    assert up.returncode == 0, up.stdout + up.stderr
    assert "rabbitmq: another program took its port; it gets another" in up.stdout
    assert "rest: another program took its port; it gets another" in up.stdout
    assert session.get(f"{address(up.stdout)}/readyz", timeout=30).ok
    assert not address(up.stdout).endswith(f":{taken['rest']}")
    assert clone.run("facerec", "status").returncode == 0


class AlwaysReady(BaseHTTPRequestHandler):
    """What has the port of REST, and answers as REST would."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing."""


def _number(file: Path, name: str) -> int:
    """A number in a JSON file, as soon as it is there."""
    found: list[int] = []

    def look() -> bool:
        with contextlib.suppress(FileNotFoundError, ValueError, KeyError):
            found.append(int(json.loads(file.read_text())[name]))
        return bool(found)

    assert wait_until(look, 60, 0.001)
    return found[0]


def test_several_services_start_at_once_in_folders_of_their_own(tmp_path: Path, session: requests.Session) -> None:
    clones = [Clone(tmp_path / name) for name in ("one", "two")]
    for made in clones:
        made.stand_in("docker", "#!/bin/sh\nexit 1\n")
    try:
        with ThreadPoolExecutor() as pool:
            ups = list(pool.map(lambda made: made.run(), clones))
        assert [up.returncode for up in ups] == [0, 0], [up.stdout + up.stderr for up in ups]
        urls = {address(up.stdout) for up in ups}
        assert len(urls) == 2
        assert all(session.get(f"{url}/readyz", timeout=30).ok for url in urls)
        for made, up in zip(clones, ups, strict=True):
            assert f"FACEREC_URL={address(up.stdout)}\n" in made.data("service.env").read_text()
            assert made.pids().keys() == set(SERVICE)
    finally:
        for made in clones:
            made.run("down")


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"TOLERENCE": "0.5"}, "CONFIG: TOLERENCE: there is no such setting; TOLERANCE is meant?"),
        ({"REST_PORT": "1", "FACEREC_PORT": "2"}, "both are the port of REST"),
        ({"FACEREC_PORT": "taken"}, "something listens there already"),
        ({"MODEL": "nonsense"}, "CONFIG: MODEL='nonsense'"),
        ({"REST_PORT": "taken"}, "something listens there already"),
        ({"ENGINE": "fake", "JOB_TIME_LIMIT": "x"}, "JOB_TIME_LIMIT='x'"),
    ],
)
def test_a_wrong_setting_is_reported_and_nothing_is_left_running(
    clone: Clone, variables: dict[str, str], message: str
) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        given = {name: str(other.getsockname()[1]) if value == "taken" else value for name, value in variables.items()}
        up = clone.run(**given)
    assert up.returncode == 1
    assert message in up.stderr
    assert clone.pids() == {}


def test_what_dies_at_the_start_is_shown_with_its_log(clone: Clone) -> None:
    up = clone.run(REST_HOST="0.0.0.0")
    assert up.returncode == 1
    assert "rest ended while starting" in up.stderr
    assert "no token is configured" in up.stderr
    assert clone.pids() == {}


def test_status_down_and_logs_before_the_first_start(clone: Clone) -> None:
    for command, code in (("status", 3), ("logs", 3), ("facerec", 3), ("down", 0)):
        done = clone.run(command)
        assert done.returncode == code, done.stdout
        assert "nothing" in done.stdout
    assert not clone.data("").exists()


def test_what_lasts_is_told_in_lines_and_holds_no_pipe_open() -> None:
    """Standard output of the command stays its own, and its status comes back."""
    script = """
    . facerec/local/environment.sh
    tell_every=1
    quick() { echo quick; return 7; }
    slow() { sleep 2.5; echo slow; }
    slowly "being quick" quick || echo "status $?"
    slowly "being slow" slow
    """
    began = time.monotonic()
    done = subprocess.run(["bash", "-c", script], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "quick\nstatus 7\nslow\n"
    assert done.stderr == "being quick\nbeing slow\nstill being slow (1 s)\nstill being slow (2 s)\n"
    assert time.monotonic() - began < 10


def test_each_step_is_told_when_it_begins(clone: Clone) -> None:
    """Also to a pipe, in which what Python keeps back would come at the end."""
    command = [str(clone.folder / "deploy-local-dev.sh")]
    environment = {"PATH": clone.path, "HOME": str(clone.folder), "REST_HOST": "0.0.0.0"}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as up:
        assert up.stdout is not None
        assert up.stdout.readline() == "starting redis\n"
        assert not clone.data("rest/rest.log").exists(), "it is told before the rest begins"
        assert up.stdout.read().splitlines()[:3] == ["starting rabbitmq", "starting rest", "starting worker"]


def test_unknown_words_and_help(clone: Clone) -> None:
    unknown = clone.run("upp")
    assert unknown.returncode == 2
    assert "unknown: upp" in unknown.stderr
    helped = clone.run("--help")
    assert helped.returncode == 0
    assert "--native | --compose | --k8s" in helped.stdout
