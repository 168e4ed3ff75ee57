"""The store's layout has a number, and the way from one to the next is gone step by step."""

from __future__ import annotations

import pytest

from facerec.adapters.redis import RedisDatabases, RedisJournal, RedisSchema
from facerec.adapters.redis.layout import OWN
from facerec.errors import ConfigError, Conflict
from facerec.services.migration import SCHEMA, check_schema, migrate


def test_an_old_store_is_brought_forward_and_a_step_that_was_cut_off_is_done_again(databases: RedisDatabases) -> None:
    schema, client = RedisSchema(databases), databases.client(OWN)
    client.set("old", "kept")
    assert schema.schema() == 1, "a store from before the number was written"

    def rename() -> None:
        if client.exists("old"):
            client.rename("old", "new")

    def break_down() -> None:
        raise ConnectionError("cut off")

    with pytest.raises(ConnectionError):
        list(migrate(schema, {1: rename, 2: break_down}, newest=3))
    assert (schema.schema(), client.get("new")) == (2, b"kept")
    assert list(migrate(schema, {1: rename, 2: lambda: client.set("third", "1")}, newest=3)) == [3]
    assert list(migrate(schema, {}, newest=3)) == []


def test_a_worker_refuses_a_store_that_it_does_not_know(databases: RedisDatabases) -> None:
    databases.client(OWN).set("schema", SCHEMA + 1)
    with pytest.raises(ConfigError, match="too old"):
        RedisJournal(databases).load()
    with pytest.raises(ConfigError, match="too old"):
        list(migrate(RedisSchema(databases), {}))
    with pytest.raises(ConfigError, match="facerec migrate"):
        check_schema(SCHEMA - 1)


def test_two_cannot_migrate_at_once(databases: RedisDatabases) -> None:
    schema = RedisSchema(databases)

    def overtaken() -> None:
        assert RedisSchema(databases).advance(1, 2)

    with pytest.raises(Conflict):
        list(migrate(schema, {1: overtaken}, newest=2))
    assert schema.schema() == 2
