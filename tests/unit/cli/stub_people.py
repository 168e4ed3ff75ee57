"""The part of the stub service that knows persons."""

from __future__ import annotations

from typing import Any

Answer = tuple[int, Any, dict[str, str]]


def error(status: int, code: str, retry_after: int | None = None, **more: object) -> Answer:
    """An answer in the error shape."""
    headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
    return status, {"code": code, "reason": f"the reason of {code}", **more}, headers


class StubPeople:
    """Some persons: id -> name and faces. Pages are of ``page`` entries, whatever is asked for."""

    def __init__(self) -> None:
        self.persons: dict[int, tuple[str | None, list[int]]] = {7: ("Ada", [1, 2, 3]), 9: (None, [4])}
        self.rejected: list[Any] = []
        self.page = 2
        self.newest: dict[str, Any] = {"operation": "merge", "persons": [7, 9], "faces": 1}

    def answer(self, method: str, path: str, query: dict[str, str], wish: Any) -> Answer:
        _, kind, *rest = path.split("/")
        if kind == "faces":
            faces = [face | {"group_size": 1, "person": 9} for face in map(self._face, self.persons[9][1])]
            return 200, self._paged("/faces", faces, query), {}
        if not rest:
            wanted = [
                each for each in self.persons if query.get("named") in {None, str(bool(self.persons[each][0])).lower()}
            ]
            return 200, self._paged("/people", [self._person(each) for each in wanted], query), {}
        if rest == ["undo"]:
            return 200, self.newest, {}
        if int(rest[0]) not in self.persons:
            return error(404, "NOT_FOUND")
        return self._of_one(method, int(rest[0]), rest[1:], query, wish)

    def _of_one(self, method: str, person: int, verb: list[str], query: dict[str, str], wish: Any) -> Answer:
        faces = self.persons[person][1]
        if method == "GET":
            page = self._paged(f"/people/{person}", list(map(self._face, faces)), query)
            return 200, self._person(person) | {"page": page}, {}
        if method == "PATCH":
            self.persons[person] = (wish["name"] or None, faces)
            return 200, self._person(person), {}
        if verb == ["merge"]:
            del self.persons[person]
            self.persons[wish["into"]] = (wish.get("name"), self.persons[wish["into"]][1] + faces)
            return 200, self._person(wish["into"]) | {"contradicted": faces[:1]}, {}
        if verb == ["split"]:
            self.persons[10] = (None, wish["faces"])
            return 201, self._person(10), {}
        self.rejected.append((person, wish["faces"]))
        return 204, b"", {}

    def _paged(self, path: str, entries: list[Any], query: dict[str, str]) -> dict[str, Any]:
        start = int(query.get("cursor", 0))
        following = f"{path}?limit=2&cursor={start + self.page}" if start + self.page < len(entries) else None
        return {"results": entries[start : start + self.page], "next_page": following}

    def _person(self, person: int) -> dict[str, Any]:
        name, faces = self.persons[person]
        return {"id": person, "name": name, "hidden": False, "faces": len(faces), "same_name": []}

    def _face(self, face: int) -> dict[str, Any]:
        return {"id": face, "image": "c" * 64}
