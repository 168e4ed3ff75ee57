"""Errors as they travel to whoever asked."""

from __future__ import annotations

from typing import Any

from facerec.errors import BadParam, FacerecError, TooManyFaces
from facerec.faces import Box


def error_document(error: FacerecError) -> dict[str, Any]:
    document: dict[str, Any] = {"code": error.code, "reason": error.reason}
    if isinstance(error, BadParam):
        document["param"] = error.param
    if isinstance(error, TooManyFaces):
        document["boxes"] = [sides_of(box) for box in error.boxes]
    return document


def sides_of(box: Box) -> list[int]:
    """Top, right, bottom, left."""
    return [box.top, box.right, box.bottom, box.left]
