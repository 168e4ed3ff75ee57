"""The composition root of the front end: the only place here that names concrete adapters."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from flask import Flask

from facerec.adapters.fetch import UrlFetcher
from facerec.adapters.imagestore import open_image_store
from facerec.adapters.rabbitmq import RabbitDeadLetters, RabbitJobPublisher, RabbitRequester, TopicLogs
from facerec.adapters.redis import (
    RedisAdmissions,
    RedisChanges,
    RedisContactAnswers,
    RedisDatabases,
    RedisErrands,
    RedisFaceBook,
    RedisJournal,
    RedisOverview,
    RedisPeople,
    RedisRates,
    RedisRegeneration,
    RedisSessions,
    RedisTokens,
    RedisWebhooks,
    RedisWhereabouts,
    RedisWorkers,
)
from facerec.config import Settings
from facerec.engine.pictures import probe
from facerec.logs import set_up_logs
from facerec.ports import Tokens
from facerec.services.analyser import Attributing, load_analyser
from facerec.services.contacts import ContactBooks
from facerec.services.contacts_scans import WorkerScans
from facerec.services.dead import DeadLetters
from facerec.services.enrolment import Enrolments
from facerec.services.erasure import Erasure, FaceRemoval
from facerec.services.identify import Identification
from facerec.services.lookup import Lookup
from facerec.services.matches import WorkerMatches
from facerec.services.persons import Persons
from facerec.services.pictures import Pictures
from facerec.services.regeneration import Regeneration
from facerec.services.uploads import Uploads
from rest.app import create_app
from rest.hub import EventHub
from rest.services import Services


def build(settings: Settings, metrics_folder: Path | None) -> tuple[Flask, Callable[[], None]]:
    """The app of one process, with its logs set up, and what closes everything it opened. Raises ConfigError.

    Nothing connects before it is used.
    """
    topic = TopicLogs(settings.rabbitmq)
    set_up_logs("rest", settings.log_level, topic)
    databases = RedisDatabases(settings.redis)
    services = build_services(settings, databases)

    def close() -> None:
        services.close()
        databases.close()
        topic.close()

    return create_app(services, metrics_folder), close


def build_services(settings: Settings, databases: RedisDatabases) -> Services:
    """The ports over RabbitMQ, Redis and the web. Raises ConfigError."""
    requester = RabbitRequester(settings.rabbitmq)
    matches = WorkerMatches(requester, settings.rest.interactive_timeout)
    admissions = RedisAdmissions(databases, matches)
    tokens = RedisTokens(databases, settings.rest.tokens_file)
    overview = RedisOverview(databases, matches)
    whereabouts = RedisWhereabouts(databases)
    images = open_image_store(settings.image_store)
    letters = RabbitDeadLetters(settings.rabbitmq)
    book = RedisFaceBook(databases)
    lookup = Lookup(requester, settings.rest.interactive_timeout, time.time)
    fetcher = UrlFetcher(settings.rest)
    contacts = RedisContactAnswers(databases)
    workers = RedisWorkers(databases)
    own = settings.findface
    people = RedisPeople(databases)
    erasure = Erasure(
        admissions=admissions, overview=overview, errands=RedisErrands(databases), images=images, letters=letters
    )
    enrolments = Enrolments(book, admissions, lookup, time.time, settings.rest.interactive_timeout)
    identification = Identification(book, lookup, RedisJournal(databases), own.identify_strict)
    scans = WorkerScans(
        admissions=admissions,
        records=contacts,
        fetcher=fetcher,
        probe=probe,
        requester=requester,
        max_pixels=settings.max_pixels,
    )
    return Services(
        settings=settings,
        admissions=admissions,
        publisher=RabbitJobPublisher(settings.rabbitmq),
        requester=requester,
        tokens=tokens,
        workers=workers,
        fetcher=fetcher,
        probe=probe,
        overview=overview,
        whereabouts=whereabouts,
        sessions=RedisSessions(databases, tokens),
        rates=RedisRates(databases),
        pictures=Pictures(images, whereabouts),
        people=people,
        erasure=erasure,
        dead=DeadLetters(letters, admissions),
        findface=book,
        lookup=lookup,
        enrolments=enrolments,
        identification=identification,
        removal=FaceRemoval(book, erasure, settings.tolerance),
        uploads=Uploads(
            images, lambda image: probe(image, settings.max_pixels), settings.rest.max_upload_bytes, time.time
        ),
        persons=Persons(people, book, enrolments, identification, own, time.time),
        attributing=Attributing(load_analyser(own.analyser)),
        webhooks=RedisWebhooks(databases),
        hub=EventHub(RedisChanges(databases), settings.rest.event_streams),
        regeneration=Regeneration(RedisRegeneration(databases), RedisWorkers(databases)),
        contacts=ContactBooks(contacts, scans, parallel=max(1, settings.rest.threads // 2)),
    )


def build_tokens(settings: Settings) -> Tokens:
    """Who may call, for the check before the start. Raises ConfigError."""
    return RedisTokens(RedisDatabases(settings.redis), settings.rest.tokens_file)
