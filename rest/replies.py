"""Errors that come back from a worker as ``{"code", "reason", ...}`` become errors of the tree again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from facerec.errors import Backpressure, BadParam, FacerecError, ServiceUnavailable, error_for
from facerec.jobs import Reply

_RETRY_AFTER = 5


def document_of(reply: Reply) -> Mapping[str, Any]:
    """The document of a good reply. Raises the FacerecError that a bad one names."""
    if reply.ok:
        return reply.document
    raise error_of(reply.document)


def error_of(document: Mapping[str, Any]) -> FacerecError:
    """The error that a worker's reply names; InternalError for a code that nobody knows."""
    code, reason = str(document.get("code")), str(document.get("reason", ""))
    if code == BadParam.code:
        return BadParam(str(document.get("param", "")), reason, document.get("value"))
    if code == Backpressure.code:
        return Backpressure(reason, _RETRY_AFTER)
    if code == ServiceUnavailable.code:
        return ServiceUnavailable(reason)
    return error_for(code, reason)
