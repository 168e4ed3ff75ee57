"""The Redis of k8s/overlays/production on one machine: the same scripts and settings, each pod on a loopback address of its own.

Only addresses, ports, folders and the sentinels' patience are others than in a cluster.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import redis
import yaml

from facerec.config import RedisSettings
from facerec.local.ports import free_port
from facerec.local.process import BackgroundProcess
from facerec.values import Secret
from tests.client import wait_until
from tests.manifests.rendering import K8S

NODES = range(3)
START_LIMIT = 30.0


def address(number: int) -> str:
    return f"127.0.0.1{number}"


def _configuration() -> dict[str, str]:
    """The ConfigMap of production with that of the component `tls` over it."""
    found: dict[str, str] = {}
    for path in ("overlays/production/redis.yaml", "components/tls/redis.yaml"):
        for manifest in yaml.safe_load_all((K8S / path).read_text(encoding="utf-8")):
            if manifest["kind"] == "ConfigMap":
                found |= manifest["data"]
    return found


class Pod:
    """A server and its sentinel, which live and die together."""

    def __init__(self, number: int, folder: Path, rewrite: Callable[[str], str], password: str) -> None:
        self.address = address(number)
        self.folder = folder
        places = {
            "/run/secrets/stores": folder / "secrets",
            "/run/secrets/tls": folder.parent / "tls",
            "/etc/redis": folder / "config",
            "/run/redis": folder / "run",
            "/data": folder / "data",
        }
        for place in set(places.values()):
            place.mkdir(parents=True, exist_ok=True)
        (folder / "secrets" / "redis-password").write_text(password)
        for name, text in _configuration().items():
            mine = re.sub("|".join(places), lambda found: str(places[found[0]]), rewrite(text))
            (folder / "config" / name).write_text(mine.replace("bind * -::*", f"bind {self.address}"))
        self._parts = [BackgroundProcess(name, folder) for name in ("redis", "sentinel")]

    def start(self, *names: str) -> None:
        """Both parts, or those that are named."""
        for part in self._parts:
            if not names or part.name in names:
                part.start(["sh", str(self.folder / "config" / f"{part.name}.sh")], {"POD_NAME": self.address})

    def kill(self) -> None:
        for part in self._parts:
            part.kill()

    def pause(self) -> None:
        """The server alone; its sentinel sees it fall silent."""
        self._parts[0].pause()

    def resume(self) -> None:
        self._parts[0].resume()

    def tails(self) -> str:
        return "\n".join(part.tail(8) for part in self._parts)


class Pods:
    """All three, with TLS. ``settings`` are a client's."""

    def __init__(self, folder: Path) -> None:
        for program in ("redis-server", "redis-cli", "openssl"):
            if shutil.which(program) is None:
                (pytest.fail if os.environ.get("CI") else pytest.skip)(f"{program} is not installed")
        port, sentinel, password = free_port(), free_port(), secrets.token_hex(8)
        self._port = port
        make_certificate(folder / "tls")

        def rewrite(text: str) -> str:
            for old, new in {
                "26379": "SENTINEL",
                "6379": str(port),
                "SENTINEL": str(sentinel),
                "redis-$number.redis-nodes": "127.0.0.1$number",
                "$POD_NAME.redis-nodes": "$POD_NAME",
                "redis-0.redis-nodes": address(0),
                "redis-*)": "127.*)",
                f'echo "port {sentinel}"': f'echo "port {sentinel}"; echo "bind $POD_NAME"',
                "milliseconds facerec 5000": "milliseconds facerec 1000",
                "timeout facerec 30000": "timeout facerec 4000",
            }.items():
                text = text.replace(old, new)
            return text

        self.pods = [Pod(number, folder / f"redis-{number}", rewrite, password) for number in NODES]
        self.settings = RedisSettings(
            host="nowhere",
            password=Secret(password),
            tls=True,
            ca_file=folder / "tls" / "ca.crt",
            timeout=2.0,
            sentinels=tuple((address(number), sentinel) for number in NODES),
            sentinel_password=Secret(password),
            replicas=1,
        )

    @property
    def environment(self) -> dict[str, str]:
        """What a cluster tells our programs."""
        settings = self.settings
        return {
            "REDIS_HOST": "",
            "REDIS_SENTINELS": ",".join(f"{host}:{port}" for host, port in settings.sentinels),
            "REDIS_SENTINEL_PASSWORD": settings.sentinel_password.reveal(),
            "REDIS_REPLICAS": "1",
            "REDIS_TLS": "true",
            "REDIS_CA_FILE": str(settings.ca_file),
        }

    def start(self) -> None:
        """The sentinels last: they look for replicas every ten seconds, and then find them at once."""
        for part in ("redis", "sentinel"):
            for pod in self.pods:
                pod.start(part)
            if part == "redis":
                wait_until(lambda: self._replicas() == 2, "both replicas follow", self.tails, START_LIMIT)
        wait_until(self.settled, "the sentinels know all", self.tails, START_LIMIT)

    def _replicas(self) -> int:
        with self._client(address(0), self._port) as client:
            try:
                found = client.info("replication")
            except redis.RedisError:
                return 0
        return sum(found.get(f"slave{number}", {}).get("state") == "online" for number in range(2))

    def _client(self, host: str, port: int) -> redis.Redis:
        options = {"ssl": True, "ssl_ca_certs": str(self.settings.ca_file), "decode_responses": True}
        return redis.Redis(host=host, port=port, password=self.settings.password.reveal(), **options)

    def settled(self) -> bool:
        """Whether every sentinel knows the two others and two replicas that follow the primary: it can lose one then."""
        return all(self._seen_by(host) == (2, 2, {"ok"}) for host, _ in self.settings.sentinels)

    def _seen_by(self, host: str) -> tuple[int, int, set[str]]:
        with self._client(host, self.settings.sentinels[0][1]) as sentinel:
            try:
                primary = sentinel.execute_command("SENTINEL", "MASTER", self.settings.sentinel_primary)
                replicas = sentinel.execute_command("SENTINEL", "REPLICAS", self.settings.sentinel_primary)
            except redis.RedisError:
                return 0, 0, set()
        links = {replica["master-link-status"] for replica in replicas}
        return int(primary["num-slaves"]), int(primary["num-other-sentinels"]), links

    def pod_at(self, host: str) -> Pod:
        return next(pod for pod in self.pods if pod.address == host)

    def tails(self) -> str:
        return "\n".join(pod.tails() for pod in self.pods)


def make_certificate(folder: Path) -> None:
    """An authority and a certificate of the three addresses, made as k8s/make-secrets.sh makes them."""
    folder.mkdir(parents=True)
    names = ",".join(f"IP:{address(number)}" for number in NODES)
    (folder / "names").write_text(f"subjectAltName={names},IP:127.0.0.1\n")
    for command in (
        "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=authority -keyout ca.key -out ca.crt",
        "req -newkey rsa:2048 -nodes -subj /CN=stores -keyout tls.key -out stores.csr",
        "x509 -req -in stores.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 -extfile names -out tls.crt",
    ):
        subprocess.run(["openssl", *command.split()], cwd=folder, check=True, capture_output=True)
