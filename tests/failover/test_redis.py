"""The primary of three Redis dies under load: the sentinels make another, and nothing that was accepted is lost."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from facerec.adapters.redis import RedisAdmissions, RedisDatabases, RedisJournal
from facerec.config import RabbitSettings
from facerec.errors import StoreUnavailable
from facerec.identity import DEFAULT_OWNER
from tests.client import wait_until
from tests.failover.books import LIMITS, accepts_more, check_nothing_is_lost, under_load
from tests.failover.redis_nodes import Pods
from tests.stack import Stack


@pytest.fixture(scope="module")
def pods(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pods]:
    found = Pods(tmp_path_factory.mktemp("redis"))
    found.start()
    yield found
    for pod in found.pods:
        pod.kill()


def primary_of(databases: RedisDatabases) -> str:
    """The address that the sentinels tell."""
    return str(databases.client().client_info()["laddr"]).partition(":")[0]


def test_the_death_of_the_primary_loses_nothing(pods: Pods, rabbit_settings: RabbitSettings, tmp_path: Path) -> None:
    databases = RedisDatabases(pods.settings)
    first = primary_of(databases)
    with Stack(pods.settings, rabbit_settings, tmp_path, workers=2, **LIMITS, **pods.environment) as stack:
        with under_load(stack) as book:
            pods.pod_at(first).kill()
            accepts_more(stack, book)
            assert primary_of(databases) != first
            pods.pod_at(first).start()
            wait_until(pods.settled, "the old primary follows the new one", pods.tails, 30)
        check_nothing_is_lost(stack, book, pods.settings)
    databases.close()


def test_a_change_counts_when_a_replica_has_it(pods: Pods) -> None:
    databases = RedisDatabases(pods.settings)
    wait_until(pods.settled, "both follow", pods.tails, 30)
    journal = RedisJournal(databases)
    position = journal.position()
    primary = primary_of(databases)
    others = [pod for pod in pods.pods if pod.address != primary]
    for pod in others:
        pod.pause()
    try:
        with pytest.raises(StoreUnavailable, match="0 of 1 replicas"):
            RedisAdmissions(databases).admit(DEFAULT_OWNER, "a" * 64, "a.png")
        # Nobody may build on what a fail-over could take back, whoever wrote it.
        reader = RedisDatabases(pods.settings)
        with pytest.raises(StoreUnavailable):
            RedisJournal(reader).since(position)
        reader.close()
    finally:
        for pod in others:
            pod.resume()
    wait_until(pods.settled, "both follow again", pods.tails, 30)
    assert journal.since(position) == ()
    databases.close()
