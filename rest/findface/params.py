"""Parameters of a call, wherever they come from: query, JSON, form or multipart. The body comes before the query.

One that is there several times is a list, which is good for those that are lists, as galleries, and wrong for all others.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from math import isfinite
from typing import Any, TypeVar
from urllib.parse import parse_qsl

from flask import Request
from werkzeug.datastructures import MultiDict

from facerec.errors import BadParam, MalformedJson
from facerec.faces import Box
from rest.bodies import is_multipart, plain, read_body, read_form_of_lists

T = TypeVar("T")
_SHOWN = 100
_TEXT_LIMIT = 64 * 1024
_MAX_BOXES = 1000
_FARTHEST_PIXEL = float(1 << 24)
_MAX_ID = 1 << 63
_TRUE, _FALSE = {"1", "true", "yes", "on"}, {"0", "false", "no", "off", ""}


class Params:
    """Parameters by name; a file is its name and bytes. Every method raises BadParam that names the parameter."""

    def __init__(self, values: dict[str, Any], files: dict[str, tuple[str, bytes]]) -> None:
        self.values = values
        self.files = files

    def text(self, name: str) -> str | None:
        """A text."""
        value = self.values.get(name)
        if value is None:
            return None
        if not isinstance(value, str):
            raise self.bad(name, "must be a text")
        return clean(name, value)

    def flag(self, name: str) -> bool | None:
        value = self.values.get(name)
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, str) and value.lower() in _TRUE | _FALSE:
            return value.lower() in _TRUE
        raise self.bad(name, "must be true or false")

    def whole(self, name: str, low: int, high: int) -> int | None:
        """A whole number, or its text."""
        value = self.values.get(name)
        if value is None or value == "":
            return None
        number = whole_number(value)
        if number is None or not low <= number <= high:
            raise self.bad(name, f"must be a whole number from {low} to {high}")
        return number

    def face_id(self, name: str) -> int | None:
        """A 64 bit id as number or text."""
        return self.whole(name, 0, _MAX_ID - 1)

    def one_of(self, name: str, allowed: tuple[str, ...], default: str) -> str:
        value = self.text(name) or default
        if value not in allowed:
            raise self.bad(name, f"must be one of {', '.join(allowed)}")
        return value

    def nested(self, name: str) -> Any:
        """A value that is JSON text when it came in a query or a form."""
        value = self.values.get(name)
        if not isinstance(value, str):
            return value
        try:
            return _parsed(value)
        except (ValueError, RecursionError) as error:
            raise self.bad(name, "must be JSON") from error

    def names(self, name: str) -> list[str] | None:
        """A list of texts: JSON, or one text with commas."""
        value = self.values.get(name)
        if value is None:
            return None
        if isinstance(value, str) and not value.lstrip().startswith("["):
            return [clean(name, part.strip()) for part in value.split(",") if part.strip()]
        found = self.nested(name)
        if not isinstance(found, list) or not all(isinstance(part, str) for part in found):
            raise self.bad(name, "must be a list of texts")
        return [clean(name, part) for part in found]

    def boxes(self, name: str) -> list[Box]:
        """An array of boxes, or one box: ``{x1, y1, x2, y2}`` or ``[x1, y1, x2, y2]``."""
        value = self.nested(name)
        if value is None:
            return []
        if isinstance(value, dict) or (isinstance(value, list) and value and not isinstance(value[0], list | dict)):
            value = [value]
        if not isinstance(value, list) or len(value) > _MAX_BOXES:
            raise self.bad(name, "must be an array of boxes")
        return [self._box(name, box) for box in value]

    def corners(self) -> list[Box]:
        """The box of the parameters x1, y1, x2, y2, if they are there."""
        sides = {name: self.nested(name) for name in ("x1", "y1", "x2", "y2")}
        if all(side is None for side in sides.values()):
            return []
        return [self._box("x1", sides)]

    def _box(self, name: str, box: Any) -> Box:
        if isinstance(box, dict):
            box = [box.get(side) for side in ("x1", "y1", "x2", "y2")]
        if not isinstance(box, list) or len(box) != 4 or not all(_is_pixel(side) for side in box):
            raise self.bad(name, "a box is {x1, y1, x2, y2} or [x1, y1, x2, y2] in pixels")
        x1, y1, x2, y2 = (round(side) for side in box)
        if x1 >= x2 or y1 >= y2:
            raise self.bad(name, "a box has x1 < x2 and y1 < y2")
        return Box(top=y1, right=x2, bottom=y2, left=x1)

    def bad(self, name: str, reason: str) -> BadParam:
        value = self.values.get(name)
        if isinstance(value, list | dict):
            value = json.dumps(value, ensure_ascii=False)
        return BadParam(name, reason, value[:_SHOWN] if isinstance(value, str) else value)


def read_params(call: Request, photos: int, limit: int) -> Params:
    """The parameters of a call that may bring so many photos of at most ``limit`` bytes each.

    Raises BadParam, MalformedJson, TooLarge.
    """
    values = _single(call.args.lists())
    if is_multipart(call):
        fields, files = read_form_of_lists(call, max(1, photos) * limit)
        return Params(values | _single(fields.items()), files)
    # A photo in base64 is a third longer.
    body = plain(read_body(call, photos * (limit * 4 // 3 + 1024) + _TEXT_LIMIT))
    if not body.strip():
        return Params(values, {})
    if call.mimetype == "application/x-www-form-urlencoded" and not body.lstrip().startswith(b"{"):
        return Params(values | _form(body), {})
    return Params(values | _json_object(body), {})


@contextmanager
def box_of(name: str) -> Iterator[None]:
    """What a worker says of a box that somebody gave, it says of this parameter."""
    try:
        yield
    except BadParam as error:
        raise BadParam(name, error.reason) if error.param == "face" else error from None


def clean(name: str, text: str) -> str:
    """``text`` when it can be stored. Raises BadParam for half a character."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise BadParam(name, "must be Unicode text") from error
    return text


def whole_number(value: object) -> int | None:
    """A whole number or its decimal text as a number, else None."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, float) and value.is_integer():  # 1.0 is a whole number to JSON
        return int(value)
    if isinstance(value, str) and value.isascii() and value.removeprefix("-").isdecimal() and len(value) < 30:
        return int(value)
    return None


def _is_pixel(side: Any) -> bool:
    return isinstance(side, int | float) and not isinstance(side, bool) and abs(side) <= _FARTHEST_PIXEL


def _form(body: bytes) -> dict[str, Any]:
    try:
        pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=200, errors="strict")
    except (UnicodeDecodeError, ValueError) as error:
        raise BadParam("body", "the form cannot be read") from error
    return _single(MultiDict(pairs).lists())


def _single(found: Iterable[tuple[str, list[str]]]) -> dict[str, Any]:
    return {name: values[0] if len(values) == 1 else values for name, values in found}


def _json_object(body: bytes) -> dict[str, Any]:
    try:
        found = _parsed(body)
    except (ValueError, RecursionError) as error:
        raise MalformedJson(f"the body is not valid JSON: {error}") from error
    if not isinstance(found, dict):
        raise BadParam("body", "the JSON body must be an object")
    return found


def _parsed(text: str | bytes) -> Any:
    """Raises ValueError, also for a number that no answer could repeat; RecursionError."""
    return json.loads(text, parse_constant=_no_constant, parse_float=_finite)


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not isfinite(number):
        raise ValueError(f"{text[:_SHOWN]} is too large a number")
    return number


def given(value: T | None, default: T) -> T:
    return default if value is None else value
