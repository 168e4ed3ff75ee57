"""Webhooks of owners, and what they are still to be told."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from facerec.adapters.redis.connection import RedisDatabases, mapped_errors
from facerec.adapters.redis.layout import OWN, owner_and_rest, prefix
from facerec.ports import Notice

log = logging.getLogger(__name__)


class RedisWebhooks:
    """`facerec.ports.Webhooks` over Redis."""

    def __init__(self, databases: RedisDatabases) -> None:
        self._databases = databases

    def set(self, owner: str, url: str, secret: str) -> None:
        key = f"{prefix(owner)}webhook"
        with mapped_errors(), self._databases.client(OWN).pipeline() as pipeline:
            pipeline.delete(key)
            pipeline.hset(key, mapping={"url": url, "secret": secret})
            pipeline.execute()

    def get(self, owner: str) -> dict[str, str] | None:
        with mapped_errors():
            found = self._databases.client(OWN).hgetall(f"{prefix(owner)}webhook")
        return {name.decode(): value.decode() for name, value in found.items()} if found else None

    def remove(self, owner: str) -> bool:
        with mapped_errors():
            return bool(self._databases.client(OWN).delete(f"{prefix(owner)}webhook"))

    def due(
        self, limit: int, lease: float, each: int | None = None, calling: Mapping[str, int] | None = None
    ) -> Sequence[Notice]:
        under_way = [part for owner, count in (calling or {}).items() for part in (prefix(owner), count)]
        found, damaged = self._databases.call("webhook_due", limit, lease, each or limit, *under_way)
        for p in map(bytes.decode, damaged):
            owner, _ = owner_and_rest(p)
            log.error(
                "nobody is told of the images of %s: its keys of webhooks are of a wrong type: run facerec fsck",
                owner,
                extra={"action": "damaged_records", "owner": owner},
            )
        return [_notice(*entry) for entry in found]

    def settle(self, notice: Notice, status: int | None, error: str) -> None:
        self._end(notice, "", _now(), status, error)

    def skip(self, notice: Notice) -> None:
        self._end(notice, "", "", None, "")

    def postpone(self, notice: Notice, seconds: float, status: int | None, error: str) -> None:
        self._end(notice, f"{seconds:.3f}", _now(), status, error)

    def _end(self, notice: Notice, seconds: str, at: str, status: int | None, error: str) -> None:
        p = prefix(notice.owner)
        member = f"{p}{notice.state}:{notice.hash}"
        shown = "" if status is None else status
        self._databases.call("webhook_end", p, member, notice.claim, seconds, at, shown, error[:500])


def _now() -> str:
    return datetime.now(UTC).isoformat()


def _notice(member: bytes, attempt: int, claim: bytes, url: bytes, secret: bytes) -> Notice:
    owner, rest = owner_and_rest(member.decode())
    state, _, image_hash = rest.partition(":")
    return Notice(owner, image_hash, state, int(attempt), claim.decode(), url.decode(), secret.decode())
