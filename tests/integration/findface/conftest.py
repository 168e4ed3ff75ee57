"""One stack for all tests of this folder: starting it takes longer than most of them. Each test is an owner of its own."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from facerec.adapters.redis import RedisDatabases, RedisTokens
from facerec.config import RabbitSettings
from facerec.local.servers import RabbitServer, RedisServer
from tests.client import wait_until
from tests.conftest import own_room, redis_settings_of
from tests.integration.rest.web import Site, answering, site
from tests.stack import Stack

_numbers = itertools.count()
TIMEOUT = 60


class Client:
    """One owner's way to /v1."""

    def __init__(self, url: str, token: str, owner: str) -> None:
        self.url = url
        self.owner = owner
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.headers["Authorization"] = f"Token {token}"

    def call(self, method: str, path: str, status: int = 200, **more: Any) -> Any:
        """The JSON of an answer with this status."""
        other = ("/v1", "/v0", "/images", "/match", "/scan", "/people", "/context", "/probing")
        address = path if path.startswith(other) else f"/v1{path}"
        answer = self.session.request(method, self.url + address, timeout=TIMEOUT, **more)
        assert answer.status_code == status, f"{method} {address}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    def wait_until(self, condition: Callable[[], bool]) -> None:
        """Ask again and again."""
        wait_until(condition, "what was to come")

    def post_face(self, body: bytes, **fields: Any) -> list[dict[str, Any]]:
        """The faces that a photo was stored for."""
        answer = self.call("POST", "/face", files={"photo": ("p.png", body)}, data=fields)
        results: list[dict[str, Any]] = answer["results"]
        return results


@pytest.fixture(scope="module")
def servers(
    rabbit_server: RabbitServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[RedisServer, RabbitSettings]]:
    with own_room(tmp_path_factory.mktemp("servers"), rabbit_server) as found:
        yield found


@pytest.fixture(scope="module")
def settings() -> dict[str, str]:
    """More settings for the stack of a module."""
    return {}


@pytest.fixture(scope="module")
def stack(
    servers: tuple[RedisServer, RabbitSettings], settings: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    redis, rabbit = redis_settings_of(servers[0]), servers[1]
    folder = tmp_path_factory.mktemp("stack")
    databases = RedisDatabases(redis)
    token = RedisTokens(databases).create("default")
    environment = {
        "ENGINE": "fake",
        "WORKERS": "1",
        "ALLOW_FETCH_FROM": "127.0.0.2/32",
        "IMAGE_STORE": f"file://{folder}/images",
        **settings,
    }
    with Stack(redis, rabbit, folder, token=token, **environment) as found:
        yield found
    databases.close()


@pytest.fixture
def client_of(stack: Stack, servers: tuple[RedisServer, RabbitSettings]) -> Iterator[Callable[[], Client]]:
    """Makes clients, each of a new owner."""
    databases = RedisDatabases(redis_settings_of(servers[0]))
    tokens = RedisTokens(databases)
    made: list[Client] = []

    def make() -> Client:
        owner = f"owner-{next(_numbers)}"
        made.append(Client(stack.url, tokens.create(owner), owner))
        return made[-1]

    yield make
    for client in made:
        client.session.close()
    databases.close()


@pytest.fixture
def client(client_of: Callable[[], Client]) -> Client:
    return client_of()


@pytest.fixture
def photo_site() -> Callable[[bytes], Any]:
    """Serves a photo at an address that may be fetched."""

    def serve(body: bytes) -> Any:
        return site(answering(body), "127.0.0.2")

    return serve


__all__ = ["Client", "Site"]
