"""Who has images."""

from __future__ import annotations

import logging

from facerec.adapters.redis.connection import RedisDatabases, mapped_errors
from facerec.adapters.redis.layout import OWN
from facerec.errors import BadParam
from facerec.identity import check_owner

log = logging.getLogger(__name__)


def known_owners(databases: RedisDatabases) -> list[str]:
    """Every owner that has or had images, sorted. What is no owner's name is passed over, and told in the log.

    Raises StoreUnavailable, InternalError.
    """
    with mapped_errors():
        found = databases.client(OWN).smembers("owners")
    return sorted(owner for text in found if (owner := _owner(text)))


def _owner(text: bytes) -> str | None:
    try:
        return check_owner(text.decode())
    except (BadParam, ValueError):
        log.error("the set owners holds %r, which is none", text[:100], extra={"action": "damaged_owner"})
        return None
