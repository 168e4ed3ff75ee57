"""A node of three dies under load and comes back: the others go on, and nothing that was accepted is lost."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from facerec.config import RedisSettings
from facerec.topology import SCAN_QUEUE
from tests.failover.books import LIMITS, accepts_more, check_nothing_is_lost, under_load
from tests.failover.rabbit_nodes import Nodes
from tests.stack import Stack


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[Nodes]:
    found = Nodes(tmp_path)
    try:
        found.start()
        yield found
    finally:
        found.close()


def test_the_death_of_a_node_loses_nothing(nodes: Nodes, redis_settings: RedisSettings, tmp_path: Path) -> None:
    with Stack(redis_settings, nodes.settings, tmp_path, workers=2, **LIMITS, **nodes.environment) as stack:
        with under_load(stack) as book:
            dead = nodes.leader(SCAN_QUEUE)
            dead.kill(settled=False)
            accepts_more(stack, book)
            dead.start()
            accepts_more(stack, book)
        check_nothing_is_lost(stack, book, redis_settings)
