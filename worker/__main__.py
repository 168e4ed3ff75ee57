"""``python -m worker``: the composition root of a worker; the only place here that names concrete adapters."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from facerec import __version__
from facerec.adapters.fetch import UrlFetcher
from facerec.adapters.imagestore import open_image_store
from facerec.adapters.rabbitmq import RabbitConsumer, RabbitDeadLetters, RabbitJobPublisher, TopicLogs
from facerec.adapters.redis import (
    RedisAside,
    RedisCommits,
    RedisContactAnswers,
    RedisDatabases,
    RedisErrands,
    RedisGallerySets,
    RedisGrouping,
    RedisJournal,
    RedisLetterIndex,
    RedisOverview,
    RedisRegeneration,
    RedisWebhooks,
    RedisWorkers,
)
from facerec.config import Settings, load_settings
from facerec.engine.memory import one_heap
from facerec.engine.options import EngineOptions
from facerec.errors import FacerecError
from facerec.logs import set_up_logs
from facerec.rule import ScanRule
from facerec.services.contacts_sweep import Sweeper
from facerec.services.dead import LetterBox
from facerec.services.webhooks import Courier
from facerec.services.write_check import write_checks
from worker.app import Worker
from worker.grouper import Grouper
from worker.keeper import Keeping
from worker.metrics import WorkerMetrics
from worker.parts import Surroundings
from worker.pool import EnginePool
from worker.postman import AT_ONCE

log = logging.getLogger(__name__)
DAY = 86400.0


def child_settings(settings: Settings) -> dict[str, Any]:
    """What an engine child must know; no secrets."""
    own = settings.worker
    options = EngineOptions(
        detect_max_area=own.detect_max_area,
        max_pixels=settings.max_pixels,
        upsample=own.upsample,
        smallest_face=own.smallest_face,
        jitter=own.jitter,
        min_confidence=own.min_confidence,
        quality_filter=own.quality_filter,
        chips=settings.image_store != "none",
    )
    return {
        "engine": own.engine,
        "model": settings.model.value,
        "device": own.device,
        "cache": str(own.model_cache),
        "options": asdict(options),
    }


def cores() -> int:
    """Those that this process may use; only on Linux can they be fewer than the machine has."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def build(settings: Settings, name: str) -> Worker:
    """A worker over RabbitMQ and Redis; nothing connects before it runs."""
    databases = RedisDatabases(settings.redis)
    own = settings.worker
    processes = own.processes or cores()

    def pool(crashed: Callable[[], None]) -> EnginePool:
        return EnginePool(child_settings(settings), processes, own.reserved, own.job_time_limit, crashed)

    letters = RedisLetterIndex(databases)
    letter_box = LetterBox(RabbitDeadLetters(settings.rabbitmq), letters)
    commits = RedisCommits(databases, claim=settings.worker.lost_after)
    pictures = open_image_store(settings.image_store)
    around = Surroundings(
        name=name,
        settings=settings,
        consumer=RabbitConsumer(
            settings.rabbitmq, prefetch=settings.worker.prefetch, interactive_prefetch=2 * processes
        ),
        publisher=RabbitJobPublisher(settings.rabbitmq),
        commits=commits,
        rule=ScanRule(commits, RedisJournal(databases), settings.tolerance),
        pool=pool,
        workers=RedisWorkers(databases),
        metrics=WorkerMetrics(),
        letters=letters,
        letter_box=letter_box,
        writes=write_checks(databases.check_writes, pictures),
        aside=RedisAside(databases),
        steps=RedisRegeneration(databases),
        galleries=RedisGallerySets(databases),
        grouper=lambda committer, crashed: Grouper(
            name,
            store=RedisGrouping(databases),
            journal=RedisJournal(databases),
            committer=committer,
            crashed=crashed,
        ),
        keeping=Keeping(
            store=pictures,
            errands=RedisErrands(databases),
            retention=settings.image_retention_days * DAY,
            sweep=Sweeper(RedisContactAnswers(databases)).sweep,
            letters=letter_box.tidy,
        ),
        courier=Courier(RedisWebhooks(databases), RedisOverview(databases), UrlFetcher(settings.rest, at_once=AT_ONCE)),
    )
    return Worker(around)


def run(settings: Settings) -> int:
    """Work until SIGTERM or SIGINT; returns the exit status."""
    topic = TopicLogs(settings.rabbitmq)
    set_up_logs("worker", settings.log_level, topic)
    worker = build(settings, f"{socket.gethostname()}-{os.getpid()}")
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: worker.stop())
    try:
        return 0 if worker.run() else 1
    finally:
        topic.close()


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m worker", description="Finds the faces of queued pictures.")
    parser.add_argument("--version", action="version", version=f"facerec {__version__}")
    parser.parse_args(arguments)
    one_heap()
    try:
        return run(load_settings())
    except FacerecError as error:
        print(f"{error.code}: {error.reason}", file=sys.stderr)  # noqa: T201 - logs may not be set up
        return 1


if __name__ == "__main__":
    sys.exit(main())
