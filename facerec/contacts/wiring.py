"""The composition root of the Python module: the only place here that names concrete adapters."""

from __future__ import annotations

from facerec.adapters.fetch import UrlFetcher
from facerec.adapters.rabbitmq import RabbitRequester
from facerec.adapters.redis import RedisAdmissions, RedisContactAnswers, RedisDatabases
from facerec.config import Settings, load_settings
from facerec.engine.headers import probe
from facerec.services.contacts import ContactBooks
from facerec.services.contacts_scans import WorkerScans


def build(settings: Settings | None = None) -> ContactBooks:
    """The contacts of every owner over RabbitMQ, Redis and the web; nothing connects before it is used. Raises ConfigError."""
    settings = settings or load_settings()
    databases = RedisDatabases(settings.redis)
    store = RedisContactAnswers(databases)
    scans = WorkerScans(
        admissions=RedisAdmissions(databases),
        records=store,
        fetcher=UrlFetcher(settings.rest),
        probe=probe,
        requester=RabbitRequester(settings.rabbitmq),
        max_pixels=settings.max_pixels,
    )
    return ContactBooks(store, scans, parallel=max(1, settings.rest.threads // 2))
