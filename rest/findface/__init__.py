"""The FindFace interface, /v1 and /v0: contracts/findface-v1.md."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Blueprint, Flask

from rest.auth import authenticate
from rest.findface import cameras, description, faces, galleries, history, metas, photos_of, recognition

View = Callable[..., Any]
VERSIONS = ("v1", "v0")
_ROUTES: tuple[tuple[str, str, View], ...] = (
    ("POST", "/detect", recognition.post_detect),
    ("POST", "/verify", recognition.post_verify),
    ("POST", "/identify", recognition.post_identify),
    ("POST", "/faces/gallery/<gallery>/identify", recognition.post_identify),
    ("POST", "/face", faces.post_face),
    ("GET", "/face/id/<face>", faces.get_face),
    ("PUT", "/face/id/<face>", faces.put_face),
    ("DELETE", "/face/id/<face>", faces.delete_face),
    ("GET", "/face/id/<face>/<kind>", photos_of.get_picture),
    ("GET", "/faces", faces.get_faces),
    ("GET", "/faces/gallery/<gallery>", faces.get_faces),
    ("GET", "/face/meta/<name:meta>", metas.get_meta_faces),
    ("DELETE", "/face/meta/<name:meta>", metas.delete_meta_faces),
    ("GET", "/face/gallery/<gallery>/meta/<name:meta>", metas.get_meta_faces),
    ("GET", "/faces/gallery/<gallery>/meta/<name:meta>", metas.get_meta_faces),
    ("GET", "/meta", metas.get_metas),
    ("GET", "/meta/gallery/<gallery>", metas.get_metas),
    ("GET", "/galleries", galleries.get_galleries),
    ("POST", "/galleries", galleries.post_named_gallery),
    ("POST", "/galleries/<gallery>", galleries.post_gallery),
    ("DELETE", "/galleries/<gallery>", galleries.delete_gallery),
    ("GET", "/persons", history.get_persons),
    ("GET", "/person/id/<person>", history.get_person),
    ("GET", "/person/history/id/<person>", history.get_person_history),
    ("POST", "/history/search", history.post_search),
    ("POST", "/camera", cameras.post_camera),
    ("GET", "/camera", cameras.get_cameras),
    ("GET", "/camera/<camera>", cameras.get_camera),
    ("PUT", "/camera/<camera>", cameras.put_camera),
    ("DELETE", "/camera/<camera>", cameras.delete_camera),
)


def register_findface(app: Flask) -> None:
    """Routes with and without a slash at the end, in both versions; the documentation needs no token."""
    for version in VERSIONS:
        keyed = Blueprint(f"findface_{version}", __name__, url_prefix=f"/{version}")
        keyed.before_request(authenticate)
        for number, (method, path, view) in enumerate(_ROUTES):
            keyed.add_url_rule(path, f"{number:02d}_{view.__name__}", view, methods=[method], strict_slashes=False)
        if version == "v1":  # no part of the contract: what plugins have uploaded
            keyed.add_url_rule("/uploads/<user>/<day>/<file>", view_func=photos_of.get_upload)
        app.register_blueprint(keyed)
    description.register_description(app)
