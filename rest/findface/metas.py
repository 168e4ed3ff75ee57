"""Faces by what is said of them."""

from __future__ import annotations

from flask import Response, jsonify, request

from facerec.galleries import Bounds
from rest.context import owner, services
from rest.docs import Operation, describes
from rest.findface import models
from rest.findface.answers import MAX_PAGE, PAGE, face_document, known_gallery, nothing, page_of, path_with
from rest.findface.params import clean, read_params

_ERRORS = (400, 401, 403, 404, 503)


@describes(
    Operation(
        "Faces with exactly this meta",
        path=models.GalleryPath,
        query=models.PageQuery,
        answer=models.FacePage,
        errors=_ERRORS,
    )
)
def get_meta_faces(meta: str, gallery: str | None = None) -> Response:
    params = read_params(request, 0, services().settings.rest.max_upload_bytes)
    return page_of(params, known_gallery(gallery), _named(meta))


@describes(Operation("Remove all faces with this meta", answer=None, media="", status=204, errors=_ERRORS))
def delete_meta_faces(meta: str) -> Response:
    while ids := services().findface.page(owner(), "default", Bounds(), MAX_PAGE, _named(meta)).ids:
        for face in ids:
            services().removal.remove(owner(), face)
    return nothing()


def _named(meta: str) -> str:
    """A slash at the end of the path belongs to the path."""
    return clean("meta", meta.removesuffix("/"))


@describes(
    Operation(
        "Metas with their faces", path=models.GalleryPath, query=models.MetaQuery, answer=models.Metas, errors=_ERRORS
    )
)
def get_metas(gallery: str | None = None) -> Response:
    params = read_params(request, 0, services().settings.rest.max_upload_bytes)
    limit = params.whole("limit", 1, MAX_PAGE) or PAGE
    found, more = services().findface.metas(owner(), known_gallery(gallery), params.text("after"), limit)
    faces = services().findface.faces(owner(), [each.newest for each in found])
    results = [
        {"meta": each.meta, "count": each.count, "face": face_document(face)}
        for each, face in zip(found, faces, strict=True)
        if face
    ]
    size = {} if limit == PAGE else {"limit": limit}
    following = path_with(after=found[-1].meta, **size) if more and found else None
    return jsonify({"results": results, "next_page": following})
