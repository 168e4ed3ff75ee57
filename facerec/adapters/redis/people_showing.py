"""Faces of a person that was named or hidden leave those of unknown persons, and come back later, in steps that are each short.

The first step changes the person; what is left is gone on with by who changed it, and by an errand of the workers when that one
died. Until then a list of unknown faces may have some that are not, or lack some that are.
"""

from __future__ import annotations

from facerec.adapters.redis.connection import RedisDatabases
from facerec.adapters.redis.layout import prefix


def finish_showing(databases: RedisDatabases, owner: str, _subject: str = "") -> None:
    """Raises StoreUnavailable."""
    while databases.call("people_show", prefix(owner)):
        pass
