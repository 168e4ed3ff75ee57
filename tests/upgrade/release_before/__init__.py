"""What the release before this one does to Redis: its own scripts, as far as they have changed since.

The other scripts are those of this release. At a release these are replaced: by the scripts that the next one changes.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from facerec.adapters.redis import RedisDatabases, RedisFaceBook, connection
from facerec.adapters.redis.connection import Argument
from facerec.adapters.redis.layout import OWN, prefix
from facerec.errors import Conflict, NotFound
from facerec.galleries import DEFAULT_GALLERY

_THEN = Path(__file__).parent
_NOW = Path(connection.__file__).parent / "scripts"
_NOT_YET: dict[str, object] = {"publish": b"0", "withdraw_names": (b"0", ())}
"""Scripts that the release before does not have: where this release calls them, it does nothing, as if all were done."""

_TOKENS = {"erase": 5}
"""Scripts to which this release sends the token of the call, at this place among the arguments; the one before sent none."""


class DatabasesBefore(RedisDatabases):
    """Redis as the release before sees it."""

    def call(self, script: str, *arguments: Argument) -> Any:
        return self.call_many(script, [arguments])[0]

    def call_many(self, script: str, calls: Sequence[Sequence[Argument]]) -> list[Any]:
        if script in _NOT_YET:
            return [_NOT_YET[script] for _ in calls]
        token = _TOKENS.get(script)
        sent = calls if token is None else [[*each[:token], *each[token + 1 :]] for each in calls]
        return [self.client().eval(_source(script), 0, *arguments) for arguments in sent]


class BookBefore(RedisFaceBook):
    """Galleries as the release before reads, makes and removes them."""

    def galleries(self, owner: str) -> list[str]:
        names = self._databases.client(OWN).zrange(f"{prefix(owner)}galleries", 0, -1)
        return [DEFAULT_GALLERY, *(name.decode() for name in names)]

    def has_gallery(self, owner: str, gallery: str) -> bool:
        return gallery in self.galleries(owner)

    def add_gallery(self, owner: str, gallery: str) -> None:
        if self._databases.call("findface_gallery", prefix(owner), "add", gallery) == b"exists":
            raise Conflict(f"there is a gallery {gallery} already")

    def remove_gallery(self, owner: str, gallery: str) -> None:
        if self._databases.call("findface_gallery", prefix(owner), "remove", gallery) == b"unknown":
            raise NotFound(f"there is no gallery {gallery}")


@cache
def _source(script: str) -> str:
    return "".join(_text(part) for part in ("common", *_parts(script), script))


def _parts(script: str) -> list[str]:
    found: list[str] = []
    for part in re.findall(r"^-- with: (\w+)$", _text(script), re.MULTILINE):
        found += [each for each in (*_parts(part), part) if each not in found]
    return found


def _text(script: str) -> str:
    then = _THEN / f"{script}.lua"
    return (then if then.exists() else _NOW / then.name).read_text(encoding="utf-8")
