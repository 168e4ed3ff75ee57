"""The "external model" of the Nextcloud app Face Recognition; contracts/nextcloud-external-model.md.

Workers do the face work, over the queue of those for whom a person waits. Nothing of an image is kept.
"""

from __future__ import annotations

import hmac
import json
import sys
from collections.abc import Callable, Mapping
from typing import Any

from flask import Blueprint, Flask, Response, g, jsonify, request
from pydantic import BaseModel, ConfigDict, Field

import facerec
from facerec.config import Settings
from facerec.errors import AuthFailed, BadParam, InternalError, ServiceUnavailable
from facerec.faces import Box, Model
from facerec.identity import DEFAULT_OWNER
from facerec.jobs import Request
from facerec.model import parse_model
from rest.auth import bound_rate, fingerprint, token_in
from rest.bodies import read_form, the_file
from rest.context import owner, services
from rest.docs import Operation, describes
from rest.errors import AreaTooLarge
from rest.params import parse_json
from rest.replies import document_of

_ERRORS = (400, 401, 412, 413, 415, 422, 503, 504)
_PIXEL = Field(ge=-(1 << 24), le=1 << 24)
HOG_CONFIDENCE = 1.1
"""What the original service reports for model 3, whose detector gives no confidence there."""


class FaceField(BaseModel):
    """The form field ``face`` of /compute: a face as /detect gave it. Only its box counts; the rest goes back as it came."""

    model_config = ConfigDict(extra="allow")
    left: int = _PIXEL
    top: int = _PIXEL
    right: int = _PIXEL
    bottom: int = _PIXEL


class DetectForm(BaseModel):
    file: bytes
    model: str | None = Field(default=None, description="1 to 4 or reference, instead of the model of the settings")


class ComputeForm(DetectForm):
    face: str = Field(
        description="JSON with left, top, right, bottom in pixels, which may lie partly outside the picture; "
        "what else is in it goes back as it came"
    )


def register_nextcloud(app: Flask) -> None:
    public = Blueprint("nextcloud_public", __name__)
    public.get("/welcome")(get_welcome)
    public.get("/health")(get_health)
    keyed = Blueprint("nextcloud", __name__)
    keyed.before_request(authenticate_key)
    keyed.get("/open")(get_open)
    keyed.post("/detect")(post_detect)
    keyed.post("/compute")(post_compute)
    app.register_blueprint(public)
    app.register_blueprint(keyed)


def authenticate_key() -> None:
    """Before a request: the api key of the settings or an ordinary token, never nothing.

    Both are held to the limit of rate, of which the app's administrator sees an error. Raises AuthFailed, Backpressure,
    StoreUnavailable.
    """
    key = services().settings.rest.api_key
    sent = token_in(request.headers)
    if sent is None:
        hint = "" if key else "; none is configured here: set FACE_MODEL_API_KEY_FILE, or make a token"
        raise AuthFailed(f"send the key in the header x-api-key{hint}")
    # WSGI hands headers over as Latin-1, whatever bytes were sent.
    if key and hmac.compare_digest(sent.encode("latin-1"), key.reveal().encode()):
        token_owner: str | None = DEFAULT_OWNER
    else:
        token_owner = services().tokens.owner_of(sent)
    if token_owner is None:
        raise AuthFailed("nobody has this key")
    g.owner, g.token = token_owner, fingerprint(sent)
    bound_rate(g.token)


@describes(Operation("Nextcloud: which model is served", answer=dict[str, Any], public=True))
def get_welcome() -> Response:
    return jsonify(
        {
            "facerecognition-external-model": _missing_models() or "welcome",
            "version": facerec.__version__,
            "model": model_number(services().settings),
        }
    )


@describes(Operation("Nextcloud: whether the process lives", media="text/plain", public=True))
def get_health() -> Response:
    return Response("ok", content_type="text/plain; charset=utf-8")


@describes(Operation("Nextcloud: what to send", answer=dict[str, Any], errors=(401, 503)))
def get_open() -> Response:
    return jsonify({"preferred_mimetype": "image/jpeg", "maximum_area": services().settings.rest.maximum_area})


@describes(Operation("Nextcloud: all faces of a picture", answer=dict[str, Any], form=DetectForm, errors=_ERRORS))
def post_detect() -> Response:
    fields, files = read_form(request, services().settings.rest.max_upload_bytes)
    name, image = the_file(files)
    faces = _analyse(image, None, wanted_model(fields))
    return jsonify({"filename": name, "faces-count": len(faces), "faces": faces})


@describes(Operation("Nextcloud: one face whose box is known", answer=dict[str, Any], form=ComputeForm, errors=_ERRORS))
def post_compute() -> Response:
    fields, files = read_form(request, services().settings.rest.max_upload_bytes)
    name, image = the_file(files)
    if "face" not in fields:
        raise BadParam("face", "the multipart body has no field 'face'")
    face = _face_in(fields["face"])
    box = Box(top=face.top, right=face.right, bottom=face.bottom, left=face.left)
    faces = _analyse(image, box, wanted_model(fields))
    if len(faces) != 1:
        raise InternalError(f"a worker gave {len(faces)} faces for one box")
    found = {field: faces[0][field] for field in ("landmarks", "descriptor")}
    return jsonify({"filename": name, "face": face.model_dump() | found})


def _face_in(text: str) -> FaceField:
    """Raises MalformedJson, BadParam."""
    face = parse_json(text, FaceField)
    try:
        json.dumps(face.model_dump(), allow_nan=False)
    except ValueError as error:
        raise BadParam("face", "has a number that JSON has no word for") from error
    return face


def model_number(settings: Settings) -> int:
    """The app's number of the model that is served. The reference is model 3 in other clothes: same networks, same detector."""
    model = Model.HOG if settings.model is Model.REFERENCE else settings.model
    return int(model.value)


def _missing_models() -> str | None:
    """What workers say of model files they lack and how to get them, unless one of them works."""
    try:
        states = list(services().workers.workers().values())
    except ServiceUnavailable:
        return None
    problems = [state.get("problem") for state in states]
    if problems and all(problems):
        return str(problems[0])
    return None


def wanted_model(fields: Mapping[str, str]) -> Model:
    """The model that the form asks for, else the one of the settings. Raises BadParam.

    The app sends no such field; other clients may compare models with it.
    """
    text = fields.get("model")
    if text is None:
        return services().settings.model
    try:
        return parse_model(text)
    except ValueError as error:
        raise BadParam("model", str(error), text[:50]) from error


def _analyse(image: bytes, box: Box | None, model: Model) -> list[dict[str, Any]]:
    """The faces of ``image`` as the Nextcloud app knows them, found, or computed where the box is given."""
    settings = services().settings
    header = services().probe(image, sys.maxsize)
    if header.width * header.height > settings.rest.maximum_area:
        raise AreaTooLarge(f"{header.width} x {header.height} is more than {settings.rest.maximum_area} pixels")
    boxes = None if box is None else [[box.top, box.right, box.bottom, box.left]]
    call = Request(
        verb="analyse",
        owner=owner(),
        deadline=services().clock() + settings.rest.interactive_timeout,
        parameters={"model": model.name.lower(), "boxes": boxes},
        body=image,
    )
    document = document_of(services().requester.call(call, client_gone(request.environ)))
    return [face_of(face, model) for face in document["faces"]]


def face_of(face: Mapping[str, Any], model: Model) -> dict[str, Any]:
    """A face of a worker's reply in the app's words."""
    box = face["box"]
    return {
        "detection_confidence": HOG_CONFIDENCE if model in {Model.HOG, Model.REFERENCE} else face["confidence"],
        "left": box["left"],
        "top": box["top"],
        "right": box["right"],
        "bottom": box["bottom"],
        "landmarks": [{"x": point["x"], "y": point["y"]} for point in face["landmarks"]],
        "descriptor": face["encoding"],
    }


def client_gone(environ: Mapping[str, Any]) -> Callable[[], bool]:
    """A function that tells whether the client has hung up; never, where the server does not say."""
    found: Callable[[], bool] = environ.get("waitress.client_disconnected", lambda: False)
    return found
