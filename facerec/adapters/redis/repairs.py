"""Repairing what an audit found: each repair looks first whether the fault is still there, in atomic scripts."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from facerec.adapters.redis.connection import Argument, RedisDatabases, mapped_errors
from facerec.adapters.redis.contacts_check import mend_contacts
from facerec.adapters.redis.findface_removal import finish_removal
from facerec.adapters.redis.inspection import are_sound
from facerec.adapters.redis.journal import decode_entry
from facerec.adapters.redis.layout import JOURNAL_LENGTH, OWN, SWITCHED, prefix
from facerec.adapters.redis.names import repair_name, withdraw_names
from facerec.adapters.redis.people_check import mend_people
from facerec.audit import Fault
from facerec.errors import FacerecError
from facerec.identity import ticket_of

_MEND = {"people": mend_people, "contacts": mend_contacts}
_FINISH = {"removal": finish_removal, "withdrawal": withdraw_names}


class RedisRepairs:
    """`facerec.audit.Repairs` over Redis. ``clock`` gives seconds since the epoch."""

    def __init__(self, databases: RedisDatabases, clock: Callable[[], float] = time.time) -> None:
        self._databases = databases
        self._clock = clock

    def repair(self, fault: Fault) -> bool:
        match fault.kind:
            case "document" | "counter" | "state" | "residue":
                self._repair_image("repair_image", fault)
            case "ticket":
                self._repair_image("repair_ticket", fault, fault.subject)
            case "name":
                repair_name(self._databases, fault.owner, fault.subject, [fault.hash] if fault.hash else [])
            case "faces":
                self._repair_image("repair_faces", fault, *fault.evidence, *self._sound_records(fault))
            case "stray":
                self._databases.call("repair_stray", *fault.evidence, fault.subject, fault.owner, JOURNAL_LENGTH)
            case "journal":
                self._databases.call("repair_journal", fault.subject)
            case "gallery":
                ticket = ticket_of(int(fault.subject or 0))
                self._databases.call("repair_gallery", prefix(fault.owner), fault.subject, ticket, *fault.evidence)
            case "removal" | "withdrawal":
                _FINISH[fault.kind](self._databases, fault.owner, fault.subject)
            case kind if kind in _MEND:
                _MEND[kind](self._databases, fault)
            case _:
                return False
        return True

    def set_link(self, owner: str, one: str, other: str, wanted: bool, position: int) -> bool:
        reply = self._databases.call("repair_link", prefix(owner), position, one, other, int(wanted))
        return bool(reply == b"ok")

    def _repair_image(self, script: str, fault: Fault, *more: Argument) -> None:
        image = (fault.owner, prefix(fault.owner), fault.hash)
        self._databases.call(script, *image, f"{self._clock():.6f}", JOURNAL_LENGTH, *more)
        withdraw_names(self._databases, fault.owner, fault.hash)

    def _sound_records(self, fault: Fault) -> Sequence[bytes]:
        """The face records of an image as the journal still has them; none when it has not, or not whole."""
        client = self._databases.client(OWN)
        with mapped_errors():
            which = "other_position" if client.exists(SWITCHED) else "position"
            ticket, position = client.hmget(f"{prefix(fault.owner)}image:{fault.hash}", "ticket", which)
            found = client.xrange("journal", min=b"%b-0" % position, max=b"%b-0" % position) if position else []
        if not found or not ticket:
            return ()
        try:
            entry = decode_entry(*found[0])
        except (FacerecError, KeyError, ValueError):
            return ()
        is_its_own = entry.operation in {"add", "aside"} and entry.image_ticket == int(ticket)
        return entry.records if is_its_own and are_sound(int(ticket), entry.records) else ()
