"""Pictures that plugins keep: under keys of their own, beside those of the photo that they belong to.

A key is ``<owner>/<yyyymmdd>/<photo hash>_<12 hex>_photo.jpeg``, or ``_thumb.jpeg``, or ``_norm.png``. The picture lies in the
image store at the place of the photo's image with ticket 0, older than every image: whatever erases the image erases it, and
it expires as all pictures do. The endings are those of the contract; a picture is served as the type that it is.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from facerec.errors import TooLarge
from facerec.identity import check_hash, check_owner
from facerec.ports import ImageStore, Place

ENDINGS = {"photo": "jpeg", "thumb": "jpeg", "norm": "png"}
_KEY = re.compile(r"([^/]+)/(\d{8})/([0-9a-f]{64})_([0-9a-f]{12})_(photo\.jpeg|thumb\.jpeg|norm\.png)")
_TICKET = 0


@dataclass(frozen=True, slots=True)
class Uploads:
    """``check`` raises UnsupportedImage, UnreadableImage or TooLarge for what is no picture; ``clock`` gives seconds since
    the epoch."""

    store: ImageStore
    check: Callable[[bytes], object]
    max_bytes: int
    clock: Callable[[], float]

    def key(self, owner: str, photo_hash: str, kind: str) -> str:
        """A key that nobody else has. Raises BadParam, ValueError for an unknown kind."""
        if kind not in ENDINGS:
            raise ValueError(f"a picture is one of {', '.join(ENDINGS)}")
        day = datetime.fromtimestamp(self.clock(), UTC).strftime("%Y%m%d")
        unique = secrets.token_hex(6)
        return f"{check_owner(owner)}/{day}/{check_hash(photo_hash)}_{unique}_{kind}.{ENDINGS[kind]}"

    def put(self, owner: str, key: str, picture: bytes) -> bool:
        """Keep a picture; False when the service keeps none.

        Raises ValueError for a key that is not the owner's, TooLarge, UnsupportedImage, UnreadableImage,
        ImageStoreUnavailable.
        """
        found = _found(owner, key)
        if found is None:
            raise ValueError("no key of this user: gen_ffupload_key makes them")
        if len(picture) > self.max_bytes:
            raise TooLarge(f"more than {self.max_bytes} bytes")
        self.check(picture)
        if self.store.kind == "none":
            return False
        place, name = found
        self.store.put(place, {name: picture})
        return True

    def get(self, owner: str, key: str) -> bytes | None:
        """The picture; None when there is none, or it is another owner's. Raises ImageStoreUnavailable."""
        found = _found(owner, key)
        return None if found is None else self.store.get(*found)

    def erase(self, owner: str, photo_hash: str) -> int:
        """Remove all that was uploaded for a photo; how many there were. Raises BadParam, ImageStoreUnavailable."""
        return self.store.erase(owner, check_hash(photo_hash), _TICKET)


def _found(owner: str, key: str) -> tuple[Place, str] | None:
    """Where a key of this owner leads to."""
    parts = _KEY.fullmatch(key)
    if parts is None or parts[1] != owner:
        return None
    _, day, photo_hash, unique, kind = parts.groups()
    return Place(owner, photo_hash, _TICKET), f"upload-{day}-{unique}-{kind}"
