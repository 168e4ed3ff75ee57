"""Every fault that must lose nothing, by name. Each holds for as long as its ``with`` block."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from benchmarks.ledger.world import World, children_of, kill_quietly, stopped
from facerec.topology import SCAN_QUEUE

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
        kill_quietly(child)
    yield


@contextmanager
def front_door_killed(world: World) -> Iterator[None]:
    rest = world.stack.rest
    if rest is not None:
        for child in children_of(rest.pid):
            kill_quietly(child)
        rest.kill()
    yield
    world.stack.start_rest()


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
        worker_killed,
        all_workers_killed,
        worker_ends_in_good_order,
        worker_hangs,
        child_killed,
        front_door_killed,
    )
}
