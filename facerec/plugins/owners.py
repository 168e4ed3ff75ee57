"""On whose behalf a plugin asks."""

from __future__ import annotations

from typing import Final

from facerec.galleries import FaceBook
from facerec.identity import check_owner


class AllUsers:
    """The kind of `ALL_USERS`."""

    def __repr__(self) -> str:
        return "ALL_USERS"


ALL_USERS: Final = AllUsers()
"""Given as ``user``: the data of every owner."""
User = str | AllUsers


def owners_of(book: FaceBook, user: User) -> list[str]:
    """One owner, or for `ALL_USERS` everybody who has images. Raises BadParam for anything else, such as None or ``{}``."""
    return book.owners() if isinstance(user, AllUsers) else [check_owner(user)]
