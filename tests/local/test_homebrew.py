"""deploy-local-dev.sh as on a Mac with Homebrew, as far as that can be shown without one: see macs.py."""

from __future__ import annotations

import io
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from PIL import Image

from facerec.local.ports import free_port
from facerec.local.process import wait_until
from facerec.local.servers import ServerMissing
from tests.conftest import absent
from tests.local.clones import SERVICE, address, exists
from tests.local.macs import Mac


@pytest.fixture
def mac(tmp_path: Path) -> Iterator[Mac]:
    try:
        made = Mac(tmp_path / "clone", tmp_path / "homebrew")
    except ServerMissing as error:
        absent(error)
    yield made
    made.run("down")


def _compressed(picture: Path) -> bytes:
    content = io.BytesIO()
    with Image.open(picture) as opened:
        opened.save(content, "JPEG", quality=70)
    return content.getvalue()


def test_a_newcomer_with_homebrew_gets_a_service_that_finds_who_is_who(
    mac: Mac, session: requests.Session, archive: dict[str, Path]
) -> None:
    up = mac.run(REST_PORT=str(free_port()))
    assert up.returncode == 0, up.stderr
    assert mac.brew_calls("install") == ["install --quiet redis rabbitmq", "install --quiet python@3.11"]
    assert all("--require-hashes" in call or "--editable" in call for call in mac.pip_calls())
    running = mac.pids()
    assert running.keys() == set(SERVICE)

    url = address(up.stdout)
    first = _scanned(session, url, "first.jpg", archive["obama.jpg"].read_bytes())
    second = _scanned(session, url, "second.jpg", _compressed(archive["obama.jpg"]))
    assert session.get(f"{url}/match/{first}", timeout=30).json() == ["second.jpg"]
    assert session.get(f"{url}/match/{second}", timeout=30).json() == ["first.jpg"]

    for name in ("rest", "worker"):
        assert "Unsupported TCP option" not in mac.data(f"{name}/{name}.log").read_text()

    again = mac.run()
    assert (again.returncode, again.stdout) == (0, f"It runs already at {url}\n")
    assert mac.pids() == running
    assert len(mac.brew_calls("install")) == 2
    assert len(mac.pip_calls()) == 3

    down = mac.run("down")
    assert down.returncode == 0, down.stderr
    assert wait_until(lambda: not any(exists(pid) for pid in running.values()), 10)


def _scanned(session: requests.Session, url: str, name: str, picture: bytes) -> str:
    """The hash of a picture that the service has scanned."""
    found: str = session.post(f"{url}/scan/image/{name}", data=picture, timeout=30).json()["hash"]
    image = f"{url}/images/{found}"
    assert wait_until(lambda: session.get(image, timeout=30).json()["state"] == "done", 60, 0.1)
    return found


MISSING = (
    "missing: redis rabbitmq (Debian: sudo apt-get install redis-server rabbitmq-server; "
    "macOS, not as root: brew install redis rabbitmq"
)


def test_homebrew_that_wants_no_root_is_heard(mac: Mac) -> None:
    mac.stand_in("id", "#!/bin/sh\necho 0\n")
    up = mac.run()
    assert up.returncode == 1
    assert "Running Homebrew as root is extremely dangerous" in up.stderr
    assert MISSING in up.stderr
    assert not (mac.folder / ".venv").exists()


def test_without_homebrew_it_is_said_where_that_comes_from(mac: Mac) -> None:
    (mac.prefix / "bin/brew").unlink()
    up = mac.run()
    assert up.returncode == 1
    assert f"{MISSING}, with Homebrew from https://brew.sh)" in up.stderr
    assert "nothing is started without its own Redis and RabbitMQ" in up.stderr


def test_only_what_is_missing_is_installed_and_named(mac: Mac) -> None:
    mac.stand_in("redis-server", "#!/bin/sh\n")
    _break_brew(mac, "rabbitmq")
    up = mac.run()
    assert mac.brew_calls("install") == ["install --quiet rabbitmq"]
    assert (
        "missing: rabbitmq (Debian: sudo apt-get install rabbitmq-server; macOS, not as root: brew install rabbitmq,"
        in up.stderr
    )


def test_without_a_python_nothing_is_made(mac: Mac) -> None:
    _break_brew(mac, "python@3.11")
    up = mac.run()
    assert up.returncode == 1
    assert "Python 3.11 to 3.14 is needed (Debian: " in up.stderr
    assert "brew install python@3.11" in up.stderr
    assert "making .venv" not in up.stderr
    assert not (mac.folder / ".venv").exists()


@pytest.mark.parametrize(("machine", "version"), [("x86_64", "15.1"), ("arm64", "13.6.4")])
def test_a_mac_without_wheels_is_told_so_before_anything_is_installed(mac: Mac, machine: str, version: str) -> None:
    mac.stand_in("uname", f'#!/bin/sh\ncase "$1" in -m) echo {machine} ;; *) echo Darwin ;; esac\n')
    mac.stand_in("sw_vers", f"#!/bin/sh\necho {version}\n")
    up = mac.run()
    assert up.returncode == 1
    assert "wants Apple silicon and macOS 14 or newer; with Docker: ./deploy-local-dev.sh --compose" in up.stderr
    assert mac.brew_calls("install") == []
    assert not mac.data("up").exists()  # it would keep --compose from starting


@pytest.mark.parametrize("way", ["said by brew shellenv", "brew is on the PATH", "usual place", "none"])
def test_the_folder_of_homebrew_is_found(mac: Mac, way: str) -> None:
    environment = {"PATH": str(mac.programs)}
    expected = f"{mac.prefix}\n{mac.programs}:{mac.prefix}/bin:{mac.prefix}/sbin\n"
    if way == "said by brew shellenv":
        (mac.prefix / "bin/brew").unlink()
        environment["HOMEBREW_PREFIX"] = str(mac.prefix)
    elif way == "brew is on the PATH":
        (mac.programs / "brew").symlink_to(mac.prefix / "bin/brew")
    elif way == "none":
        (mac.prefix / "bin/brew").unlink()
        expected = f"{mac.programs}\n"
    script = 'set -eu; . facerec/local/environment.sh; homebrew_prefix || true; echo "$PATH"'
    command = [str(mac.programs / "bash"), "-c", script]
    assert subprocess.check_output(command, cwd=mac.folder, env=environment, text=True) == expected


def _break_brew(mac: Mac, formula: str) -> None:
    brew = mac.prefix / "bin/brew"
    brew.write_text(brew.read_text().replace(f"    {formula})", "    no-such-formula)"))
