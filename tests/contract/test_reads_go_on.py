"""What people look at is shown while Redis takes no writes: every route that only reads answers as before."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import redis
from flask import Flask
from werkzeug.routing import Rule

from facerec.adapters.redis import RedisAdmissions, RedisCommits, RedisDatabases, RedisJournal, RedisWorkers
from facerec.config import RabbitSettings, RestSettings, Settings
from facerec.identity import face_id
from facerec.jobs import ScanJob
from facerec.local.servers import RedisServer
from facerec.rule import ScanRule, to_scanned
from rest.app import create_app
from rest.wsgi import build_services
from tests.conftest import redis_settings_of
from tests.faces import analysis, scan_job
from tests.services_client import ServicesClient

NOBODY = 9
"""A port on which nothing listens."""


@pytest.fixture
def server(own_redis: RedisServer) -> Iterator[Any]:
    with redis.Redis.from_url(own_redis.url) as client:
        yield client


@pytest.fixture
def settings(own_redis: RedisServer) -> Settings:
    return Settings(
        redis=redis_settings_of(own_redis),
        rabbitmq=RabbitSettings(port=NOBODY, timeout=0.2),
        rest=RestSettings(rate_limit=1000.0, interactive_timeout=0.3),
    )


@pytest.fixture
def job(settings: Settings) -> Iterator[ScanJob]:
    """A finished image that another one matches, and a worker that lived."""
    databases = RedisDatabases(settings.redis)
    commits, admissions = RedisCommits(databases), RedisAdmissions(databases)
    rule = ScanRule(commits, RedisJournal(databases), 0.6)
    rule.load()
    jobs = [scan_job(admissions, name) for name in ("a.jpg", "b.jpg")]
    for job, start in zip(jobs, commits.begin(jobs), strict=True):
        rule.catch_up()
        rule.finish([to_scanned(job, start.image_ticket, analysis(0.0))])
    databases.client().sadd("workers", "expired")
    RedisWorkers(databases).alive("living", {}, 60.0)
    databases.client().sadd("workers", "expired")
    yield jobs[0]
    databases.close()


def paths(app: Flask, job: ScanJob) -> list[str]:
    """Of every route that reads, with what it may be asked for."""
    values = {"image": job.hash, "face": str(face_id(job.ticket, 0)), "person": "1", "user_id": "1", "contact_id": "2"}

    def path(rule: Rule) -> str:
        asked = {name: values.get(name, "x") for name in rule.arguments}
        return str(rule.build(asked)[1])  # type: ignore[index]

    rules = [rule for rule in app.url_map.iter_rules() if "GET" in (rule.methods or ())]
    # The answer of /events has no end.
    return sorted({path(rule) for rule in rules} - {"/events"} | {"/faces?person=none", "/images?name=a"})


def answers(settings: Settings, job: ScanJob) -> dict[str, int]:
    """The status of every answer."""
    databases = RedisDatabases(settings.redis)
    services = build_services(settings, databases)
    try:
        client = ServicesClient(services)
        found = {path: client.get(path).status_code for path in paths(create_app(services), job)}
        found["states"] = client.post("/images/states", json={"hashes": [job.hash]}).status_code
        return found
    finally:
        services.close()
        databases.close()


def refuse_by_memory(client: Any) -> None:
    client.config_set("maxmemory", "1")


def refuse_by_replicas(client: Any) -> None:
    client.config_set("min-replicas-to-write", "1")


def refuse_as_replica(client: Any) -> None:
    client.execute_command("REPLICAOF", "127.0.0.1", NOBODY)


@pytest.mark.parametrize("refuse", [refuse_by_memory, refuse_by_replicas, refuse_as_replica])
def test_every_route_that_reads_answers_as_before(refuse: Any, settings: Settings, job: ScanJob, server: Any) -> None:
    before = answers(settings, job)
    shown = ["/images", f"/images/{job.hash}", "/status", "/faces?person=none", "/users/1/faces", "states"]
    assert {path: before[path] for path in shown} == dict.fromkeys(shown, 200)
    assert 500 not in before.values()

    refuse(server)

    with pytest.raises(redis.ResponseError):
        server.set("a", "b")
    after = answers(settings, job)
    assert {path: status for path, status in after.items() if status != before[path]} == {}


def test_reads_wait_for_no_replica(settings: Settings, job: ScanJob) -> None:
    before = answers(settings, job)
    after = answers(replace(settings, redis=replace(settings.redis, replicas=1, timeout=0.5)), job)
    assert {path: status for path, status in after.items() if status != before[path]} == {}
