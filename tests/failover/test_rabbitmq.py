"""A node of three dies under load and comes back: the others go on, and nothing that was accepted is lost."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from facerec.config import RabbitSettings, RedisSettings
from facerec.topology import SCAN_QUEUE
from tests.failover.books import LIMITS, accepts_more, check_nothing_is_lost, under_load
from tests.failover.rabbit_nodes import Node, Nodes
from tests.stack import Stack


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nodes]:
    found = Nodes(tmp_path_factory.mktemp("rabbit"))
    try:
        found.start()
        yield found
    finally:
        found.close()


@pytest.fixture
def broker(nodes: Nodes) -> RabbitSettings:
    """A new virtual host of theirs: what a test before left in its queues is not in these."""
    name = f"test-{secrets.token_hex(6)}"
    nodes.nodes[0].add_vhost(name)
    return replace(nodes.settings, vhost=name)


def leader(nodes: Nodes, stack: Stack) -> Node:
    return nodes.leader(SCAN_QUEUE, stack.environment["RABBITMQ_VHOST"])


def node_of_rest(nodes: Nodes, stack: Stack) -> Node:
    """The one that REST publishes by."""
    lines = [json.loads(line) for line in (stack.folder / "rest.log").read_text().splitlines() if line.startswith("{")]
    made = [line for line in lines if line.get("action") == "broker_up" and line["connection"] == "facerec publisher"]
    return next(node for node in nodes.nodes if made[-1]["message"].endswith(f":{node.port}"))


def another(nodes: Nodes, stack: Stack) -> Node:
    """One that does not lead, and that REST has nothing to do with."""
    return next(node for node in nodes.nodes if node not in (leader(nodes, stack), node_of_rest(nodes, stack)))


@pytest.mark.parametrize("victim", [leader, node_of_rest, another])
def test_the_death_of_a_node_loses_nothing(
    nodes: Nodes,
    broker: RabbitSettings,
    redis_settings: RedisSettings,
    tmp_path: Path,
    victim: Callable[[Nodes, Stack], Node],
) -> None:
    with Stack(redis_settings, broker, tmp_path, workers=2, **LIMITS, **nodes.environment) as stack:
        with under_load(stack) as book:
            dead = victim(nodes, stack)
            dead.kill()
            accepts_more(stack, book)
            dead.start()
            accepts_more(stack, book)
        check_nothing_is_lost(stack, book, redis_settings)
