"""The persons of an owner: look at them, name them, correct them, and take it back."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol
from urllib.parse import parse_qsl, urlsplit

from facerec.client.transport import Call

Document = dict[str, Any]
PAGE = 500


class Calls(Protocol):
    """`facerec.client.Client.call`."""

    def __call__(self, call: Call, *, once: bool = False) -> Any: ...


class People:
    """`facerec.client.Client.people`. Persons and faces are named by their ids, which are numbers. Raises as the client does."""

    def __init__(self, call: Calls) -> None:
        self._call = call

    def list(self, named: bool | None = None, name: str | None = None, *, hidden: bool = False) -> Iterator[Document]:
        """The persons, most faces first: all, those with (or without) a name, or those whose name begins with ``name``."""
        query: dict[str, str | int] = {"limit": PAGE}
        query |= {} if named is None else {"named": str(named).lower()}
        query |= {} if name is None else {"name": name}
        query |= {"hidden": "true"} if hidden else {}
        return self._pages("/people", query, lambda answer: answer)

    def get(self, person: int) -> Document:
        """A person. Raises Missing."""
        answer: Document = self._call(Call("GET", f"/people/{person}", query={"limit": 1}))
        return {name: value for name, value in answer.items() if name != "page"}

    def faces(self, person: int) -> Iterator[Document]:
        """The person's faces, newest picture first. Raises Missing."""
        return self._pages(f"/people/{person}", {"limit": PAGE}, lambda answer: answer["page"])

    def unknown(self) -> Iterator[Document]:
        """The faces that nobody named, those of the largest group first."""
        return self._pages("/faces", {"person": "none", "limit": PAGE}, lambda answer: answer)

    def name(self, person: int, name: str) -> Document:
        """Name the person; an empty name removes it. The person."""
        return dict(self._call(Call("PATCH", f"/people/{person}", json={"name": name})))

    def merge(self, person: int, into: int, name: str | None = None) -> Document:
        """All faces of ``person`` become those of ``into``, who is returned with the faces that somebody had said otherwise of.

        ``name`` is needed when both have one and they differ; else the service refuses with CONFLICT.
        """
        wish = {"into": into} | ({} if name is None else {"name": name})
        return dict(self._call(Call("POST", f"/people/{person}/merge", json=wish), once=True))

    def split(self, person: int, faces: Sequence[int]) -> Document:
        """Some of the person's faces become a new person, who is returned."""
        return dict(self._call(Call("POST", f"/people/{person}/split", json={"faces": [*faces]}), once=True))

    def reject(self, person: int, faces: Sequence[int]) -> None:
        """These faces are not this person, and never will be."""
        self._call(Call("POST", f"/people/{person}/not", json={"faces": [*faces]}), once=True)

    def undo(self) -> Document:
        """Take back the newest of the changes; what it was. Raises Missing when there is none."""
        return dict(self._call(Call("POST", "/people/undo"), once=True))

    def _pages(self, path: str, query: dict[str, str | int], page_in: Callable[[Any], Any]) -> Iterator[Document]:
        while True:
            page = page_in(self._call(Call("GET", path, query=query)))
            yield from page["results"]
            if not page["next_page"]:
                return
            query = dict(parse_qsl(urlsplit(page["next_page"]).query, keep_blank_values=True))
