"""/openapi.json, made from the routes and from the models that check their requests."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar

from flask import Blueprint, Flask, Response, current_app, request
from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import models_json_schema

import facerec
from rest.models import Error
from rest.params import no_query

View = TypeVar("View", bound=Callable[..., Any])
_REF = "#/components/schemas/{model}"
_ARGUMENT = re.compile(r"<(?:[^:<>]+:)?([^<>]+)>")
_METHODS = {"GET", "POST", "PUT", "PATCH", "DELETE"}
_BYTES = {"type": "string", "format": "binary"}


@dataclass(frozen=True)
class Operation:
    """What a view does, for people. ``answer`` is a model or type (JSON), or None for ``media`` of another kind
    ('' for no content).

    ``path`` describes arguments of the path that are more than any text. ``body_optional`` is for a body that may be missing.
    ``form`` describes a multipart body, ``upload`` says that the body is an image or a form with it.
    """

    summary: str
    answer: Any = None
    status: int = 200
    errors: tuple[int, ...] = ()
    query: type[BaseModel] | None = None
    body: type[BaseModel] | None = None
    form: type[BaseModel] | None = None
    upload: bool = False
    media: str = "application/json"
    public: bool = False
    path: type[BaseModel] | None = None
    body_optional: bool = False


def describes(operation: Operation) -> Callable[[View], View]:
    """Attach an operation to a view."""

    def attach(view: View) -> View:
        view.operation = operation  # type: ignore[attr-defined]
        return view

    return attach


def register_docs(app: Flask) -> None:
    docs = Blueprint("docs", __name__)
    docs.get("/openapi.json")(get_openapi)
    app.register_blueprint(docs)


@describes(Operation("This description", answer=dict[str, Any], public=True))
def get_openapi() -> Response:
    no_query(request)
    return openapi_of("/")


def openapi(app: Flask) -> dict[str, Any]:
    """The OpenAPI 3.1 document of every route of ``app`` that has an operation. Made once: the routes stay."""
    if _MADE not in app.extensions:
        app.extensions[_MADE] = _openapi(app)
    made: dict[str, Any] = app.extensions[_MADE]
    return made


def openapi_of(path: str) -> Response:
    """The document of the routes below ``path``, which comes from no client.

    As JSON made once, too: it takes long, and nobody needs a token to ask for it.
    """
    texts: dict[str, str] = current_app.extensions.setdefault(_TEXTS, {})
    if path not in texts:
        whole = openapi(current_app)
        below = {each: item for each, item in whole["paths"].items() if each.startswith(path)}
        texts[path] = current_app.json.dumps(whole | {"paths": below})
    return Response(texts[path], mimetype="application/json")


def _openapi(app: Flask) -> dict[str, Any]:
    paths: dict[str, dict[str, Any]] = {}
    found: list[Operation] = []
    for rule in app.url_map.iter_rules():
        operation = getattr(app.view_functions[rule.endpoint], "operation", None)
        if operation is None:
            continue
        found.append(operation)
        path = _ARGUMENT.sub(r"{\1}", rule.rule)
        for method in sorted((rule.methods or set()) & _METHODS):
            described = _describe(operation, sorted(rule.arguments)) | {"operationId": rule.endpoint.replace(".", "_")}
            paths.setdefault(path, {})[method.lower()] = described
    return {
        "openapi": "3.1.0",
        "info": {"title": "facerec", "version": facerec.__version__},
        "paths": dict(sorted(paths.items())),
        "components": {"schemas": _schemas(found), "securitySchemes": _SECURITY},
        "security": [{name: []} for name in _SECURITY],
    }


_MADE, _TEXTS = "facerec_openapi", "facerec_openapi_json"
_SECURITY = {
    "token": {"type": "apiKey", "in": "header", "name": "Authorization", "description": "Token <t>, or Bearer <t>"},
    "key": {"type": "apiKey", "in": "header", "name": "x-api-key"},
}


def _describe(operation: Operation, arguments: list[str]) -> dict[str, Any]:
    described: dict[str, Any] = {
        "summary": operation.summary,
        "parameters": [_parameter("path", name, _of_path(operation, name), True) for name in arguments],
        "responses": {str(operation.status): _answer(operation)}
        # Whoever asks for too much, or guesses keys, gets 429 whatever he asks for.
        | {str(status): _error() for status in sorted({*operation.errors, 429})},
    }
    if operation.query:
        schema = operation.query.model_json_schema()
        required = schema.get("required", [])
        described["parameters"] += [
            _parameter("query", name, _without_null(value), name in required)
            for name, value in schema.get("properties", {}).items()
        ]
    content = _content(operation)
    if content:
        described["requestBody"] = {"required": not operation.body_optional, "content": content}
    if operation.public:
        described["security"] = []
    return described


def _content(operation: Operation) -> dict[str, Any]:
    if operation.body:
        return {"application/json": {"schema": _schema_of(operation.body)}}
    if operation.form:
        return {"multipart/form-data": {"schema": _schema_of(operation.form)}}
    if operation.upload:
        form = {"type": "object", "properties": {"file": _BYTES}, "required": ["file"]}
        return {"application/octet-stream": {"schema": _BYTES}, "multipart/form-data": {"schema": form}}
    return {}


def _of_path(operation: Operation, name: str) -> dict[str, Any]:
    schemas: dict[str, dict[str, Any]] = operation.path.model_json_schema()["properties"] if operation.path else {}
    return schemas.get(name, {"type": "string", "minLength": 1})


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """A query cannot say null: a parameter is there or not."""
    kinds = [kind for kind in schema.get("anyOf", []) if kind != {"type": "null"}]
    if not kinds or len(kinds) == len(schema["anyOf"]):
        return schema
    rest = {name: value for name, value in schema.items() if name not in {"anyOf", "default"}}
    return rest | (kinds[0] if len(kinds) == 1 else {"anyOf": kinds})


def _parameter(place: str, name: str, schema: dict[str, Any], required: bool) -> dict[str, Any]:
    return {"in": place, "name": name, "schema": schema, "required": required}


def _answer(operation: Operation) -> dict[str, Any]:
    if operation.answer is None and not operation.media:
        return {"description": operation.summary}
    if operation.answer is None:
        return {"description": operation.summary, "content": {operation.media: {"schema": {"type": "string"}}}}
    return {"description": operation.summary, "content": {operation.media: {"schema": _schema_of(operation.answer)}}}


def _error() -> dict[str, Any]:
    return {"description": "An error", "content": {"application/json": {"schema": _schema_of(Error)}}}


def _schema_of(kind: Any) -> dict[str, Any]:
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return {"$ref": _REF.format(model=kind.__name__)}
    return _plain_schema(kind)


@cache
def _plain_schema(kind: Any) -> dict[str, Any]:
    return TypeAdapter(kind).json_schema()


def _schemas(operations: list[Operation]) -> dict[str, Any]:
    kinds: dict[type[BaseModel], None] = {Error: None}
    for operation in operations:
        for kind in (operation.answer, operation.body, operation.form):
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                kinds[kind] = None
    _, schema = models_json_schema([(kind, "validation") for kind in kinds], ref_template=_REF)
    return dict(schema.get("$defs", {}))
