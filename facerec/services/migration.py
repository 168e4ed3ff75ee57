"""From one layout of the store to the next, step by step, while nothing else writes.

The layout has a number, the schema. A store without one has the first. A worker refuses a store whose schema is not its
own; `facerec migrate` brings the store forward. Each step bears being done twice: one that was cut off is done again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Protocol

from facerec.errors import ConfigError, Conflict

SCHEMA = 1
"""What this release reads and writes; `facerec.adapters.redis.layout` describes it."""


class SchemaStore(Protocol):
    """Where the number is. Every method may raise StoreUnavailable."""

    def schema(self) -> int: ...

    def advance(self, known: int, to: int) -> bool:
        """Write ``to`` in one atomic step, unless the number is not ``known`` any more."""


Steps = Mapping[int, Callable[[], None]]
"""Schema -> what makes the next one of it."""


def check_schema(found: int) -> None:
    """Raises ConfigError unless a store of this schema is one that this release knows."""
    if found < SCHEMA:
        raise ConfigError(f"the store has schema {found}, this release {SCHEMA}: run 'facerec migrate'")
    if found > SCHEMA:
        raise ConfigError(f"the store has schema {found}, and this release knows {SCHEMA} at most: it is too old")


def migrate(store: SchemaStore, steps: Steps, newest: int = SCHEMA) -> Iterator[int]:
    """Do the steps that are missing; yields each schema that is reached.

    Raises ConfigError for a store that is newer than this release, Conflict when somebody else migrates at the same time.
    """
    found = store.schema()
    if found > newest:
        check_schema(found)
    while found < newest:
        steps[found]()
        if not store.advance(found, found + 1):
            raise Conflict("somebody else migrates this store; try again when that is done")
        found += 1
        yield found
