"""What people see: the page's static files, and the description of the API to read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Flask, current_app, render_template, request
from markupsafe import Markup, escape

import facerec
from rest.docs import Operation, describes, openapi
from rest.params import no_query


def register_page(app: Flask) -> None:
    page = Blueprint("page", __name__, static_folder="static", static_url_path="/static")
    page.get("/docs")(get_docs)
    app.register_blueprint(page)


@describes(Operation("This description, for people", media="text/html", public=True))
def get_docs() -> str:
    """Made from the same document as /openapi.json, so neither can say what the other does not; once, as that."""
    no_query(request)
    if _MADE not in current_app.extensions:
        current_app.extensions[_MADE] = _docs()
    made: str = current_app.extensions[_MADE]
    return made


def _docs() -> str:
    document = openapi(current_app)
    schemas = document["components"]["schemas"]
    operations = [
        {"path": path, "method": method.upper()} | operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]
    return render_template(
        "docs.html", version=facerec.__version__, operations=operations, schemas=schemas, schema=describe_schema
    )


_MADE = "facerec_docs"


def describe_schema(schema: Mapping[str, Any]) -> Markup:
    """A JSON schema in a line for people, with links to the shapes that have names."""
    words = _kind(schema)
    limits = [f"{label} {schema[key]}" for key, label in _LIMITS.items() if key in schema]
    if schema.get("default") not in (None, "", []):
        limits.append(f"default {schema['default']}")
    if limits:
        words += escape(f" ({', '.join(limits)})")
    if "description" in schema:
        words += Markup(' <span class="muted">{}</span>').format(schema["description"])
    return words


_LIMITS = {"minimum": "at least", "maximum": "at most", "maxLength": "characters at most", "maxItems": "at most"}


def _kind(schema: Mapping[str, Any]) -> Markup:
    if "$ref" in schema:
        name = str(schema["$ref"]).rpartition("/")[2]
        return Markup('<a href="#shape-{0}">{0}</a>').format(name)
    if "anyOf" in schema:
        return Markup(" or ").join(_kind(option) for option in schema["anyOf"])
    if "enum" in schema:
        return Markup(" or ").join(Markup("<code>{}</code>").format(value) for value in schema["enum"])
    if schema.get("type") == "array":
        return Markup("list of ") + _kind(schema.get("items", {}))
    if "properties" in schema:
        fields = (Markup("<code>{}</code>: ").format(name) + _kind(of) for name, of in schema["properties"].items())
        return Markup(", ").join(fields)
    kind = schema.get("type", "anything")
    return Markup("bytes") if schema.get("format") == "binary" else escape(kind)
