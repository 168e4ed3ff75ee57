"""Every fault that must lose nothing, by name. Each holds for as long as its ``with`` block."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Any

import redis

from benchmarks.ledger.world import World, children_of, signal_quietly, stopped
from facerec.topology import SCAN_QUEUE
from tests.client import wait_until

SKEW = 420.0
"""Seconds by which clocks are wrong; longer than all limits and leases in the world under test."""
Fault = Callable[[World], AbstractContextManager[None]]


@contextmanager
def broker_stopped(world: World) -> Iterator[None]:
    world.rabbit.stop_app()
    yield
    world.rabbit.start_app()


@contextmanager
def broker_killed(world: World) -> Iterator[None]:
    world.rabbit.kill()
    yield
    world.rabbit.start()


@contextmanager
def broker_memory_alarm(world: World) -> Iterator[None]:
    with world.rabbit.memory_alarm():
        yield


@contextmanager
def broker_unreachable(world: World) -> Iterator[None]:
    world.rabbit_proxy.down()
    yield
    world.rabbit_proxy.up()


@contextmanager
def broker_connections_cut(world: World) -> Iterator[None]:
    world.rabbit_proxy.cut()
    yield
    world.rabbit_proxy.cut()


@contextmanager
def broker_hears_nothing(world: World) -> Iterator[None]:
    with world.rabbit_proxy.black_hole(upstream=True):
        yield


@contextmanager
def broker_says_nothing(world: World) -> Iterator[None]:
    with world.rabbit_proxy.black_hole(downstream=True):
        yield


@contextmanager
def queue_deleted(world: World) -> Iterator[None]:
    world.rabbit.delete_queue(SCAN_QUEUE)
    yield


@contextmanager
def redis_stopped(world: World) -> Iterator[None]:
    world.redis.stop()
    yield
    world.redis.start()


@contextmanager
def redis_killed(world: World) -> Iterator[None]:
    world.redis.kill()
    yield
    world.redis.start()


@contextmanager
def redis_hangs(world: World) -> Iterator[None]:
    world.redis.pause()
    yield
    world.redis.resume()


@contextmanager
def redis_slow(world: World) -> Iterator[None]:
    with world.redis_proxy.slow(0.2):
        yield


@contextmanager
def redis_connections_cut(world: World) -> Iterator[None]:
    world.redis_proxy.cut()
    yield
    world.redis_proxy.cut()


@contextmanager
def redis_cannot_save(world: World) -> Iterator[None]:
    """Its disk is full: MISCONF."""
    client, in_the_way = world.databases.client(), world.redis.folder / "dump.rdb"
    client.config_set("save", "3600 1")
    in_the_way.unlink(missing_ok=True)
    in_the_way.mkdir()
    save(client, "err")
    yield
    in_the_way.rmdir()
    save(client, "ok")
    client.config_set("save", "")


def save(client: Any, status: str) -> None:
    client.bgsave(schedule=True)
    wait_until(lambda: client.info("persistence")["rdb_last_bgsave_status"] == status, f"saving is {status}")


@contextmanager
def redis_out_of_memory(world: World) -> Iterator[None]:
    with configured(world, "maxmemory", "1", "0"):
        yield


@contextmanager
def redis_lacks_replicas(world: World) -> Iterator[None]:
    with configured(world, "min-replicas-to-write", "1", "0"):
        yield


@contextmanager
def configured(world: World, name: str, value: str, before: str) -> Iterator[None]:
    world.databases.client().config_set(name, value)
    yield
    world.databases.client().config_set(name, before)


@contextmanager
def redis_read_only(world: World) -> Iterator[None]:
    """A replica of a primary that is away: READONLY."""
    world.databases.client().replicaof("127.0.0.1", 1)
    yield
    world.databases.client().replicaof("NO", "ONE")


@contextmanager
def redis_busy(world: World) -> Iterator[None]:
    """A script of somebody runs and runs: BUSY."""
    client = world.databases.client()
    client.config_set("busy-reply-threshold", "100")

    def hold() -> None:
        with suppress(redis.RedisError):
            client.eval("while true do end", 0)

    holding = threading.Thread(target=hold)
    holding.start()
    yield
    wait_until(lambda: script_ended(client), "the script is ended")
    holding.join()
    client.config_set("busy-reply-threshold", "5000")


def script_ended(client: Any) -> bool:
    try:
        client.script_kill()
    except redis.RedisError as error:
        return "NOTBUSY" in str(error)
    return False


@contextmanager
def picture_store_away(world: World) -> Iterator[None]:
    """A file is in its place."""
    folder = world.pictures
    aside = folder.with_suffix(".aside")
    folder.rename(aside)
    folder.touch()
    yield
    folder.unlink()
    aside.rename(folder)


@contextmanager
def picture_store_full(world: World) -> Iterator[None]:
    """No byte more: ENOSPC."""
    with world.volume.full():
        yield


@contextmanager
def skewed_clock(world: World) -> Iterator[None]:
    """Of two workers one is minutes ahead and one behind; then both are killed with all that they have in hand."""
    for worker in [worker for worker in world.stack.workers if worker.running]:
        worker.send(signal.SIGTERM)
        worker.wait(30)
    world.stack.workers.clear()
    for seconds in (SKEW, -SKEW):
        world.start_skewed_worker(seconds)
    world.stack.wait_ready()
    yield
    for worker in world.stack.workers:
        worker.kill()


@contextmanager
def worker_killed(world: World) -> Iterator[None]:
    worker = world.a_worker()
    worker.kill()
    yield
    world.replace_worker(worker)


@contextmanager
def all_workers_killed(world: World) -> Iterator[None]:
    dead = [worker for worker in world.stack.workers if worker.running]
    for worker in dead:
        worker.kill()
    yield
    for worker in dead:
        world.replace_worker(worker)


@contextmanager
def worker_ends_in_good_order(world: World) -> Iterator[None]:
    worker = world.a_worker()
    worker.send(signal.SIGTERM)
    yield
    worker.wait(30)
    world.replace_worker(worker)


@contextmanager
def worker_hangs(world: World) -> Iterator[None]:
    with stopped(world.a_worker()):
        yield


@contextmanager
def child_killed(world: World) -> Iterator[None]:
    for child in children_of(world.a_worker().pid):
        signal_quietly(child, signal.SIGKILL)
    yield


@contextmanager
def child_hangs(world: World) -> Iterator[None]:
    hanging = children_of(world.a_worker().pid)
    for child in hanging:
        signal_quietly(child, signal.SIGSTOP)
    yield
    for child in hanging:
        signal_quietly(child, signal.SIGCONT)


@contextmanager
def front_door_killed(world: World) -> Iterator[None]:
    rest = world.stack.rest
    if rest is not None:
        for child in children_of(rest.pid):
            signal_quietly(child, signal.SIGKILL)
        rest.kill()
    yield
    world.stack.start_rest()


def unavailable(world: World) -> dict[str, str]:
    """The faults that cannot be made on this machine, and why."""
    return {"picture_store_full": world.volume.why_not} if world.volume.why_not else {}


FAULTS: dict[str, Fault] = {
    fault.__name__: fault
    for fault in (
        broker_stopped,
        broker_killed,
        broker_memory_alarm,
        broker_unreachable,
        broker_connections_cut,
        broker_hears_nothing,
        broker_says_nothing,
        queue_deleted,
        redis_stopped,
        redis_killed,
        redis_hangs,
        redis_slow,
        redis_connections_cut,
        redis_cannot_save,
        redis_out_of_memory,
        redis_lacks_replicas,
        redis_read_only,
        redis_busy,
        picture_store_away,
        picture_store_full,
        skewed_clock,
        worker_killed,
        all_workers_killed,
        worker_ends_in_good_order,
        worker_hangs,
        child_killed,
        child_hangs,
        front_door_killed,
    )
}
