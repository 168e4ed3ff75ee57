"""The lines of an archive (`facerec.archive`) from and to what is stored."""

from __future__ import annotations

import base64
import binascii
import re
import struct
from collections.abc import Callable, Mapping
from dataclasses import asdict
from itertools import pairwise
from typing import Any

import numpy as np

from facerec.archive import Before, StoredImage, StoredKey
from facerec.errors import BadParam, InputError, InternalError
from facerec.faces import ENCODING_LENGTH, Box, Face, Mark, Model, Point
from facerec.identity import check_hash, check_name, check_owner, check_url, ticket_of
from facerec.nesting import parse_shallow_json
from facerec.records import encoding_bytes, face_id_of, pack_face, shift_of, unpack_face

_LATEST = 1e12
"""Seconds since the epoch after which nothing expires."""
_SCORE = re.compile(rb"[+-]?(inf|[0-9]+(\.[0-9]*)?(e[+-]?[0-9]{1,3})?)")
_ENTRY = re.compile(rb"[0-9]{1,19}-[0-9]{1,19}")
OF_PEOPLE = re.compile(r"([a-z0-9_-]{1,48}\x1f)?(faces:person|contacts:persons|person:\d+(:not)?|face:\d+:not)")
"""Keys whose changes are noted while they are copied."""
STATES = ("queued", "processing", "done", "failed")
Line = Mapping[str, Any]


class DamagedLine(InputError):
    """A line of an archive cannot be read; the message says what is wrong with it."""

    code = "DAMAGED_LINE"


def image_line(image: StoredImage) -> dict[str, Any]:
    """Raises InternalError when a face record is damaged."""
    return {
        "kind": "image",
        "owner": image.owner,
        "hash": image.hash,
        "document": dict(image.document),
        "names": dict(image.names),
        "faces": [_face_line(record) for record in image.records],
        "links": sorted(image.links),
    }


def key_line(key: StoredKey) -> dict[str, Any]:
    return {
        "kind": "key",
        "key": _text(key.key),
        "type": key.type,
        "begins": key.begins,
        "value": [[_text(part) for part in item] for item in key.value],
        "expires_at": key.expires_at,
    }


def parse_line(text: bytes) -> Line:
    """A line as an object with a kind. Raises DamagedLine."""
    try:
        line = parse_shallow_json(text.decode())
    except ValueError as error:
        raise DamagedLine(f"is not JSON: {error}") from error
    if not isinstance(line, dict) or not isinstance(line.get("kind"), str):
        raise DamagedLine("is no object with a kind")
    return line


def image_of(line: Line) -> StoredImage:
    """Raises DamagedLine for anything that could not have been stored."""
    try:
        image = StoredImage(
            owner=check_owner(line["owner"]),
            hash=check_hash(line["hash"]),
            document={_storable(name): _storable(value) for name, value in line["document"].items()},
            names={_name(name): int(ticket) for name, ticket in line["names"].items()},
            records=tuple(_record_of(face) for face in line["faces"]),
            links=tuple(check_hash(link) for link in line["links"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError, BadParam, InternalError) as error:
        raise DamagedLine(f"is no image: {type(error).__name__}: {error}") from error
    _check_image(image)
    return image


def key_of(line: Line) -> StoredKey:
    """Raises DamagedLine."""
    try:
        expires_at = line["expires_at"]
        key = StoredKey(
            key=_bytes(line["key"]),
            type=str(line["type"]),
            value=tuple(tuple(_bytes(part) for part in item) for item in line["value"]),
            begins=bool(line["begins"]),
            expires_at=None if expires_at is None else float(expires_at),
        )
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise DamagedLine(f"is no key: {type(error).__name__}: {error}") from error
    _check_key(key)
    return key


def before_line(before: Before) -> dict[str, Any]:
    return {"kind": "before"} | asdict(before)


def before_of(line: Line) -> Before:
    """Raises DamagedLine."""
    try:
        before = Before(
            key=_storable(line["key"]),
            type=str(line["type"]),
            value=tuple(tuple(_storable(part) for part in item) for item in line["value"]),
            without=tuple(_storable(each) for each in line["without"]),
            whole=bool(line["whole"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DamagedLine(f"is nothing of people: {type(error).__name__}: {error}") from error
    parts = {"hash": 2, "set": 1}.get(before.type)
    if not OF_PEOPLE.fullmatch(before.key) or any(len(item) != parts for item in before.value):
        raise DamagedLine(f"is nothing of people: {before.key[:100]!r}")
    return before


def member_of(line: Line) -> tuple[str, str]:
    """Owner and hash of an image in the crowd. Raises DamagedLine."""
    try:
        return check_owner(line["owner"]), check_hash(line["hash"])
    except (KeyError, TypeError, AttributeError, BadParam) as error:
        raise DamagedLine(f"is no image in the crowd: {error}") from error


def _check_key(key: StoredKey) -> None:
    """Raises DamagedLine for what Redis would refuse, perhaps when some of it is written."""
    if key.expires_at is not None and not 0 <= key.expires_at < _LATEST:
        raise DamagedLine(f"has an end of life that cannot be: {key.expires_at}")
    fits = _FITS.get(key.type)
    if fits is None or not key.value or not all(map(fits, key.value)) or (key.type == "string" and len(key.value) > 1):
        raise DamagedLine(f"has a value that is none of a {key.type[:50]}")
    if key.type == "stream":
        entries = [_entry_id(entry) for entry, *_ in key.value]
        if any(one >= other for one, other in pairwise(entries)):
            raise DamagedLine("has entries that do not follow each other")


def _is_scored(item: tuple[bytes, ...]) -> bool:
    return len(item) == 2 and _SCORE.fullmatch(item[1]) is not None


def _is_entry(item: tuple[bytes, ...]) -> bool:
    return len(item) >= 3 and len(item) % 2 == 1 and _ENTRY.fullmatch(item[0]) is not None


def _entry_id(text: bytes) -> tuple[int, int]:
    milliseconds, _, number = text.partition(b"-")
    return int(milliseconds), int(number)


def _check_image(image: StoredImage) -> None:
    document = image.document
    state, ticket = document.get("state"), document.get("ticket", "")
    if state not in STATES or not _is_number(ticket) or not 0 < int(ticket) < 1 << 51:
        raise DamagedLine(f"has the state {state!r} and the ticket {ticket!r}")
    if not _is_time(document.get("queued_at", "")):
        raise DamagedLine("does not say when it was queued")
    if "model" in document and document["model"] not in _MODELS:
        raise DamagedLine(f"is of the model {document['model']!r}")
    if any(not 0 < upload < 1 << 51 for upload in image.names.values()):
        raise DamagedLine("has a name without a ticket")
    if state != "done" and (image.records or image.links):
        raise DamagedLine(f"is {state}, but has faces or links")
    if state == "done" and document.get("faces") != str(len(image.records)):
        raise DamagedLine(f"has {len(image.records)} faces, but its document says {document.get('faces')}")
    ids = [face_id_of(record) for record in image.records]
    if any(ticket_of(face) != int(ticket) for face in ids) or ids != sorted(set(ids)):
        raise DamagedLine("has faces whose ids are not its ticket's")
    if image.hash in image.links:
        raise DamagedLine("is linked to itself")


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal()


def _is_time(text: str) -> bool:
    seconds, _, parts = text.partition(".")
    return _is_number(seconds) and (not parts or _is_number(parts))


def _name(text: str) -> str:
    """A name is that of a file or a URL. Raises BadParam."""
    try:
        return check_name(text)
    except BadParam:
        return check_url(text)


def _face_line(record: bytes) -> dict[str, Any]:
    face_id, face = unpack_face(record)
    box = face.box
    line = {
        "id": face_id,
        "model": face.model.name.lower(),
        "box": {"top": box.top, "right": box.right, "bottom": box.bottom, "left": box.left},
        "landmarks": [[point.x, point.y] for point in face.landmarks],
        "confidence": face.confidence,
        "marks": sorted(mark.name.lower() for mark in face.marks),
        "encoding": base64.b64encode(encoding_bytes(record)).decode(),
    }
    return line | ({"shift": shift_of(record)} if shift_of(record) else {})


def _record_of(line: Mapping[str, Any]) -> bytes:
    encoding = np.frombuffer(base64.b64decode(line["encoding"], validate=True), dtype="<f4")
    if encoding.shape != (ENCODING_LENGTH,) or not np.isfinite(encoding).all():
        raise ValueError("an encoding has 128 numbers")
    box = line["box"]
    face = Face(
        box=Box(*(int(box[side]) for side in ("top", "right", "bottom", "left"))),
        landmarks=tuple(Point(int(x), int(y)) for x, y in line["landmarks"]),
        confidence=float(line["confidence"]),
        encoding=encoding,
        model=Model[str(line["model"]).upper()],
        marks=frozenset(Mark[str(mark).upper()] for mark in line["marks"]),
    )
    shift = int(line.get("shift", 0))
    if not 0 <= shift < 32:
        raise ValueError(f"shift {shift}")
    try:
        return pack_face(int(line["id"]), face, shift)
    except struct.error as error:
        raise ValueError(str(error)) from error


def _storable(text: object) -> str:
    if not isinstance(text, str):
        raise TypeError(f"{text!r} is no text")
    text.encode()
    return text


def _text(value: bytes) -> str | dict[str, str]:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(value).decode()}


def _bytes(value: str | Mapping[str, str]) -> bytes:
    if isinstance(value, str):
        return value.encode()
    try:
        return base64.b64decode(value["base64"], validate=True)
    except binascii.Error as error:
        raise ValueError(str(error)) from error


_MODELS = frozenset(str(model.value) for model in Model)
_FITS: Mapping[str, Callable[[tuple[bytes, ...]], bool]] = {
    "string": lambda item: len(item) == 1,
    "set": lambda item: len(item) == 1,
    "list": lambda item: len(item) == 1,
    "hash": lambda item: len(item) == 2,
    "zset": _is_scored,
    "stream": _is_entry,
}
"""By type: whether an item of a value has the parts that it should have."""
