"""Checking what comes in against a model; what is wrong becomes a BadParam that names it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from flask import Request
from pydantic import BaseModel, ValidationError

from facerec.errors import BadParam, FacerecError, MalformedJson
from rest.bodies import plain, read_body

M = TypeVar("M", bound=BaseModel)
_SHOWN = 100


def read_query(call: Request, model: type[M]) -> M:
    """The parameters of the URL. Raises BadParam for one that is unknown, wrong, or there twice."""
    if not call.query_string:
        return model()
    for name, values in call.args.lists():
        if len(values) > 1:
            raise BadParam(name[:_SHOWN], "given more than once", [value[:_SHOWN] for value in values[:3]])
    try:
        return model.model_validate(call.args.to_dict())
    except ValidationError as error:
        raise bad_param(error) from error


def no_query(call: Request) -> None:
    """Raises BadParam when the URL has a parameter. Does the work of an empty model for a fraction of its time."""
    for name, value in call.args.items():
        raise BadParam(name[:_SHOWN], "this parameter is not known here", value[:_SHOWN])


def read_json(call: Request, model: type[M], limit: int) -> M:
    """The JSON body. Raises MalformedJson, BadParam, TooLarge."""
    return parse_json(plain(read_body(call, limit)), model)


def parse_fields(fields: Mapping[str, str], model: type[M]) -> M:
    """The fields of a form, which are texts. Raises BadParam."""
    try:
        return model.model_validate_strings(fields)
    except ValidationError as error:
        raise bad_param(error) from error


def parse_json(text: bytes | str, model: type[M]) -> M:
    """Raises MalformedJson, BadParam."""
    try:
        return model.model_validate_json(text)
    except ValidationError as error:
        raise bad_param(error) from error


def bad_param(error: ValidationError) -> FacerecError:
    """The first of the mistakes in words of the contract."""
    mistake = error.errors(include_url=False)[0]
    if mistake["type"] == "json_invalid":
        return MalformedJson(mistake["msg"])
    name = ".".join(str(part) for part in mistake["loc"]) or "body"
    value = mistake["input"]
    if mistake["type"] == "missing" or not isinstance(value, str | int | float | bool | None):
        value = None
    reason = "this parameter is not known here" if mistake["type"] == "extra_forbidden" else mistake["msg"]
    return BadParam(name[:_SHOWN], reason, value[:_SHOWN] if isinstance(value, str) else value)
