"""Cameras: what a video detector asks for."""

from __future__ import annotations

from typing import Any

from flask import Response, jsonify, request

from facerec.errors import NotFound
from facerec.services.cameras import add_camera, check_camera
from rest.context import owner, services
from rest.docs import Operation, describes
from rest.findface import models
from rest.findface.answers import nothing
from rest.findface.params import Params, read_params, whole_number

_ERRORS = (400, 401, 403, 503)
_TEXTS = ("meta", "url", "detector")


@describes(
    Operation(
        "Add a camera",
        body=models.CameraPost,
        body_optional=True,
        answer=models.CameraEntry,
        status=201,
        errors=(*_ERRORS, 413),
    )
)
def post_camera() -> Response:
    params = read_params(request, 0, services().settings.rest.max_upload_bytes)
    response = jsonify(add_camera(services().findface, owner(), _fields(params)))
    response.status_code = 201
    return response


@describes(Operation("All cameras", query=models.CameraQuery, answer=models.CameraList, errors=_ERRORS))
def get_cameras() -> Response:
    params = read_params(request, 0, services().settings.rest.max_upload_bytes)
    detector = params.text("detector")
    found = services().findface.cameras(owner())
    return jsonify([camera for camera in found if detector is None or camera["detector"] == detector])


@describes(Operation("One camera", answer=models.CameraEntry, errors=(*_ERRORS, 404)))
def get_camera(camera: str) -> Response:
    return jsonify(_camera(camera))


@describes(
    Operation(
        "Change a camera",
        body=models.CameraPost,
        body_optional=True,
        answer=models.CameraEntry,
        errors=(*_ERRORS, 404, 413),
    )
)
def put_camera(camera: str) -> Response:
    params = read_params(request, 0, services().settings.rest.max_upload_bytes)
    services().findface.put_camera(owner(), camera, {"id": _camera(camera)["id"]} | _fields(params), new=False)
    return jsonify(_camera(camera))


@describes(Operation("Remove a camera", answer=None, media="", status=204, errors=(*_ERRORS, 404)))
def delete_camera(camera: str) -> Response:
    if not services().findface.remove_camera(owner(), _camera(camera)["id"]):
        raise NotFound("there is no such camera")
    return nothing()


def _camera(camera: str) -> dict[str, Any]:
    found = services().findface.camera(owner(), camera)
    if found is None:
        raise NotFound("there is no such camera")
    return found


def _fields(params: Params) -> dict[str, Any]:
    """What was said; an empty rot or roi clears it."""
    fields: dict[str, Any] = {name: params.text(name) for name in _TEXTS if params.values.get(name) is not None}
    enabled = params.flag("enabled")
    if enabled is not None:
        fields["enabled"] = enabled
    fields |= {name: _area(params, name) for name in ("rot", "roi") if name in params.values}
    return check_camera(fields)


def _area(params: Params, name: str) -> Any:
    """``[W, H, X, Y]`` in pixels, None for nothing."""
    value = None if params.values[name] == "" else params.nested(name)
    if isinstance(value, list):
        value = [
            number if (number := whole_number(side)) is not None and not isinstance(side, str) else side
            for side in value
        ]
    return None if value == [] else value
