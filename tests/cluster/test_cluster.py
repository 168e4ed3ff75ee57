"""The manifests in a real cluster: every overlay is taken by its server, and two of them run, lose pods and lose no picture."""

from __future__ import annotations

import base64
import json
import re
import secrets
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest
import requests

from facerec.local.process import wait_until as comes_true
from tests import pictures
from tests.client import Client, wait_until
from tests.cluster.cluster import Cluster, small, why_not
from tests.cluster.load import Load
from tests.drawings import drawing
from tests.local.clones import Clone
from tests.manifests.rendering import K8S, combinations_of_all, kustomizations, render, render_with
from tests.plain import plain_matches

pytestmark = pytest.mark.timeout(1800)


@pytest.fixture(scope="module", autouse=True)
def _a_cluster_is_possible() -> None:
    """Asked before anything else is made ready."""
    if reason := why_not():
        pytest.skip(reason)


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    with Cluster(tmp_path) as made:
        yield made


@pytest.fixture(scope="module")
def photos() -> dict[str, Path]:
    return pictures.portraits() or pictures.archive_pictures()


@pytest.fixture(scope="module")
def expected(photos: dict[str, Path]) -> dict[str, set[str]]:
    return plain_matches(photos)


def test_the_server_takes_every_overlay_and_combination(cluster: Cluster) -> None:
    """All its checks and no change: those of the schemas, of admission, and of the rules that no schema has."""
    for folder in kustomizations():
        if folder.name != "namespace":
            cluster.apply(render(folder), "--dry-run=server")
    for folder, components in combinations_of_all():
        cluster.apply(render_with(folder, components), "--dry-run=server")


def test_the_local_overlay_finds_who_matches_and_loses_nothing(
    cluster: Cluster, photos: dict[str, Path], expected: dict[str, set[str]]
) -> None:
    cluster.make_secrets()
    cluster.apply(small(render(K8S / "overlays/local")))
    cluster.wait_rolled_out()
    with cluster.client() as client:
        assert Client(client.url).post(b"no token", "picture.jpg").status_code == 401
        hashes = _scan_all(client, photos)
        _check_matches(client, hashes, expected)
        with Load(client.url, cluster.token, cluster.evidence) as load:
            for part in ("worker", "redis", "rabbitmq"):
                cluster.kill(cluster.pods(part)[0])
                load.wait_more()
            cluster.kubectl("scale", "deployment/worker", "--replicas=2")
            cluster.kubectl("rollout", "restart", "deployment/rest", "deployment/worker")
            cluster.wait_rolled_out()
            load.wait_more()
        _check_the_end(cluster, client, load)
        _check_matches(client, hashes, expected)


@pytest.mark.parametrize("components", [(), ("tls",)], ids=["plain", "tls"])
def test_the_production_overlay_outlives_the_first_of_each_store(
    cluster: Cluster, photos: dict[str, Path], expected: dict[str, set[str]], components: tuple[str, ...]
) -> None:
    """The Redis that is primary and one RabbitMQ node after the other go at once, under load."""
    cluster.make_secrets()
    cluster.apply(small(render_with("overlays/production", components)))
    cluster.wait_rolled_out()
    with cluster.client() as client:
        hashes = _scan_all(client, photos)
        with Load(client.url, cluster.token, cluster.evidence) as load:
            cluster.kill("redis-0")
            load.wait_more()
            for number in range(3):
                cluster.kill(f"rabbitmq-{number}")
                load.wait_more()
                cluster.wait_rolled_out()
            cluster.kubectl("rollout", "restart", "deployment/rest", "deployment/worker")
            cluster.wait_rolled_out()
            load.wait_more()
        _check_the_end(cluster, client, load)
        _check_matches(client, hashes, expected)


def test_what_an_operator_does(cluster: Cluster, photos: dict[str, Path], expected: dict[str, set[str]]) -> None:
    """docs/operations.md, by its commands: back up, lose Redis with its volume, restore, rotate tokens and passwords."""
    cluster.make_secrets()
    cluster.apply(small(render(K8S / "overlays/local")))
    cluster.wait_rolled_out()
    with cluster.client() as client:
        hashes = _scan_all(client, photos)
        backup = cluster.kubectl("exec", "deploy/worker", "--", "python", "-m", "facerec", "export")
        _lose_redis(cluster)
        wait_until(lambda: _facerec(cluster, "fsck", "--json") is not None, "an empty Redis answers", cluster.evidence)
        cluster.kubectl("exec", "-i", "deploy/worker", "--", "python", "-m", "facerec", "import", given=backup)
        assert cluster.fsck()["clean"]
        _check_matches(client, hashes, expected)

        token = cluster.kubectl(
            "exec", "deploy/worker", "--", "python", "-m", "facerec", "token", "create", "anna"
        ).split()[-1]
        assert Client(client.url, token).post(drawing(), "hers.png").status_code == 202
        cluster.kubectl(
            "exec",
            "deploy/worker",
            "--",
            "python",
            "-m",
            "facerec",
            "token",
            "revoke",
            sha256(token.encode()).hexdigest(),
        )
        assert Client(client.url, token).post(drawing(), "hers too.png").status_code == 401

        with Load(client.url, cluster.token, cluster.evidence) as load:
            _rotate_rabbitmq(cluster)
            load.wait_more()
            _rotate_redis(cluster)
            load.wait_more()
        _check_the_end(cluster, client, load)
        _check_matches(client, hashes, expected)


def _facerec(cluster: Cluster, *arguments: str) -> str | None:
    """What the command says in a worker; None when it fails."""
    try:
        return cluster.kubectl("exec", "deploy/worker", "--", "python", "-m", "facerec", *arguments)
    except AssertionError:
        return None


def _lose_redis(cluster: Cluster) -> None:
    cluster.kubectl("scale", "statefulset/redis", "--replicas=0")
    wait_until(lambda: cluster.pods("redis") == [], "Redis is gone", cluster.evidence)
    cluster.kubectl("delete", "persistentvolumeclaim", "data-redis-0")
    cluster.kubectl("scale", "statefulset/redis", "--replicas=1")
    cluster.wait_rolled_out()


def _change_secret(cluster: Cluster, key: str, value: str) -> None:
    encoded = base64.b64encode(value.encode()).decode()
    cluster.kubectl("patch", "secret", "facerec-stores", "-p", json.dumps({"data": {key: encoded}}))


def _rotate_rabbitmq(cluster: Cluster) -> None:
    password = secrets.token_hex(16)
    cluster.kubectl("exec", "rabbitmq-0", "--", "rabbitmqctl", "change_password", "facerec", password)
    _change_secret(cluster, "rabbitmq-password", password)
    cluster.kubectl("rollout", "restart", "deployment/rest", "deployment/worker", "deployment/logs")
    cluster.wait_rolled_out()


def _rotate_redis(cluster: Cluster) -> None:
    _change_secret(cluster, "redis-password", secrets.token_hex(16))
    cluster.kubectl("rollout", "restart", "statefulset/redis")
    cluster.wait_rolled_out()
    cluster.kubectl("rollout", "restart", "deployment/rest", "deployment/worker")
    cluster.wait_rolled_out()


def test_stores_in_the_cluster_serve_a_developer_here(cluster: Cluster, tmp_path: Path) -> None:
    """What `./deploy-local-dev.sh --k8s` is for."""
    clone = Clone(tmp_path / "clone")
    settings = {"KUBECONFIG": str(cluster.config)}
    try:
        up = clone.run("--k8s", seconds=600, **settings)
        assert up.returncode == 0, up.stdout + up.stderr + cluster.evidence()
        url = re.search(r"http://127\.0\.0\.1:\d+", up.stdout)
        assert url, up.stdout
        with requests.Session() as session:
            session.trust_env = False
            body = next(iter(pictures.archive_pictures().values())).read_bytes()
            image = session.post(f"{url[0]}/scan/image/one.jpg", data=body, timeout=60).json()["hash"]
            address = f"{url[0]}/images/{image}"
            assert comes_true(lambda: session.get(address, timeout=60).json()["state"] == "done", 120, 0.2)
            before = cluster.pods("redis")
            second = clone.run("--k8s", seconds=600, **settings)
            assert second.returncode == 0, second.stderr
            assert cluster.pods("redis") == before
    finally:
        down = clone.run("down", seconds=600, **settings)
    assert down.returncode == 0, down.stderr
    wait_until(lambda: cluster.kubectl("get", "statefulset", "-o", "name") == "", "the stores are gone")


def _scan_all(client: Client, photos: dict[str, Path]) -> dict[str, str]:
    hashes = {name: client.scan(path.read_bytes(), name) for name, path in photos.items()}
    assert set(client.wait_ended(hashes.values(), 300).values()) == {"done"}
    return hashes


def _check_matches(client: Client, hashes: dict[str, str], expected: dict[str, set[str]]) -> None:
    """Those of plain face_recognition; pictures with the same bytes are one image, and its own names are not in its matches."""
    for name, image in hashes.items():
        assert set(client.match(image)) == {other for other in expected[name] if hashes[other] != image}, name


def _check_the_end(cluster: Cluster, client: Client, load: Load) -> None:
    assert load.refused == []
    assert set(client.wait_ended(load.accepted, 300).values()) == {"done"}
    report = cluster.fsck()
    assert report["clean"], report
