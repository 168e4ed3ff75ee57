"""deploy-local-dev.sh with Compose and with a cluster: stand-ins for docker and kubectl write down what they are told.

On a real engine: test_deploy_compose.py.
"""

from __future__ import annotations

import base64
import os
import re
import sys
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest
import requests

from facerec.local.ports import free_port
from facerec.local.servers import RabbitServer, RedisServer
from facerec.service_file import read
from tests.local.clones import Clone

DOCKER = """#!/bin/sh
echo "$@" >>{folder}/docker.calls
case "$*" in *" up "*) exit {up} ;; esac
"""

KUBECTL = """#!/bin/sh
echo "$@" >>{folder}/kubectl.calls
case "$*" in
"get statefulset"*) exit 1 ;;
"get secret facerec-stores -o jsonpath={{.data.redis-password}}") printf {redis} ;;
"get secret facerec-stores -o jsonpath={{.data.rabbitmq-password}}") printf {rabbitmq} ;;
"get secret"*) exit 1 ;;
port-forward*service/redis*) exec {python} {folder}/relay.py "${{5%%:*}}" {redis_port} ;;
port-forward*service/rabbitmq*) exec {python} {folder}/relay.py "${{5%%:*}}" {rabbit_port} ;;
esac
"""

RELAY = """
import socket, sys, threading

def pump(source, sink):
    while chunk := source.recv(65536):
        sink.sendall(chunk)
    sink.close()

with socket.create_server(("127.0.0.1", int(sys.argv[1]))) as listener:
    while True:
        near = listener.accept()[0]
        far = socket.create_connection(("127.0.0.1", int(sys.argv[2])))
        for pair in ((near, far), (far, near)):
            threading.Thread(target=pump, args=pair, daemon=True).start()
"""


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    return Clone(tmp_path / "clone")


def _calls(clone: Clone, program: str) -> list[str]:
    return (clone.folder / f"{program}.calls").read_text().splitlines()


def _with_docker(clone: Clone, up: int = 0) -> None:
    clone.stand_in("docker", DOCKER.format(folder=clone.folder, up=up))


def test_an_answering_docker_is_chosen(clone: Clone) -> None:
    _with_docker(clone)
    up = clone.run()
    assert up.returncode == 0, up.stderr
    assert "compose --env-file .facerec/compose.env up --detach --build --wait" in _calls(clone, "docker")
    assert 'curl -H "x-api-key: $(cat .facerec/token)"' in up.stdout
    for command, expected in (("status", "ps --all"), ("logs", "logs --follow --tail 20"), ("down", "down")):
        assert clone.run(command).returncode == 0
        assert _calls(clone, "docker")[-1] == f"compose --env-file .facerec/compose.env {expected}"


def _lent(clone: Clone, place: Path, *arguments: str) -> str:
    """How docker is told to run a command of facerec that was called in ``place``."""
    called = clone.run("facerec", *arguments, place=place)
    assert called.returncode == 0, called.stderr
    told = _calls(clone, "docker")[-1]
    begin = "compose --env-file .facerec/compose.env run --rm --no-deps "
    assert told.startswith(begin)
    return told.removeprefix(begin)


def test_a_command_runs_in_a_container_that_sees_what_it_names(clone: Clone, tmp_path: Path) -> None:
    _with_docker(clone)
    assert clone.run("facerec", "fsck").returncode == 3
    clone.run("--compose")
    here, away, card = tmp_path / "my pictures", tmp_path / "away", tmp_path / "card.jpg"
    (here / "inside").mkdir(parents=True)
    away.mkdir()
    card.touch()
    user = f"--user {os.getuid()}:{os.getgid()}"
    itself = f"{user} --workdir {here} --volume {here}:{here}"

    assert _lent(clone, here, "token", "create", "--help") == f"{itself} --no-TTY facerec token create --help"
    assert _lent(clone, here, "scan", "inside", ".", "-r") == f"{itself} --no-TTY facerec scan inside . -r"
    given = ["scan", "../away", str(away), f"--base={card}", "https://example.org/a.jpg"]
    lent = f"--volume {card}:{card}:ro --volume {away}:{away}:ro"
    assert _lent(clone, here, *given) == f"{itself} --no-TTY {lent} facerec {' '.join(given)}"
    assert clone.data("state").is_dir(), "for what a scan notes"


def test_what_cannot_be_lent_to_a_container_is_said(clone: Clone, tmp_path: Path) -> None:
    _with_docker(clone)
    clone.run("--compose")
    odd = tmp_path / "12:30.jpg"
    odd.touch()
    for refused in (clone.run("facerec", "scan", str(odd)), clone.run("facerec", "scan", place=Path("/"))):
        assert refused.returncode == 1
        assert "cannot be lent to a container" in refused.stderr


def test_an_engine_without_root_has_the_command_run_as_its_root(clone: Clone, tmp_path: Path) -> None:
    """Root inside such a container stands for the user of the engine, and any other number for nobody."""
    _with_docker(clone)
    clone.run("--compose")
    clone.stand_in(
        "docker", f'#!/bin/sh\necho "$@" >>{clone.folder}/docker.calls\necho "[name=seccomp name=rootless]"\n'
    )
    assert _lent(clone, tmp_path, "fsck").startswith("--user 0:0 ")


def test_compose_gets_generated_secrets_that_stay(clone: Clone) -> None:
    _with_docker(clone)
    clone.run("--compose")
    secrets = clone.data("compose.env").read_text()
    assert re.fullmatch(r"REDIS_PASSWORD=[0-9a-f]{48}\nRABBITMQ_PASSWORD=[0-9a-f]{48}\n", secrets)
    token = clone.data("token").read_text()
    assert clone.data("tokens").read_text() == f"default:{sha256(token.encode()).hexdigest()}\n"
    for name in ("compose.env", "token"):
        assert clone.data(name).stat().st_mode & 0o777 == 0o600
    clone.run("--compose")
    assert clone.data("compose.env").read_text() == secrets
    assert clone.data("token").read_text() == token


def test_a_facerec_outside_finds_the_service_in_containers(clone: Clone) -> None:
    _with_docker(clone)
    assert clone.run("--compose", FACEREC_PORT="5099").returncode == 0
    file = clone.data("service.env")
    assert read(file) == {"FACEREC_URL": "http://127.0.0.1:5099", "FACEREC_TOKEN": clone.data("token").read_text()}
    clone.run("down")
    assert not file.exists()


def test_wrong_settings_are_refused_before_containers_are_made(clone: Clone) -> None:
    _with_docker(clone)
    for variables, message in (
        ({"TOLERENCE": "0.5"}, "TOLERANCE is meant"),
        ({"FACEREC_PORT": "5001", "REST_PORT": "5002"}, "both are the port of REST"),
    ):
        up = clone.run("--compose", **variables)
        assert up.returncode == 1
        assert message in up.stderr
        assert not clone.data("compose.env").exists()


def test_containers_that_do_not_become_healthy_are_reported(clone: Clone) -> None:
    _with_docker(clone, up=1)
    up = clone.run("up", "--compose")
    assert up.returncode == 1
    assert "not all containers became healthy" in up.stderr
    assert _calls(clone, "docker")[-1].endswith("ps --all")


def test_a_docker_that_does_not_answer_is_said(clone: Clone) -> None:
    clone.stand_in("docker", "#!/bin/sh\nexit 1\n")
    up = clone.run("--compose")
    assert up.returncode == 1
    assert "the Docker engine does not answer" in up.stderr


def test_a_second_way_beside_the_first_is_refused(clone: Clone) -> None:
    _with_docker(clone)
    assert clone.run("--compose").returncode == 0
    refused = clone.run("--native")
    assert refused.returncode == 1
    assert "it was started with --compose; stop that first" in refused.stderr


@pytest.fixture
def cluster(clone: Clone, own_redis: RedisServer, tmp_path: Path) -> Iterator[Clone]:
    """A clone whose kubectl leads to servers of the test."""
    with RabbitServer(tmp_path / "cluster-rabbit", user="facerec", management=False) as rabbit:
        (clone.folder / "relay.py").write_text(RELAY)
        script = KUBECTL.format(
            folder=clone.folder,
            python=sys.executable,
            redis=base64.b64encode(own_redis.password.encode()).decode(),
            rabbitmq=base64.b64encode(rabbit.password.encode()).decode(),
            redis_port=own_redis.port,
            rabbit_port=rabbit.port,
        )
        clone.stand_in("kubectl", script)
        yield clone
        clone.run("down")
        rabbit.close()


def test_redis_and_rabbitmq_of_a_cluster_serve_rest_and_worker_here(cluster: Clone) -> None:
    # Another test takes the usual port, maybe at this moment.
    up = cluster.run("--k8s", REST_PORT=str(free_port()))
    assert up.returncode == 0, up.stderr
    calls = _calls(cluster, "kubectl")
    assert calls.index("apply -k k8s/stores") < calls.index("rollout status statefulset/redis --timeout=300s")
    made = {call.split()[3] for call in calls if call.startswith("create secret")}
    assert made == {f"facerec-{name}" for name in ("stores", "keda", "tokens", "monitoring", "tls", "edge")}
    token = re.search(r"shown this once: ([0-9a-f]{48})", up.stdout)
    assert token
    url = re.search(r"http://127\.0\.0\.1:\d+", up.stdout)
    assert url
    with requests.Session() as session:
        session.trust_env = False
        assert session.get(f"{url[0]}/readyz", timeout=30).ok
    status = cluster.run("status")
    assert status.returncode == 0, status.stdout
    assert "leads to redis in the cluster" in status.stdout
    down = cluster.run("down")
    assert down.returncode == 0, down.stderr
    assert _calls(cluster, "kubectl")[-1] == "delete -k k8s/stores"
