"""The model of scaling does what Kubernetes' autoscaler does, and loses no picture on its way."""

from __future__ import annotations

import random
from itertools import pairwise

from benchmarks.scaling import Cluster, Costs, Rule, burst, day, limits

COSTS = Costs(
    scan=0.1, rest=0.002, broker=0.001, commit=0.0005, follow=1e-5, entry_bytes=700, picture_bytes=3e5, start=30
)
RULE = Rule.of_manifest()


def test_the_manifest_is_read() -> None:
    assert RULE.lowest < RULE.highest
    assert RULE.wanted(0, 3) == RULE.lowest
    assert RULE.wanted(10**9, 3) == RULE.highest
    assert RULE.wanted(int(5 * RULE.target), 5) == 5
    assert RULE.wanted(int(7 * RULE.target), 5) == 7


def test_a_burst_is_worked_off_by_ever_more_pods_which_go_again() -> None:
    result = Cluster(COSTS, RULE, 2, random.Random(1)).run(burst(20_000, 1000))
    assert len(result.waits) == 20_000
    assert result.pods[-1][1] == RULE.lowest
    assert result.most_pods <= RULE.highest
    for (_, before), (_, after) in pairwise(result.pods):
        assert after - before <= max(before * RULE.up_share, RULE.up_pods)
    fastest = 20_000 * COSTS.scan / (2 * RULE.highest)
    assert fastest < result.ended < 20_000 * COSTS.scan / 2 / RULE.lowest


def test_a_quiet_day_needs_no_more_than_the_fewest() -> None:
    chance = random.Random(2)
    result = Cluster(COSTS, RULE, 2, chance).run(day(20_000, chance))
    assert 15_000 < len(result.waits) < 25_000
    assert result.most_pods == RULE.lowest
    assert result.wait(0.95) < 1.0


def test_more_workers_make_the_store_the_limit() -> None:
    few, many = limits(COSTS, 1, 2), limits(COSTS, 10_000, 2)
    assert min(few, key=lambda name: few[name]) == "the workers' CPU"
    assert min(many, key=lambda name: many[name]).startswith("Redis")
