"""Both images are built, hold what they should and nothing else, and work together against a real broker and Redis."""

from __future__ import annotations

import io
import json
import shutil
import signal
import subprocess
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import requests
from PIL import Image

from facerec.config import RabbitSettings, RedisSettings
from facerec.local.ports import free_port
from facerec.local.process import wait_until
from tests import pictures
from tests.images import inputs
from tests.images.builder import ROOT, Builder, debian_archive, room, why_not

pytestmark = [pytest.mark.images, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def builder(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Builder]:
    if not request.config.getoption("--full") and inputs.have_passed():
        pytest.skip("the images passed with these inputs (tests/images/passed.txt); --full builds them all the same")
    if reason := why_not():
        pytest.skip(reason)
    failed = request.session.testsfailed
    with room(tmp_path_factory.mktemp("images")) as folder:
        made = Builder(folder)
        made.make_python_image(debian_archive(ROOT / ".cache" / "images", folder))
        yield made
        shutil.rmtree(folder / "root")
    chosen = request.config.getoption("keyword") or any("::" in name for name in request.config.args)
    if not chosen and made.built >= {"rest", "worker"} and request.session.testsfailed == failed:
        inputs.write_down()


@pytest.fixture(scope="module")
def somebody() -> bytes:
    """A photo of one person, from the archive of face_recognition."""
    return pictures.archive_pictures()["obama.jpg"].read_bytes()


@pytest.fixture(scope="module")
def rest(builder: Builder) -> str:
    return builder.container(builder.build("rest"))


@pytest.fixture(scope="module")
def worker(builder: Builder) -> str:
    return builder.container(builder.build("worker"))


def _output(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.strip()


def _modules(builder: Builder, container: str, *names: str) -> list[bool]:
    question = f"import json, importlib.util as u; print(json.dumps([u.find_spec(n) is not None for n in {names!r}]))"
    found: list[bool] = json.loads(_output(builder.run(container, "python", "-c", question)))
    return found


@pytest.mark.parametrize("name", ["rest", "worker"])
def test_an_image_runs_its_program_as_a_user_that_can_change_nothing(
    builder: Builder, name: str, request: pytest.FixtureRequest
) -> None:
    container = request.getfixturevalue(name)
    assert _output(builder.run(container, "python", "-m", name, "--version")).startswith("facerec ")
    assert _output(builder.run(container, "python", "-m", name, "--help"))
    assert _output(builder.run(container, "id", "-u")) == "10001"
    writable = "find / -xdev -writable -type d ! -path '/proc*' ! -path '/dev*' ! -path '/tmp*' ! -path '/var/tmp*'"
    found = set(_output(builder.run(container, "sh", "-c", f"{writable} 2>/dev/null || true")).split())
    assert found <= {"/images", "/run/facerec", "/run/lock", "/var/lock"}
    compilers = "for tool in cc gcc g++ make cmake; do ! command -v $tool || exit 1; done"
    _output(builder.run(container, "sh", "-c", compilers))


def test_the_front_door_has_no_face_library(builder: Builder, rest: str, worker: str) -> None:
    libraries = ("dlib", "onnx", "onnxruntime", "face_recognition", "face_recognition_models")
    assert _modules(builder, rest, *libraries) == [False] * 5
    assert _modules(builder, worker, *libraries) == [True] * 5
    assert _modules(builder, worker, "flask", "gunicorn", "rest") == [False] * 3


def test_the_worker_brings_its_models(builder: Builder, worker: str) -> None:
    kinds = {name.partition("-")[0] for name in _output(builder.run(worker, "ls", "/models")).split()}
    assert kinds == {"encoder", "detector"}


@pytest.mark.parametrize("name", ["rest", "worker"])
def test_an_image_lists_what_is_in_it(builder: Builder, name: str, request: pytest.FixtureRequest) -> None:
    container = request.getfixturevalue(name)
    listed = json.loads(_output(builder.run(container, "cat", f"/usr/share/sbom/facerec-{name}.cdx.json")))
    question = "import importlib.metadata as m; print(len(list(m.distributions())))"
    assert len(listed["components"]) == int(_output(builder.run(container, "python", "-c", question)))
    assert {"numpy", "pika", "redis"} <= {part["name"] for part in listed["components"]}


def test_a_second_build_gives_the_same_image(builder: Builder, rest: str) -> None:
    assert builder.layers(builder.build("rest", "again")) == builder.layers("localhost/facerec-rest:test")


def test_models_are_the_same_whenever_they_are_converted(builder: Builder, worker: str) -> None:
    """The one step of the worker's image that the other has not; a second build of it takes minutes."""
    convert = "python -m facerec.engine.convert --cache /tmp/models >&2 && cd {} && sha256sum *"
    first, second = (_output(builder.run(worker, "sh", "-c", convert.format(at))) for at in ("/models", "/tmp/models"))
    assert first == second


def test_the_images_say_how_their_health_is_seen(builder: Builder, rest: str, worker: str) -> None:
    for container in (rest, worker):
        settings = json.loads(builder("inspect", container))["Docker"]["config"]
        assert settings["User"] == "10001:10001"
        assert settings["Healthcheck"]["Test"][0] == "CMD"
        assert settings["Cmd"][0] == "python"


def test_a_picture_goes_through_both(
    builder: Builder,
    rest: str,
    worker: str,
    redis_settings: RedisSettings,
    rabbit_settings: RabbitSettings,
    tmp_path: Path,
    somebody: bytes,
) -> None:
    """What a cluster does: tokens from a file, REST on every address, passwords in the environment."""
    port = free_port()
    settings = {
        "REDIS_PORT": str(redis_settings.port),
        "REDIS_PASSWORD": redis_settings.password.reveal(),
        "RABBITMQ_PORT": str(rabbit_settings.port),
        "RABBITMQ_USER": rabbit_settings.user,
        "RABBITMQ_PASSWORD": rabbit_settings.password.reveal(),
        "RABBITMQ_VHOST": rabbit_settings.vhost,
        "REST_PORT": str(port),
        "TOKENS_FILE": "/tmp/tokens",
    }
    line = f"default:{sha256(b'a token').hexdigest()}"
    _output(builder.run(rest, "sh", "-c", f"echo {line} >/tmp/tokens"))
    with (
        Program(builder.run(rest, "python", "-m", "rest", variables=settings), tmp_path / "rest.log"),
        Program(builder.run(worker, "python", "-m", "worker", variables=settings), tmp_path / "worker.log"),
        requests.Session() as session,
    ):
        session.trust_env = False
        url = f"http://127.0.0.1:{port}"
        assert wait_until(lambda: _status(session, f"{url}/readyz") == 200, 60, 0.2), _logs(tmp_path)
        assert session.get(f"{url}/images", timeout=10).status_code == 401
        session.headers["x-api-key"] = "a token"
        found = {name: _scan(session, url, name, body) for name, body in _pictures(somebody).items()}
        for image in found.values():
            assert wait_until(lambda image=image: _image(session, image)["state"] == "done", 60, 0.2), _logs(tmp_path)  # type: ignore[misc]
        assert [len(_image(session, image)["faces"]) for image in found.values()] == [1, 1, 0]
        assert session.get(found["one"].replace("/images/", "/match/"), timeout=30).json() == ["other"]


def _pictures(somebody: bytes) -> dict[str, bytes]:
    """Two of one person, the second smaller and compressed anew, and one of nobody."""
    other, nobody = io.BytesIO(), io.BytesIO()
    with Image.open(io.BytesIO(somebody)) as photo:
        photo.convert("RGB").resize((photo.width // 2, photo.height // 2)).save(other, "JPEG", quality=85)
    Image.new("RGB", (320, 240), "white").save(nobody, "PNG")
    return {"one": somebody, "other": other.getvalue(), "nobody": nobody.getvalue()}


def _scan(session: requests.Session, url: str, name: str, body: bytes) -> str:
    """The address of what is known of the image."""
    answer = session.post(f"{url}/scan/image/{name}", data=body, timeout=30)
    assert answer.status_code == 202, answer.text
    return f"{url}/images/{answer.json()['hash']}"


def _image(session: requests.Session, address: str) -> dict[str, Any]:
    document: dict[str, Any] = session.get(address, timeout=30).json()
    return document


class Program:
    """A program of an image in the background, with its log in a file; ended by SIGTERM, as a cluster does."""

    def __init__(self, command: list[str], log: Path) -> None:
        self._log = log.open("wb")
        self._process = subprocess.Popen(command, stdout=self._log, stderr=self._log, start_new_session=True)

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(60)
        self._log.close()


def _status(session: requests.Session, url: str) -> int:
    try:
        return session.get(url, timeout=30).status_code
    except requests.ConnectionError:
        return 0


def _logs(folder: Path) -> str:
    return "\n".join(f"--- {log.name}\n{log.read_text()[-3000:]}" for log in folder.glob("*.log"))
