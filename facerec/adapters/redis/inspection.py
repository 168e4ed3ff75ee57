"""What the script `inspect` answers, as values; and the face records held against the document."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from facerec.audit import Fault, Inspection
from facerec.errors import InternalError
from facerec.identity import ticket_of
from facerec.records import unpack_face

_INVARIANTS = {
    "document": "documents",
    "counter": "documents",
    "state": "states",
    "name": "names",
    "faces": "faces",
    "link": "links",
    "residue": "unfinished",
    "stray": "strays",
    "withdrawal": "strays",
    "type": "types",
}


def inspection_of(owner: str, image_hash: str, reply: Sequence[Any], of_names: Iterable[Fault] = ()) -> Inspection:
    """The reply for one image. ``of_names`` are faults of its names that the reply leaves out."""
    position, state, ticket, crowded, found, records, links, _ = reply
    number = int(ticket) if ticket.isdigit() else 0
    faults = [*faults_of(owner, image_hash, found), *of_names]
    damage = next(_damages(number, records), None)
    if damage and not any(fault.kind == "faces" for fault in faults):
        faults.append(fault_of(owner, image_hash, "faces", image_hash, damage))
    return Inspection(
        owner=owner,
        hash=image_hash,
        # One that is no number is a fault of the journal, not of this image.
        position=int(position) if position.isdigit() else 0,
        state=state.decode(),
        ticket=number,
        crowded=bool(crowded),
        records=tuple(records),
        links={other.decode(): int(of) for other, of in links},
        faults=tuple(fault if fault.kind != "faces" else _with_digest(fault, records) for fault in faults),
    )


def faults_of(owner: str, image_hash: str, found: Sequence[Sequence[bytes]]) -> list[Fault]:
    return [
        fault_of(owner, image_hash, kind.decode(), subject.decode(), detail.decode()) for kind, subject, detail in found
    ]


def refused_inspection(owner: str, image_hash: str, reason: str) -> Inspection:
    """An image at which Redis could not even look."""
    fault = fault_of(owner, image_hash, "type", image_hash, reason)
    return Inspection(owner, image_hash, 0, "", 0, False, (), {}, (fault,))


def fault_of(
    owner: str, image_hash: str, kind: str, subject: str, detail: str, evidence: tuple[str, ...] = ()
) -> Fault:
    return Fault(_INVARIANTS[kind], kind, owner, image_hash, subject, detail, evidence)


def are_sound(ticket: int, records: Sequence[bytes]) -> bool:
    """Whether these can be the face records of the image with this ticket."""
    return next(_damages(ticket, records), None) is None


def _damages(ticket: int, records: Sequence[bytes]) -> Iterator[str]:
    last = -1
    for number, record in enumerate(records):
        try:
            found, face = unpack_face(record)
        except (InternalError, ValueError, struct.error) as error:
            yield f"face record {number}: {error}"
            continue
        # A face may have been removed from its image: the ids of the others stay as they were.
        if ticket_of(found) != ticket or found <= last:
            yield f"face record {number} has the id {found}, which is not one of ticket {ticket} in its turn"
        if not np.isfinite(face.encoding).all():
            yield f"face record {number} has an encoding that is no number"
        last = found


def _with_digest(fault: Fault, records: Sequence[bytes]) -> Fault:
    digest = hashlib.sha1(b"".join(records), usedforsecurity=False).hexdigest()
    return fault_of(fault.owner, fault.hash, fault.kind, fault.subject, fault.detail, (digest,))
