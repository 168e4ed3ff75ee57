"""Images that a call brought and that no contact needs, because the call was refused, deleted faces, or died midway.

The call itself and the next call of its user settle them. When a user never calls again, `Sweeper` does, which workers run
now and then (`worker.keeper`). Everything else that a dead call leaves expires by itself: the lease of its turn.
"""

from __future__ import annotations

import logging
import uuid

from facerec.errors import InternalError
from facerec.services.contacts_store import ContactStore, Turn
from facerec.services.contacts_turns import LEASE

log = logging.getLogger(__name__)
USERS_AT_ONCE = 100


def settle(store: ContactStore, turn: Turn) -> int:
    """Erase the images that contacts alone brought and that none needs any more; how many. Raises StoreUnavailable."""
    return sum(store.discard(turn, image) for image in store.loose(turn))


class Sweeper:
    """Settles what calls left that died."""

    def __init__(self, store: ContactStore, lease: float = LEASE) -> None:
        self._store = store
        self._lease = lease

    def sweep(self) -> int:
        """How many images were erased. Users that have a call under way are left to it. Raises StoreUnavailable."""
        erased = sum(self._try(owner, user) for owner, user in self._store.unsettled(USERS_AT_ONCE))
        if erased:
            log.info("%d images of calls that died were erased", erased, extra={"action": "contacts_swept"})
        return erased

    def _try(self, owner: str, user_id: int) -> int:
        """One user whose keys are damaged keeps no other waiting: `facerec fsck` names them."""
        try:
            return self.sweep_user(owner, user_id)
        except InternalError as error:
            log.error(
                "contacts of user %d: %s", user_id, error.reason, extra={"action": "sweep_refused", "owner": owner}
            )
            return 0

    def sweep_user(self, owner: str, user_id: int) -> int:
        """As `sweep`, for one user."""
        turn = Turn(owner, user_id, uuid.uuid4().hex)
        if not self._store.take_turn(turn, self._lease):
            return 0
        try:
            return settle(self._store, turn)
        finally:
            self._store.end_turn(turn)
