"""The composition root of the front end: the only place here that names concrete adapters."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from flask import Flask

from facerec.adapters.fetch import UrlFetcher
from facerec.adapters.imagestore import open_image_store
from facerec.adapters.memory.rates import MemoryRates
from facerec.adapters.rabbitmq import RabbitDeadLetters, RabbitJobPublisher, RabbitRequester, TopicLogs
from facerec.adapters.redis import (
    RedisAdmissions,
    RedisChanges,
    RedisContactAnswers,
    RedisDatabases,
    RedisErrands,
    RedisFaceBook,
    RedisJournal,
    RedisLetterIndex,
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
from facerec.engine.headers import probe
from facerec.logs import set_up_logs
from facerec.ports import Tokens
from facerec.services.analyser import Attributing, load_analyser
from facerec.services.contacts import ContactBooks
from facerec.services.contacts_scans import WorkerScans
from facerec.services.dead import DeadLetters, LetterBox
from facerec.services.enrolment import Enrolments
from facerec.services.erasure import Erasure, FaceRemoval
from facerec.services.identify import Identification
from facerec.services.lookup import Lookup
from facerec.services.matches import WorkerMatches
from facerec.services.persons import Persons
from facerec.services.pictures import Pictures
from facerec.services.regeneration import Regeneration
from facerec.services.uploads import Uploads
from facerec.services.write_check import write_checks
from rest.app import create_app
from rest.hub import EventHub
from rest.listener import request_threads
from rest.seats import SeatedRequester
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


class _Shared:
    """What several services stand on."""

    def __init__(self, settings: Settings, databases: RedisDatabases) -> None:
        patience = settings.rest.interactive_timeout
        self.hub = EventHub(RedisChanges(databases), settings.rest.event_streams)
        self.requester = SeatedRequester(RabbitRequester(settings.rabbitmq), request_threads(settings.rest))
        matches = WorkerMatches(self.requester, patience)
        self.admissions = RedisAdmissions(databases, matches)
        self.overview = RedisOverview(databases, matches)
        self.tokens = RedisTokens(databases, settings.rest.tokens_file)
        self.whereabouts = RedisWhereabouts(databases)
        self.workers = RedisWorkers(databases)
        self.people = RedisPeople(databases)
        self.book = RedisFaceBook(databases)
        self.images = open_image_store(settings.image_store)
        self.letters = LetterBox(RabbitDeadLetters(settings.rabbitmq), RedisLetterIndex(databases))
        self.fetcher = UrlFetcher(settings.rest)
        self.lookup = Lookup(self.requester, patience, time.time)
        self.enrolments = Enrolments(self.book, self.admissions, self.lookup, time.time, patience)
        self.identification = Identification(
            self.book, self.lookup, RedisJournal(databases), settings.findface.identify_strict
        )
        self.erasure = Erasure(
            admissions=self.admissions,
            overview=self.overview,
            errands=RedisErrands(databases),
            images=self.images,
            letters=self.letters,
        )


def build_services(settings: Settings, databases: RedisDatabases) -> Services:
    """The ports over RabbitMQ, Redis and the web. Raises ConfigError."""
    own = _Shared(settings, databases)
    findface = settings.findface
    return Services(
        settings=settings,
        admissions=own.admissions,
        publisher=RabbitJobPublisher(settings.rabbitmq),
        requester=own.requester,
        tokens=own.tokens,
        workers=own.workers,
        fetcher=own.fetcher,
        probe=probe,
        overview=own.overview,
        whereabouts=own.whereabouts,
        sessions=RedisSessions(databases, own.tokens),
        rates=RedisRates(databases, MemoryRates()),
        guesses=MemoryRates(),
        pictures=Pictures(own.images, own.whereabouts),
        writes=write_checks(own.admissions.check_writes, own.images),
        people=own.people,
        erasure=own.erasure,
        dead=DeadLetters(own.letters, own.admissions),
        findface=own.book,
        lookup=own.lookup,
        enrolments=own.enrolments,
        identification=own.identification,
        removal=FaceRemoval(own.book, own.erasure, settings.tolerance),
        uploads=_uploads(settings, own),
        persons=Persons(own.people, own.book, own.enrolments, own.identification, findface, time.time),
        attributing=Attributing(load_analyser(findface.analyser)),
        webhooks=RedisWebhooks(databases),
        hub=own.hub,
        regeneration=Regeneration(RedisRegeneration(databases), own.workers),
        contacts=_contacts(settings, databases, own),
    )


def _uploads(settings: Settings, own: _Shared) -> Uploads:
    return Uploads(
        own.images, lambda image: probe(image, settings.max_pixels), settings.rest.max_upload_bytes, time.time
    )


def _contacts(settings: Settings, databases: RedisDatabases, own: _Shared) -> ContactBooks:
    answers = RedisContactAnswers(databases)
    scans = WorkerScans(
        admissions=own.admissions,
        records=answers,
        fetcher=own.fetcher,
        probe=probe,
        requester=own.requester,
        max_pixels=settings.max_pixels,
    )
    return ContactBooks(answers, scans, parallel=max(1, settings.rest.threads // 2))


def build_tokens(settings: Settings) -> Tokens:
    """Who may call, for the check before the start. Raises ConfigError."""
    return RedisTokens(RedisDatabases(settings.redis), settings.rest.tokens_file)
