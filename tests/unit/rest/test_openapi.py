"""The description is complete and made from the models."""

from __future__ import annotations

from typing import Any

from flask.testing import FlaskClient

from rest.app import create_app
from rest.docs import openapi
from tests.front import Front


def described(front: Front) -> dict[str, Any]:
    app = create_app(front.services)
    return openapi(app)


def test_every_route_is_described(front: Front) -> None:
    app = create_app(front.services)
    paths = openapi(app)["paths"]

    for rule in app.url_map.iter_rules():
        if rule.endpoint == "page.static":
            continue
        path = rule.rule.replace("<name:", "<").replace("<", "{").replace(">", "}")
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
            assert method.lower() in paths[path], rule


def test_references_lead_somewhere(front: Front) -> None:
    document = described(front)
    schemas = document["components"]["schemas"]

    def walk(node: Any) -> None:
        if isinstance(node, dict):
            if "$ref" in node:
                assert node["$ref"].removeprefix("#/components/schemas/") in schemas
            for value in node.values():
                walk(value)
        elif isinstance(node, list):
            for value in node:
                walk(value)

    walk(document)
    assert document["openapi"] == "3.1.0"


def test_parameters_come_from_the_model_that_checks_them(front: Front) -> None:
    parameters = {entry["name"]: entry for entry in described(front)["paths"]["/images"]["get"]["parameters"]}

    assert parameters.keys() == {"state", "name", "limit", "cursor"}
    assert parameters["limit"]["schema"]["maximum"] == 500


def test_errors_are_described_as_they_are(front: Front) -> None:
    responses = described(front)["paths"]["/scan/url"]["post"]["responses"]

    assert set(responses) == {"202", "400", "401", "403", "413", "415", "422", "429", "502", "503", "504"}


def test_every_operation_may_be_asked_too_often(front: Front) -> None:
    operations = [each for path in described(front)["paths"].values() for each in path.values()]

    assert all("429" in operation["responses"] for operation in operations)


def test_it_is_served(client: FlaskClient) -> None:
    assert "/scan/image/{name}" in client.get("/openapi.json").get_json()["paths"]
