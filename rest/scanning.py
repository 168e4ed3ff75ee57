"""The promise of 202: refuse what is bad before it costs, then admit, publish, and only then say yes."""

from __future__ import annotations

import logging

from facerec.errors import Backpressure, BrokerUnavailable, StoreUnavailable
from facerec.identity import check_name, check_url, image_hash
from facerec.jobs import ScanJob
from rest.services import Services

log = logging.getLogger(__name__)

BACKPRESSURE_RETRY = 5
"""Seconds after which a client that met a full queue may come again."""


def scan_image(services: Services, owner: str, name: str, image: bytes) -> str:
    """Queue an image to be scanned; its hash. When this returns the broker has confirmed the job, or the image is done.

    Raises BadParam, TooLarge, UnsupportedImage, UnreadableImage, Backpressure, BrokerUnavailable, StoreUnavailable.
    """
    check_name(name)
    services.probe(image, services.settings.max_pixels)
    check_queue(services)
    return _submit(services, owner, name, image)


def scan_url(services: Services, owner: str, url: str) -> str:
    """As `scan_image`, for the image behind a URL, which is not fetched when it was scanned to the end before.

    Raises ForbiddenUrl, FetchFailed and FetchTimeout as well.
    """
    check_url(url)
    known = services.admissions.known_url(owner, url)
    if known is not None:
        return known
    check_queue(services)
    image = services.fetcher.fetch(url)
    services.probe(image, services.settings.max_pixels)
    return _submit(services, owner, url, image)


def check_queue(services: Services) -> None:
    """Raises Backpressure when too many jobs wait, BrokerUnavailable."""
    limit = services.settings.rest.queue_limit
    if services.publisher.depth() >= limit:
        raise Backpressure(f"{limit} images wait to be scanned; come again later", BACKPRESSURE_RETRY)


def _submit(services: Services, owner: str, name: str, image: bytes) -> str:
    digest = image_hash(image)
    now = services.clock()
    admission = services.admissions.announce(owner, digest, name, now)
    if admission.state == "done":
        return digest
    job = ScanJob(owner, digest, name, admission.ticket, now, image)
    try:
        services.publisher.publish(job)
    except BrokerUnavailable:
        _withdraw(services, job)
        raise
    return digest


def _withdraw(services: Services, job: ScanJob) -> None:
    try:
        services.admissions.withdraw(job)
    except StoreUnavailable:
        # The workers find out in a while that nobody has this job, and the image ends as failed.
        log.warning("image %s is announced, and the broker did not take it", job.hash)
