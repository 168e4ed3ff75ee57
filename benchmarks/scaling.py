"""How a cluster follows its queue, by simulation: ``python -m benchmarks.scaling [--costs costs.json] [--daily 1000000]``.

A discrete-event model of uploads, the queue, pods with engine processes, and the one store that takes commits one after the
other. Pods come and go as KEDA and the autoscaler behind it decide, by the numbers in k8s/components/autoscale/keda. What a
picture costs is measured by `benchmarks.scaling_costs`, which runs first unless ``--costs`` names its output. Not modelled: other
work on the nodes, nodes that must be started first, the network. Two loads: 100 000 pictures at once, and a day with a curve.
Then, without simulation, which part is full first with 10, 100 and 1 000 workers. The last line is JSON.
"""

from __future__ import annotations

import argparse
import heapq
import json
import math
import random
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from benchmarks.common import print_json, print_table

MANIFEST = Path(__file__).parents[1] / "k8s" / "components" / "autoscale" / "keda" / "scaled-object.yaml"
SYNC = 15.0
"""Seconds between two looks of the autoscaler (Kubernetes' default)."""
TOLERANCE = 0.1
"""It leaves things as they are within this share (Kubernetes' default)."""
DAY = 86400.0
NETWORK = 1.25e9
"""Bytes a second of a 10 Gbit/s link, which Redis and RabbitMQ have each."""
REST_PODS = 10


@dataclass(frozen=True)
class Costs:
    """Of one picture, in seconds of one core but for ``entry_bytes`` and ``picture_bytes``.

    ``scan``: a worker's; ``rest``, ``broker``, ``commit``: of REST, RabbitMQ and Redis; ``follow``: of Redis, for each worker
    that reads the journal entry; ``start``: from the decision for a pod until it works, on the wall clock.
    """

    scan: float
    rest: float
    broker: float
    commit: float
    follow: float
    entry_bytes: float
    picture_bytes: float
    start: float


@dataclass(frozen=True)
class Rule:
    """What the manifest says. ``up``: share and number of pods that may come in a period; ``down``: share that may go."""

    target: float
    lowest: int
    highest: int
    polling: float
    up_share: float
    up_pods: int
    up_period: float
    down_share: float
    down_period: float
    down_wait: float

    @classmethod
    def of_manifest(cls) -> Rule:
        spec = next(
            found["spec"] for found in yaml.safe_load_all(MANIFEST.read_text()) if found["kind"] == "ScaledObject"
        )
        behaviour = spec["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
        up = {policy["type"]: policy for policy in behaviour["scaleUp"]["policies"]}
        (down,) = behaviour["scaleDown"]["policies"]
        return cls(
            target=float(spec["triggers"][0]["metadata"]["value"]),
            lowest=spec["minReplicaCount"],
            highest=spec["maxReplicaCount"],
            polling=float(spec["pollingInterval"]),
            up_share=up["Percent"]["value"] / 100,
            up_pods=up["Pods"]["value"],
            up_period=float(up["Pods"]["periodSeconds"]),
            down_share=down["value"] / 100,
            down_period=float(down["periodSeconds"]),
            down_wait=float(behaviour["scaleDown"]["stabilizationWindowSeconds"]),
        )

    def wanted(self, messages: int, pods: int) -> int:
        """Pods for so many messages, those in hand included."""
        ratio = messages / self.target / max(1, pods)
        count = pods if abs(ratio - 1) <= TOLERANCE else math.ceil(messages / self.target)
        return min(self.highest, max(self.lowest, count))


@dataclass
class Result:
    """Waits from upload to the end of the commit, sorted, in seconds; (time, pods) at each change; when all was done."""

    waits: list[float] = field(default_factory=list)
    pods: list[tuple[float, int]] = field(default_factory=list)
    ended: float = 0.0
    longest_queue: int = 0

    def wait(self, share: float) -> float:
        return self.waits[min(len(self.waits) - 1, int(share * len(self.waits)))]

    @property
    def most_pods(self) -> int:
        return max(count for _, count in self.pods)

    def pod_hours(self) -> float:
        ends = [time for time, _ in self.pods[1:]] + [max(self.ended, self.pods[-1][0])]
        return sum((end - time) * count for (time, count), end in zip(self.pods, ends, strict=True)) / 3600


class Cluster:
    """The simulation. ``processes`` engine processes to a pod."""

    def __init__(self, costs: Costs, rule: Rule, processes: int, chance: random.Random) -> None:
        self.costs, self.rule, self.processes, self.chance = costs, rule, processes, chance
        self.now = 0.0
        self.queue: deque[float] = deque()
        self.busy = 0
        self.pods = self.wished = rule.lowest
        self.store_free_at = 0.0
        self.in_store = 0
        self.wishes: deque[tuple[float, int]] = deque()
        self.changed_at = {"up": -math.inf, "down": -math.inf}
        self.result = Result(pods=[(0.0, self.pods)])
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0

    def run(self, arrivals: Iterator[float]) -> Result:
        """``arrivals`` in order; ends when all is done and the pods have gone back to the lowest number."""
        self._next_arrival(arrivals)
        self._at(0.0, self._look)
        while self._events and not self._idle():
            self.now, _, event = heapq.heappop(self._events)
            event()
        self.result.waits.sort()
        return self.result

    def _idle(self) -> bool:
        return not (self._more or self.messages) and self.pods == self.wished == self.rule.lowest

    @property
    def messages(self) -> int:
        """Waiting and in hand: what the management API tells."""
        return len(self.queue) + self.busy + self.in_store

    def _at(self, time: float, event: Callable[[], None]) -> None:
        self._count += 1
        heapq.heappush(self._events, (time, self._count, event))

    def _next_arrival(self, arrivals: Iterator[float]) -> None:
        time = next(arrivals, None)
        self._more = time is not None
        if time is not None:
            self._at(time, lambda: self._arrive(arrivals))

    def _arrive(self, arrivals: Iterator[float]) -> None:
        self.queue.append(self.now)
        self.result.longest_queue = max(self.result.longest_queue, len(self.queue))
        self._serve()
        self._next_arrival(arrivals)

    def _serve(self) -> None:
        while self.queue and self.busy < self.pods * self.processes:
            arrived = self.queue.popleft()
            self.busy += 1
            # Pictures differ: an exponential half on top of a constant half.
            seconds = self.costs.scan * (0.5 + 0.5 * self.chance.expovariate(1.0))
            self._at(self.now + seconds, lambda arrived=arrived: self._scanned(arrived))  # type: ignore[misc]

    def _scanned(self, arrived: float) -> None:
        self.busy -= 1
        self.in_store += 1
        step = self.costs.commit + self.pods * self.costs.follow
        self.store_free_at = max(self.now, self.store_free_at) + step
        self._at(self.store_free_at, lambda: self._done(arrived))
        self._serve()

    def _done(self, arrived: float) -> None:
        self.in_store -= 1
        self.result.waits.append(self.now - arrived)
        self.result.ended = self.now

    def _look(self) -> None:
        """KEDA asks the queue, the autoscaler decides."""
        wanted = self.rule.wanted(self.messages, self.wished)
        self.wishes.append((self.now, wanted))
        while self.wishes[0][0] < self.now - self.rule.down_wait:
            self.wishes.popleft()
        if wanted > self.wished and self.now - self.changed_at["up"] >= self.rule.up_period:
            self.changed_at["up"] = self.now
            limit = max(self.wished * (1 + self.rule.up_share), self.wished + self.rule.up_pods)
            more = min(wanted, int(limit)) - self.wished
            self.wished += more
            self._at(self.now + self.costs.start, lambda: self._set_pods(self.pods + more))
        calm = max(count for _, count in self.wishes)
        if (
            calm < self.wished
            and self.pods == self.wished
            and self.now - self.changed_at["down"] >= self.rule.down_period
        ):
            self.changed_at["down"] = self.now
            fewer = max(calm, self.wished - max(1, int(self.wished * self.rule.down_share)))
            self.wished = fewer
            self._set_pods(fewer)
        self._at(self.now + max(SYNC, self.rule.polling), self._look)

    def _set_pods(self, count: int) -> None:
        """Pods that go finish what they hold."""
        self.pods = count
        self.result.pods.append((self.now, count))
        self._serve()


def burst(count: int, per_second: float) -> Iterator[float]:
    """So many uploads as fast as REST takes them."""
    return (number / per_second for number in range(count))


def day(count: int, chance: random.Random) -> Iterator[float]:
    """A day of ``count`` uploads: little at night, most in the evening, by chance within."""
    time, highest = 0.0, count / DAY * 2
    while time < DAY:
        time += chance.expovariate(highest)
        if chance.random() < (1 - math.cos(2 * math.pi * (time / DAY - 0.33))) / 2:
            yield time


def limits(costs: Costs, workers: int, processes: int) -> dict[str, float]:
    """Pictures a second that each part can take with so many workers."""
    replicated = 3
    return {
        "the workers' CPU": workers * processes / costs.scan,
        "REST's CPU": REST_PODS / costs.rest,
        "RabbitMQ's CPU": 2 / costs.broker,
        "RabbitMQ's network": NETWORK / (costs.picture_bytes * (1 + replicated)),
        "Redis's one core": 1 / (costs.commit + workers * costs.follow),
        "Redis's network": NETWORK / (costs.entry_bytes * (workers + replicated)),
    }


def told(name: str, result: Result) -> tuple[Any, ...]:
    times = (result.wait(0.5), result.wait(0.95), result.waits[-1])
    return name, len(result.waits), *(f"{time:.0f}" for time in times), result.most_pods, f"{result.pod_hours():.1f}"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scaling", description=__doc__)
    parser.add_argument("--costs", type=Path, help="what benchmarks.scaling_costs printed; measured now without it")
    parser.add_argument("--burst", type=int, default=100_000)
    parser.add_argument("--daily", type=int, default=1_000_000)
    parser.add_argument("--processes", type=int, default=2, help="engine processes to a pod")
    parser.add_argument("--seed", type=int, default=1)
    wanted = parser.parse_args()
    if wanted.costs:
        costs = Costs(**json.loads(wanted.costs.read_text().splitlines()[-1]))
    else:
        from benchmarks.scaling_costs import measured  # noqa: PLC0415 - it starts servers

        costs = Costs(**measured())
    chance, rule = random.Random(wanted.seed), Rule.of_manifest()
    at_once = Cluster(costs, rule, wanted.processes, chance).run(burst(wanted.burst, REST_PODS / costs.rest))
    daily = Cluster(costs, rule, wanted.processes, chance).run(day(wanted.daily, chance))
    print_table(
        [told("at once", at_once), told("over a day", daily)],
        ("pictures", "number", "median wait s", "95 % s", "longest s", "most pods", "pod hours"),
    )
    table: list[Sequence[str]] = []
    first: dict[int, str] = {}
    for workers in (10, 100, 1000):
        found = limits(costs, workers, wanted.processes)
        first[workers] = min(found, key=lambda name: found[name])
        table.append((str(workers), *(f"{rate:.0f}" for rate in found.values()), first[workers]))
    print_table(table, ("workers", *limits(costs, 1, 1), "full first"))
    print_json(
        {
            "costs": vars(costs),
            "burst": {
                "median": at_once.wait(0.5),
                "p95": at_once.wait(0.95),
                "seconds": at_once.ended,
                "pods": at_once.most_pods,
            },
            "day": {
                "median": daily.wait(0.5),
                "p95": daily.wait(0.95),
                "longest": daily.waits[-1],
                "pods": daily.most_pods,
            },
            "bottleneck": first,
        }
    )


if __name__ == "__main__":
    main()
