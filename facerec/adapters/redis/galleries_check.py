"""The invariants of galleries: what `facerec fsck` checks of them.

Each face of a finished image is in the default gallery or among the bystanders; it is in the other galleries, and under the
meta, that are said of it, and in no others; whatever is in a gallery is a face of a finished image; the counts by meta add up;
the removal of a gallery is finished.
Each look is one short script, so what it finds is true although others write.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from facerec.adapters.redis.connection import Argument, RedisDatabases, mapped_errors
from facerec.adapters.redis.findface_sets import gallery_key
from facerec.adapters.redis.layout import OWN, owner_and_rest, prefix
from facerec.audit import Fault
from facerec.errors import InternalError
from facerec.galleries import DEFAULT_GALLERY
from facerec.identity import FACES_PER_IMAGE, ticket_of

_AT_ONCE = 100
_PAGE = 1000
_BYSTANDERS = "hidden"


def gallery_faults(databases: RedisDatabases, owners: Sequence[str]) -> Iterator[Fault]:
    """What is wrong with the galleries of these owners. Raises StoreUnavailable."""
    sets = _sets(databases, owners)
    for owner in owners:
        check = _Check(databases, owner)
        yield from check.images()
        for name in sorted(sets[owner]):
            yield from check.members(name)
        yield from check.removals()


def _sets(databases: RedisDatabases, owners: Sequence[str]) -> dict[str, set[str]]:
    """By owner: names of the galleries, of the bystanders' set, and ``meta:<meta>`` for each meta."""
    found = {owner: {DEFAULT_GALLERY, _BYSTANDERS} for owner in owners}
    client = databases.client(OWN)
    with mapped_errors():
        for key in client.scan_iter(count=_PAGE, _type="zset"):
            owner, rest = owner_and_rest(key.decode(errors="replace"))
            if owner in found and rest.startswith(("gallery:", "meta:")):
                found[owner].add(rest.removeprefix("gallery:"))
    return found


class _Check:
    def __init__(self, databases: RedisDatabases, owner: str) -> None:
        self._databases = databases
        self._owner = owner
        self._p = prefix(owner)

    def images(self) -> Iterator[Fault]:
        """Faces of finished images that are not where they should be."""
        for page in self._pages(f"{self._p}images"):
            yield from self._asked("images", page)

    def members(self, name: str) -> Iterator[Fault]:
        """Members of a set that should not be there."""
        is_gallery = name != _BYSTANDERS and not name.startswith("meta:")
        for page in self._pages(gallery_key(self._p, name) if is_gallery else f"{self._p}{name}"):
            items: list[Argument] = []
            for text in page:
                if not text.isdecimal():
                    yield Fault("galleries", "type", self._owner, "", text, f"{text!r} in {name} is no face")
                    continue
                face = int(text)
                items += [face, ticket_of(face), face % FACES_PER_IMAGE]
            yield from self._asked("members", [name, *items], name)
        if is_gallery:
            yield from self._asked("gallery", [name], name)

    def removals(self) -> Iterator[Fault]:
        """Those that were not finished while everything else was looked at."""
        with mapped_errors():
            names = self._databases.client(OWN).zrangebyscore(f"{self._p}galleries", "-inf", "(0")
        for name in (name.decode(errors="replace") for name in names):
            detail = f"the removal of the gallery {name} is not finished"
            yield Fault("galleries", "removal", self._owner, "", name, detail)

    def _asked(self, what: str, arguments: Sequence[Argument], evidence: str = "") -> Iterator[Fault]:
        try:
            found = self._databases.read("galleries_check", self._p, what, *arguments)
        except InternalError as error:
            # A key of a wrong type stops the script: find out whose it is.
            if what == "images" and len(arguments) > 1:
                for image_hash in arguments:
                    yield from self._asked(what, [image_hash])
            else:
                subject = str(arguments[0])
                yield Fault("types", "type", self._owner, "", subject, f"cannot be looked at: {error.reason}")
            return
        for face, detail in found:
            subject = face.decode(errors="replace")
            text = f"face {subject} {detail.decode(errors='replace')}" if subject else detail.decode(errors="replace")
            yield Fault("galleries", "gallery", self._owner, "", subject, text, (evidence,))

    def _pages(self, key: str) -> Iterator[list[str]]:
        with mapped_errors():
            members = [
                member.decode(errors="replace")
                for member, _ in self._databases.client(OWN).zscan_iter(key, count=_PAGE)
            ]
        for start in range(0, len(members), _AT_ONCE):
            yield members[start : start + _AT_ONCE]
