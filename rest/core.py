"""The core contract: scan images and URLs, ask which match, look at images, erase them."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, Flask, Response, g, jsonify, request
from werkzeug.routing import BaseConverter

from facerec.errors import BadParam, NotFound
from facerec.identity import check_hash
from rest import models
from rest.auth import authenticate
from rest.bodies import read_image
from rest.context import owner, services
from rest.docs import Operation, describes
from rest.params import no_query, read_json, read_query
from rest.pictures import thumbnail_path
from rest.scanning import scan_image, scan_url

JSON_LIMIT = 64 * 1024
_SCAN_ERRORS = (400, 401, 403, 413, 415, 422, 429, 503)


class NameConverter(BaseConverter):
    """A name may begin with a slash and hold several in a row, and must come as far as the check that refuses newlines."""

    regex = r"(?s:.+)"
    part_isolating = False


def register_core(app: Flask) -> None:
    app.url_map.converters["name"] = NameConverter
    app.url_map.merge_slashes = False
    core = Blueprint("core", __name__)
    core.before_request(authenticate)
    core.post("/scan/image/<name:name>")(post_image)
    core.post("/scan/url")(post_url)
    core.get("/match/<image>")(get_match)
    core.get("/images")(get_images)
    core.get("/images/<image>")(get_image)
    core.delete("/images/<image>")(delete_image)
    app.register_blueprint(core)


@describes(
    Operation("Queue an image to be scanned", answer=models.Queued, status=202, errors=_SCAN_ERRORS, upload=True)
)
def post_image(name: str) -> Response:
    no_query(request)
    _check_utf8()
    image = read_image(request, services().settings.rest.max_upload_bytes)
    return _accepted(scan_image(services(), owner(), name, image))


@describes(
    Operation(
        "Queue the image at a URL to be scanned",
        body=models.UrlToScan,
        answer=models.Queued,
        status=202,
        errors=(*_SCAN_ERRORS, 502, 504),
    )
)
def post_url() -> Response:
    no_query(request)
    url = read_json(request, models.UrlToScan, JSON_LIMIT).url
    return _accepted(scan_url(services(), owner(), url))


@describes(
    Operation(
        "Names of the other images with a matching face",
        query=models.MatchQuery,
        answer=list[str],
        errors=(400, 401, 403, 503),
    )
)
def get_match(image: str) -> Response:
    query = read_query(request, models.MatchQuery)
    image_hash = check_hash(image)
    if query.limit is None:
        if query.cursor:
            raise BadParam("cursor", "goes with a limit", query.cursor[:100])
        return jsonify(services().admissions.matching_names(owner(), image_hash))
    names, cursor = services().admissions.matching_page(owner(), image_hash, query.limit, query.cursor)
    response = jsonify(names)
    if cursor:
        following = urlencode({"limit": query.limit, "cursor": cursor})
        response.headers["Link"] = f'</match/{image_hash}?{following}>; rel="next"'
    return response


@describes(
    Operation("Images, newest first", query=models.ImagesQuery, answer=models.Images, errors=(400, 401, 403, 503))
)
def get_images() -> Response:
    query = read_query(request, models.ImagesQuery)
    results, cursor = services().admissions.images(owner(), query.state, query.name, query.limit, query.cursor)
    return jsonify({"results": results, "next_page": _next_page(query, cursor)})


@describes(
    Operation(
        "One image with its faces and matches",
        query=models.ImageQuery,
        answer=models.Image,
        errors=(400, 401, 403, 404, 503),
    )
)
def get_image(image: str) -> Response:
    query = read_query(request, models.ImageQuery)
    document = services().admissions.image(owner(), check_hash(image), query.limit, query.cursor)
    if document is None:
        raise NotFound("there is no such image")
    return jsonify(_with_thumbnails(document))


@describes(Operation("Erase an image", answer=dict[str, Any], errors=(400, 401, 403, 404, 503)))
def delete_image(image: str) -> Response:
    no_query(request)
    receipt = services().erasure.erase(owner(), check_hash(image))
    if receipt is None:
        raise NotFound("there is no such image")
    return jsonify(receipt)


def _accepted(digest: str) -> Response:
    g.image_hash = digest
    response = jsonify({"hash": digest})
    response.status_code = 202
    response.headers["Location"] = f"/images/{digest}"
    return response


def _check_utf8() -> None:
    """WSGI hands the path over as Latin-1; werkzeug would replace what is no UTF-8 and give other names one and the same."""
    try:
        request.environ["PATH_INFO"].encode("latin-1").decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadParam("name", "a name is URL-encoded UTF-8") from error


def _next_page(query: models.ImagesQuery, cursor: str) -> str | None:
    if not cursor:
        return None
    return "/images?" + urlencode(query.model_dump(exclude_defaults=True) | {"cursor": cursor})


def _with_thumbnails(document: dict[str, Any]) -> dict[str, Any]:
    return document | {"faces": [face | {"thumbnail": thumbnail_path(face)} for face in document["faces"]]}
