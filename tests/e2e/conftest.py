"""The page in a real browser, over the whole service as processes."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from copy import copy
from pathlib import Path
from typing import Any

import pytest
import redis
import requests
from playwright.sync_api import Browser, Page, expect

from facerec.adapters.redis import RedisDatabases, RedisTokens
from facerec.config import RedisSettings
from facerec.local.servers import RabbitServer, RedisServer
from facerec.values import Secret
from tests.conftest import on_every_core, rabbit_settings_of, redis_settings_of
from tests.e2e.browser import Complaints, browser_or_skip
from tests.stack import Stack

expect.set_options(timeout=30_000)
MakeSite = Callable[..., Stack]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with ExitStack() as open_browsers:
        with on_every_core():
            found = open_browsers.enter_context(contextmanager(browser_or_skip)())
        yield found


@pytest.fixture(scope="module")
def make_site(
    redis_server: RedisServer, rabbit_server: RabbitServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[MakeSite]:
    """Makes a service that holds nothing; the one that was made before is stopped."""
    with ExitStack() as open_sites:

        def make(**settings: Any) -> Stack:
            open_sites.pop_all().close()
            with redis.Redis.from_url(redis_server.url) as client:
                client.flushall()
            vhost = f"page-{secrets.token_hex(6)}"
            rabbit_server.add_vhost(vhost)
            folder = tmp_path_factory.mktemp("site")
            settings = {"ENGINE": "fake", "IMAGE_STORE": (folder / "pictures").as_uri()} | settings
            rabbit = rabbit_settings_of(rabbit_server, vhost)
            return open_sites.enter_context(Stack(redis_settings_of(redis_server), rabbit, folder, **settings))

        yield make


@contextmanager
def tokens_of(site: Stack) -> Iterator[RedisTokens]:
    """The tokens of a service."""
    where = site.environment
    settings = RedisSettings(port=int(where["REDIS_PORT"]), password=Secret(where["REDIS_PASSWORD"]))
    databases = RedisDatabases(settings)
    yield RedisTokens(databases)
    databases.close()


def give_token(site: Stack, owner: str) -> str:
    """A new token, which ``site`` itself uses from now on."""
    with tokens_of(site) as tokens:
        token = tokens.create(owner)
    site.session.headers["Authorization"] = f"Token {token}"
    return token


def as_owner(site: Stack, owner: str, page: Page) -> Stack:
    """The same service as a new ``owner`` sees it, who has nothing there; ``page`` is signed in as that one."""
    theirs = copy(site)
    theirs.session = requests.Session()
    theirs.session.trust_env = False
    token = give_token(theirs, owner)
    assert page.request.post(f"{site.url}/session", data={"token": token}).ok
    return theirs


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page of a browser of its own; every complaint in its console fails the test, unless the test clears it."""
    context = browser.new_context(viewport={"width": 1200, "height": 850})
    opened = context.new_page()
    complaints = Complaints(opened)
    yield opened
    context.close()
    assert complaints.serious == []


@pytest.fixture
def files(tmp_path: Path) -> Callable[[dict[str, bytes]], list[str]]:
    """Writes files to be chosen on the page."""

    def write(contents: dict[str, bytes]) -> list[str]:
        for name, content in contents.items():
            path = tmp_path / "chosen" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        return [str(tmp_path / "chosen" / name) for name in contents]

    return write
