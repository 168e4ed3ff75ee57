"""Cameras: what a video detector asks for. The same checks for /v1 and for plugins."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from facerec.errors import BadParam, Conflict
from facerec.galleries import FaceBook

EMPTY: dict[str, Any] = {"meta": "", "url": "", "detector": "", "enabled": True, "rot": None, "roi": None}
_KINDS: dict[str, type] = {"meta": str, "url": str, "detector": str, "enabled": bool}
_FARTHEST = 1 << 24


def add_camera(book: FaceBook, owner: str, fields: Mapping[str, Any]) -> dict[str, Any]:
    """A new camera with these fields, all optional. Raises BadParam, Conflict for an ``id`` that is there."""
    camera = _id_of(fields.get("id"))
    if book.camera(owner, camera) is not None:
        raise Conflict(f"there is a camera {camera} already")
    made = {"id": camera} | EMPTY | check_camera({name: value for name, value in fields.items() if name != "id"})
    book.put_camera(owner, camera, made, new=True)
    return made


def check_camera(fields: Mapping[str, Any]) -> dict[str, Any]:
    """``fields`` when a camera can have them. Raises BadParam."""
    for name, value in fields.items():
        if name in {"rot", "roi"}:
            if value is not None and not _is_area(value):
                raise BadParam(name, "must be [W, H, X, Y]")
        elif name not in _KINDS or not isinstance(value, _KINDS[name]):
            raise BadParam(name, f"a camera has {', '.join(EMPTY)}")
    return dict(fields)


def _id_of(given: Any) -> str:
    if given is None:
        return str(uuid.uuid4())
    try:
        return str(uuid.UUID(str(given)))
    except ValueError as error:
        raise BadParam("id", "the id of a camera is a UUID", str(given)[:100]) from error


def _is_area(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 4 and all(_is_pixel(side) for side in value)


def _is_pixel(side: Any) -> bool:
    return isinstance(side, int) and not isinstance(side, bool) and abs(side) < _FARTHEST
